import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, HongyanError, MemoryStorage, open, type Transport } from '../src/index.js';
import { now } from '../src/clock.js';
import { type Dialing, race } from '../src/dial.js';
import { Line } from '../src/line.js';
import type { Session } from '../src/model.js';
import type { Batch } from '../src/storage/storage.js';
import type { Channel } from '../src/transport/channel.js';
import { heard, nodeOptions, register } from './clients.js';
import { hangMs, sleep, until } from './server.js';
import { Stage } from './stage.js';

const stage = new Stage();

/** Counts how often the connection is lost from now on. */
function losses(c: Client): { count: number } {
  const losses = { count: 0 };
  c.on('connection', ({ phase }) => void (phase === 'waiting' && losses.count++));
  return losses;
}

/** Waits until something holds while the connection stays. */
async function untilOnline(what: string, c: Client, holds: () => boolean | Promise<boolean>): Promise<void> {
  const lost = losses(c);
  await until(what, async () => lost.count > 0 || (c.connection.phase === 'online' && (await holds())));
  assert.equal(lost.count, 0);
}

const noKey = btoa('damaged'.repeat(10));

/** Whether the server has given a key in the place of the damaged one, and with it all that it has. */
async function gotOver(c: Client, storage: MemoryStorage): Promise<boolean> {
  const { key } = (await storage.get('meta', 'sync')) as { key: string };
  return key !== noKey && !c.connection.catchingUp;
}

/** A storage with a damaged key, and a disk as slow as that of a browser. */
async function damaged(name: string, transports: Transport[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const c = await register(stage.server.url, name, { storage, transports });
  await c.close();
  const sync = (await storage.get('meta', 'sync')) as object;
  await storage.write({ writes: [{ table: 'meta', key: 'sync', value: { ...sync, key: noKey } }] });
  const write = storage.write.bind(storage);
  storage.write = async (b: Batch) => {
    await sleep(20);
    await write(b);
  };
  return storage;
}

for (const transport of ['websocket', 'sse', 'longpoll'] as Transport[]) {
  test(`a message that cannot be sent fails by ${transport}, and the connection stays`, { timeout: hangMs }, async () => {
    const alice = await register(stage.server.url, `alice.${transport}`, { transports: [transport] });
    stage.clients.push(alice);
    const lost = losses(alice);
    const me = { name: alice.me!.name };
    const large = alice.send(me, { text: 'x'.repeat(2 << 20) });
    await assert.rejects(large.acknowledged, { code: 'TOO_LARGE' });
    const image = { ref: 'm_pFg941hyQiyOUPNy_lK5yA', sha256: 'a string' as never };
    await assert.rejects(alice.send(me, { image }).acknowledged, { code: 'INVALID' });
    await assert.rejects(alice.request('SetProfile', { displayName: 7n as never }), { code: 'INVALID' });
    await alice.send(me, { text: 'small' }).acknowledged;
    assert.equal(lost.count, 0);
  });

  test(`a key that the server does not take is got over by ${transport}`, async () => {
    const storage = await damaged(`bob.${transport}`, [transport]);
    const bob = await open({ url: stage.server.url, ...nodeOptions, storage, transports: [transport] });
    stage.clients.push(bob);
    await untilOnline('the key is got over', bob, () => gotOver(bob, storage));
    const hears = heard(bob);
    await stage.clients[0]!.send({ name: bob.me!.name }, { text: 'still there?' }).acknowledged;
    await untilOnline('what is new arrives', bob, () => hears.length === 1);
  });
}

test('a message that is too large for a proxy fails, and the connection stays', async (t) => {
  const frank = await register(stage.server.url, 'frank', { transports: ['longpoll'] });
  stage.clients.push(frank);
  const lost = losses(frank);
  const { fetch } = globalThis;
  t.mock.method(globalThis, 'fetch', (url: string, init: RequestInit) =>
    url.endsWith('/v1/send') ? Promise.resolve(new Response('<html>', { status: 413 })) : fetch(url, init),
  );
  await assert.rejects(frank.send({ name: 'frank' }, { text: 'x' }).acknowledged, { code: 'TOO_LARGE' });
  assert.equal(lost.count, 0);
});

test('a key that is ahead of the server ends no long-poll, and a person decides', async () => {
  const storage = await damaged('carol', ['longpoll']);
  stage.proxy.rules.rewrite = (text) => text.replaceAll('"KEY_INVALID"', '"KEY_AHEAD"  ');
  const carol = await open({ url: stage.proxy.url, ...nodeOptions, storage, transports: ['longpoll'] });
  stage.clients.push(carol);
  await untilOnline('the key is refused', carol, () => carol.connection.problem?.code === 'KEY_AHEAD');
  await carol.startOver();
  await untilOnline('all is there', carol, () => gotOver(carol, storage));
  delete stage.proxy.rules.rewrite;
});

test('a request under way is answered although a better way is found', async () => {
  stage.proxy.rules.blockWebSocket = true;
  const dave = await register(stage.proxy.url, 'dave');
  stage.clients.push(dave);
  assert.equal(dave.connection.transport, 'sse');
  const { key } = await dave.request('Sync', { limit: 1 });
  const asked = dave.request('Sync', { key, waitMs: 20_000 }, 20_000);
  stage.proxy.rules.blockWebSocket = false;
  dave.networkChanged();
  await until('the best way is in use', () => dave.connection.transport === 'websocket');
  await dave.send({ name: 'dave' }, { text: 'wake up' }).acknowledged;
  assert.equal((await asked).changes.length, 1);
});

test('a client that is closed while it tries a better way leaves no socket open', async () => {
  const sockets: Slow[] = [];
  /** Says a while later that it is open. */
  class Slow extends (WebSocket as unknown as typeof globalThis.WebSocket) {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
    override set onopen(f: (() => void) | null) {
      super.onopen = f && (() => setTimeout(f, 100));
    }
  }
  stage.proxy.rules.blockWebSocket = true;
  const erin = await register(stage.proxy.url, 'erin', { WebSocket: Slow });
  stage.proxy.rules.blockWebSocket = false;
  erin.networkChanged();
  await until('a socket is open', () => sockets.at(-1)!.readyState === 1);
  await erin.close();
  await until('all sockets are closed', () => sockets.every((s) => s.readyState === 3));
});

// --- a line whose owner and server are the test ---

/** A way to a server that answers nothing. */
class Mute implements Channel {
  readonly transport = 'longpoll';
  readonly beats = false;
  readonly session = { hints: undefined } as Channel['session'];
  closed = false;

  request(): Promise<never> {
    return new Promise(() => undefined);
  }

  close(): void {
    this.closed = true;
  }

  async retire(): Promise<void> {
    this.close();
  }
}

function lineTo(dial: () => Promise<Channel>) {
  let ended = false;
  const line = new Line(
    {
      run: (work) => (ended ? Promise.reject(new HongyanError('Closed', 'the client is closed')) : work()),
      failed: () => undefined,
      session: () => ({}) as Session,
      resume: () => ({ key: '', version: '0' }),
      behind: () => false,
      pushed: async () => undefined,
      newer: async () => undefined,
      signal: () => undefined,
      up: async () => undefined,
      down: () => undefined,
      stopped: async () => undefined,
      shown: () => undefined,
    },
    { dial, isBest: () => true } as unknown as Dialing,
  );
  return { line, end: () => void (ended = true) };
}

const timers = () => process.getActiveResourcesInfo().filter((r) => r === 'Timeout').length;

test('what waits for a connection is broken when the account is left, and does not get that of the next', async () => {
  let arrive: (c: Channel) => void = () => undefined;
  const { line } = lineTo(() => new Promise((resolve) => (arrive = resolve)));
  const before = timers();
  await line.start(true);
  const waiting = line.connected();
  line.leave();
  await assert.rejects(waiting, { code: 'UNAUTHENTICATED' });
  assert.equal(timers(), before);
  await assert.rejects(line.connected(), { code: 'UNAUTHENTICATED' });
  await line.start(true);
  const next = new Mute();
  arrive(next);
  assert.equal(await line.connected(), next);
  line.close();
});

test('what waits for a connection is broken when the line is closed, and its timer too', async () => {
  const { line } = lineTo(() => new Promise(() => undefined));
  const before = timers();
  await line.start(true);
  const waiting = line.connected();
  line.close();
  await assert.rejects(waiting, { code: 'Closed' });
  assert.equal(timers(), before);
});

test('a connection that comes after the end of its owner is closed', async () => {
  let arrive: (c: Channel) => void = () => undefined;
  const { line, end } = lineTo(() => new Promise((resolve) => (arrive = resolve)));
  await line.start(true);
  line.close();
  end();
  const channel = new Mute();
  arrive(channel);
  await sleep(0);
  assert.ok(channel.closed);
});

/** Sets the clock back by an hour, until the end of a test. */
function setBack(t: TestContext): number {
  const clock = Date.now() - 3_600_000;
  t.mock.method(Date, 'now', () => clock);
  return clock;
}

test('a clock that is set back does not put off the next attempt, and people are told by it', async (t) => {
  const { line } = lineTo(() => Promise.reject(new HongyanError('Network', 'nobody is there')));
  const began = now();
  const clock = setBack(t);
  await line.start(true);
  await until('the line waits', () => line.connection.phase === 'waiting');
  assert.ok(line.wakeAt! >= began && line.wakeAt! <= now() + 1000);
  const { retryAt } = line.connection;
  assert.ok(retryAt! > clock && retryAt! <= clock + 1000);
});

test('a clock that is set back does not put off the next way', async (t) => {
  const ways = [{ afterMs: 0, by: 'one' }, { afterMs: 20, by: 'another' }];
  const began = now();
  const found = race(ways, new AbortController().signal, async ({ by }, signal) => {
    if (by === 'one') await new Promise((_, reject) => (signal.onabort = reject));
    return new Mute();
  });
  setBack(t);
  await found;
  assert.ok(now() - began < 5000);
});
