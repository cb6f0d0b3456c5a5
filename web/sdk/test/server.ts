import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Far above what anything here takes: only a hang takes so long. */
export const hangMs = 120_000;

/** The program under test. */
const binary = process.env['HONGYAN'] ?? new URL('../../../../bin/hongyan', import.meta.url).pathname;

/**
 * A free port of loopback, below those that systems hand out by themselves: nobody else gets it while a server that was
 * killed is away.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** The program's serve command as a process, which can be killed and started again at the same address. */
export class Server {
  log = '';
  private process: ChildProcess | undefined;

  private constructor(
    readonly url: string,
    private readonly data: string,
    private readonly args: readonly string[],
  ) {}

  static async start(...args: string[]): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), 'hongyan-sdk-'));
    const server = new Server(`http://127.0.0.1:${await freePort()}`, data, args);
    await server.run();
    return server;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Starts the process and waits until it answers. */
  async run(): Promise<void> {
    const args = ['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`, '--storage.ballast', '0B'];
    const child = spawn(binary, [...args, ...this.args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    for (const out of [child.stdout, child.stderr]) out.on('data', (d: Buffer) => (this.log += d.toString()));
    for (const begin = Date.now(); ; await sleep(20)) {
      if (child.exitCode !== null) throw new Error(`the server ended at its start:\n${this.log}`);
      if (Date.now() - begin > hangMs) throw new Error(`the server does not answer:\n${this.log}`);
      const healthy = await fetch(`${this.url}/healthz`).then((r) => r.ok, () => false);
      if (healthy) return;
    }
  }

  /** Has the operator's command line do something, and returns what it prints. */
  async operate(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary, [...args, '--data', this.data]);
    return stdout.trim();
  }

  /** Ends the process as a crash does. */
  async kill(): Promise<void> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something holds. What state it is in, when it does not, is told by `state`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, state?: () => unknown): Promise<void> {
  for (const begin = Date.now(); !(await holds()); await sleep(10)) {
    if (Date.now() - begin < hangMs) continue;
    throw new Error(`after ${hangMs} ms it does not hold: ${what} ${state ? JSON.stringify(state()) : ''}`);
  }
}
