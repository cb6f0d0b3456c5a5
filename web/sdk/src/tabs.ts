import type { Connection } from './api.js';
import type { Told } from './engine.js';
import { asError, HongyanError } from './error.js';
import type { Calls, Leader } from './leader.js';
import type { Model } from './model.js';
import type { Storage } from './storage/storage.js';

/** What goes between tabs. Errors travel as plain data, which a structured clone would not leave them. */
type Word =
  | { is: 'told'; kind: keyof Told; what: unknown }
  | { is: 'hello' }
  | { is: 'leading'; leader: string; connection: Connection; flying: string[] }
  | { is: 'call'; id: string; method: keyof Calls; args: unknown[] }
  | { is: 'answer'; id: string; value?: unknown; error?: PlainError };

interface PlainError {
  code: HongyanError['code'];
  message: string;
  hint?: string;
  retryAfterMs?: number;
}

interface Pending {
  method: keyof Calls;
  args: unknown[];
  resolve(value: unknown): void;
  reject(e: HongyanError): void;
}

/** How many calls of others are remembered as done. */
const maxServed = 1000;

/** How long after a failure to read the store it is read again. */
const reloadMs = 5000;

const callable: readonly (keyof Calls)[] = [
  'login', 'logout', 'request', 'send', 'resend', 'discard', 'reconnectNow', 'networkChanged', 'startOver', 'setDraft', 'typing',
  'markRead', 'fill', 'lookUp', 'keepProfiles', 'report', 'ticket',
];

/** What tabs need of the system. */
export interface TabSystem {
  locks: Pick<LockManager, 'request'>;
  channel(name: string): BroadcastChannel;
}

/** What a tab does with what comes. */
export interface TabOwner {
  model: Model;
  storage: Storage;
  /** Makes the one that holds the connection. It is started by Tabs. */
  lead(tell: <K extends keyof Told>(kind: K, what: Told[K]) => void): Leader;
  told<K extends keyof Told>(kind: K, what: Told[K]): void;
}

/**
 * Tabs lets several tabs share one connection. The tab that holds the lock leads: it alone talks to the server and writes
 * to the storage. It tells every other tab what was written, which takes it over into its memory, and does what the
 * others call for. The lock passes on by itself when a tab is closed or crashes; a call that is unanswered then is made
 * again to the next leader, who recognises what it must not do twice.
 */
export class Tabs {
  /** Calls to whoever leads. */
  readonly calls: Calls;
  private readonly id = crypto.getRandomValues(new Uint32Array(2)).join('-');
  private readonly channel: BroadcastChannel;
  private readonly pending = new Map<string, Pending>();
  private readonly quit = new AbortController();
  /** Kept when this tab does not lead any more, or does not stand in line. */
  private led: Promise<void> = Promise.resolve();
  private release: () => void = () => undefined;
  private leader: Leader | undefined;
  private leaderId = '';
  private shown: Connection = { phase: 'connecting', since: Date.now(), catchingUp: false };
  private called = 0;
  /** The latest calls that this tab has done for others: whoever hears only then that it leads makes a call again. */
  private readonly served = new Set<string>();
  /** Nothing more is said. */
  private silent = false;
  /** What was written while memory was being loaded. */
  private loading: Told['wrote'][] | undefined;
  /** Memory is to be loaded once more. */
  private outdated = false;

  constructor(
    private readonly name: string,
    private readonly system: TabSystem,
    private readonly owner: TabOwner,
  ) {
    this.channel = system.channel(name);
    this.channel.onmessage = (e: MessageEvent<Word>) => this.heard(e.data);
    const call = (method: string | symbol) => (...args: unknown[]) => this.call(method as keyof Calls, args);
    this.calls = new Proxy({} as Calls, { get: (_, method) => call(method) });
  }

  get connection(): Connection {
    return this.leader?.connection ?? this.shown;
  }

  /** Loads memory, and stands in line for the lead. The promise is kept when memory has what is stored. */
  async join(): Promise<void> {
    await this.load();
    this.led = this.system.locks
      .request(this.name, { signal: this.quit.signal }, () => this.lead())
      .catch(() => undefined); // the client was closed while it stood in line
    this.post({ is: 'hello' });
  }

  async close(): Promise<void> {
    if (this.quit.signal.aborted) return;
    this.quit.abort();
    this.release();
    await this.led; // what the leader still works off the others have to hear
    this.silent = true;
    this.channel.close();
    for (const p of this.pending.values()) p.reject(new HongyanError('Closed', 'the client is closed'));
    this.pending.clear();
  }

  // --- leading ---

  /** Leads until the client is closed. */
  private async lead(): Promise<void> {
    if (this.quit.signal.aborted) return;
    const over = new Promise<void>((resolve) => (this.release = resolve));
    const leader = this.owner.lead((kind, what) => {
      this.owner.told(kind, what);
      this.post({ is: 'told', kind, what: packTold(kind, what) });
    });
    await leader.start();
    if (this.quit.signal.aborted) return leader.close();
    this.leader = leader;
    this.announce(leader);
    for (const [id, p] of [...this.pending]) {
      this.pending.delete(id);
      this.do(leader, p.method, p.args).then(p.resolve, p.reject);
    }
    await over;
    await leader.close();
  }

  private announce(leader: Leader): void {
    const { connection } = leader;
    this.post({
      is: 'leading',
      leader: this.id,
      connection: packTold('connection', connection) as Connection,
      flying: [...this.owner.model.flying],
    });
  }

  private do(leader: Leader, method: keyof Calls, args: unknown[]): Promise<unknown> {
    if (!callable.includes(method)) return Promise.reject(new HongyanError('INVALID', `there is no call ${method}`));
    return (leader[method] as (...a: unknown[]) => Promise<unknown>).apply(leader, args);
  }

  // --- following ---

  private call(method: keyof Calls, args: unknown[]): Promise<unknown> {
    if (this.quit.signal.aborted) return Promise.reject(new HongyanError('Closed', 'the client is closed'));
    if (this.leader !== undefined) return this.do(this.leader, method, args);
    const id = `${this.id} ${++this.called}`;
    return new Promise((resolve, reject) => {
      try {
        this.post({ is: 'call', id, method, args });
      } catch (e) {
        return reject(new HongyanError('INVALID', `an argument of ${method} is no plain data: ${asError(e).message}`));
      }
      this.pending.set(id, { method, args, resolve, reject });
    });
  }

  private heard(w: Word): void {
    if (w.is === 'told') this.toldBy(w.kind, w.what);
    else if (w.is === 'leading') this.follow(w);
    else if (w.is === 'answer') this.answered(w);
    else if (this.leader === undefined) return;
    else if (w.is === 'hello') this.announce(this.leader);
    else this.serve(this.leader, w);
  }

  private serve(leader: Leader, w: Extract<Word, { is: 'call' }>): void {
    // What this tab does not do any more, the next one that leads is asked for.
    if (this.quit.signal.aborted || this.served.has(w.id)) return;
    this.served.add(w.id);
    if (this.served.size > maxServed) this.served.delete(this.served.values().next().value!);
    this.do(leader, w.method, w.args).then(
      (value) => this.post({ is: 'answer', id: w.id, value }),
      (e: unknown) => {
        const error = asError(e);
        if (error.code !== 'Closed') this.post({ is: 'answer', id: w.id, error: packError(error) });
      },
    );
  }

  private answered(w: Extract<Word, { is: 'answer' }>): void {
    const p = this.pending.get(w.id);
    this.pending.delete(w.id);
    if (w.error) p?.reject(unpackError(w.error));
    else p?.resolve(w.value);
  }

  private follow(w: Extract<Word, { is: 'leading' }>): void {
    const { model } = this.owner;
    model.flying.clear();
    for (const clientId of w.flying) model.flying.add(clientId);
    this.toldBy('connection', w.connection);
    if (w.leader === this.leaderId) return;
    this.leaderId = w.leader;
    for (const [id, { method, args }] of this.pending) this.post({ is: 'call', id, method, args });
  }

  private toldBy(kind: keyof Told, packed: unknown): void {
    const what = unpackTold(kind, packed);
    if (kind === 'connection') this.shown = what as Connection;
    if (kind === 'wrote') this.wrote(what as Told['wrote']);
    else if (kind === 'reloaded') this.reload();
    else this.owner.told(kind, what as never);
  }

  /** Takes over what was written, if it is the very next; if something is missing, everything is read anew. */
  private wrote(w: Told['wrote']): void {
    if (this.loading !== undefined) {
      this.loading.push(w);
      return;
    }
    const place = (this.owner.model.meta.get('place') as number | undefined) ?? 0;
    if (w.place <= place) return;
    if (w.place === place + 1) this.owner.told('wrote', w);
    else this.reload();
  }

  /** Reads everything anew. */
  private reload(): void {
    if (this.quit.signal.aborted) return;
    if (this.loading !== undefined) {
      this.outdated = true;
      return;
    }
    this.load().then(
      () => this.owner.told('reloaded', {}),
      () => setTimeout(() => this.reload(), reloadMs),
    );
  }

  private async load(): Promise<void> {
    this.loading = [];
    this.outdated = false;
    try {
      await this.owner.model.load(this.owner.storage);
    } finally {
      const written = this.loading;
      this.loading = undefined;
      for (const w of written) this.wrote(w);
      if (this.outdated) this.reload();
    }
  }

  private post(w: Word): void {
    if (!this.silent) this.channel.postMessage(w);
  }
}

function packError(e: HongyanError): PlainError {
  const { code, message, hint, retryAfterMs } = e;
  return { code, message, ...(hint ? { hint } : {}), ...(retryAfterMs ? { retryAfterMs } : {}) };
}

function unpackError(e: PlainError): HongyanError {
  return new HongyanError(e.code, e.message, e);
}

/** The name of the error that some of what is told holds. */
function errorOf(kind: keyof Told): string | undefined {
  return kind === 'connection' ? 'problem' : kind === 'undelivered' ? 'error' : undefined;
}

function packTold(kind: keyof Told, what: unknown): unknown {
  const name = errorOf(kind);
  const error = name === undefined ? undefined : (what as Record<string, HongyanError | undefined>)[name];
  return error === undefined ? what : { ...(what as object), [name!]: packError(error) };
}

function unpackTold(kind: keyof Told, packed: unknown): unknown {
  const name = errorOf(kind);
  const error = name === undefined ? undefined : (packed as Record<string, PlainError | undefined>)[name];
  return error === undefined ? packed : { ...(packed as object), [name!]: unpackError(error) };
}
