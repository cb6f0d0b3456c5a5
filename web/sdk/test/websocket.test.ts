import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SocketLike } from '../src/index.js';
import type { Ending } from '../src/core/link.js';
import type { Pushed } from '../src/core/sync.js';
import type { Dial } from '../src/transport/channel.js';
import { dialWebSocket } from '../src/transport/websocket.js';

/** A WebSocket whose server is the test. */
class FakeSocket implements SocketLike {
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  closed = false;

  constructor(
    readonly url: string,
    readonly protocols: string[],
    private readonly answer: (socket: FakeSocket, frame: { op: number; seq: number }) => void,
  ) {
    queueMicrotask(() => this.onopen?.());
  }

  send(data: string): void {
    const frame = JSON.parse(data) as { op: number; seq: number };
    queueMicrotask(() => this.answer(this, frame));
  }

  say(frame: object | string): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  close(): void {
    this.closed = true;
  }
}

function dialTo(answer: (socket: FakeSocket, frame: { op: number; seq: number }) => void) {
  const pushed: Pushed[] = [];
  const endings: Ending[] = [];
  let socket: FakeSocket | undefined;
  const d: Dial = {
    base: 'https://chat.example.com',
    token: 'hyd_x',
    signal: new AbortController().signal,
    WebSocket: class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, answer);
        socket = this;
      }
    },
    events: {
      resume: () => ({ key: '', version: '0' }),
      pushed: async (p) => void pushed.push(p),
      signal: () => undefined,
      ended: (e) => void endings.push(e),
    },
  };
  return { dialed: dialWebSocket(d), pushed, endings, socket: () => socket! };
}

const session = { user: '42', ticket: 'hya_y', timeMs: '1700000000000', hints: { maxFrame: 1000 } };
const authReply = { op: 1_000_000_003, body: session };

test('a link that ends together with the answer to Auth is none', async () => {
  const { dialed, endings, socket } = dialTo((s, { seq }) => {
    s.say({ ...authReply, seq });
    s.onclose?.();
  });
  await assert.rejects(dialed, { code: 'Network' });
  assert.deepEqual(endings, []);
  assert.equal(socket().closed, true);
});

test('a link brings pushes and answers, and says once how it ended', async () => {
  const { dialed, pushed, endings, socket } = dialTo((s, { op, seq }) => {
    if (op === 3) s.say({ ...authReply, seq });
    else if (op === 5) s.say({ op: 1_000_000_000, seq, body: { code: 'BUSY', message: 'busy', retryAfterMs: 70 } });
  });
  const link = await dialed;
  assert.equal(socket().url, 'wss://chat.example.com/v1/link');
  assert.deepEqual(socket().protocols, ['hongyan.v1.json']);
  assert.equal(link.session.timeMs, 1_700_000_000_000);
  await assert.rejects(link.request('Devices', {}), { code: 'BUSY', retryAfterMs: 70 });
  socket().say({ op: 30, seq: 0, body: { version: '9007199254740993', previous: '9007199254740992', key: 'AQID' } });
  assert.deepEqual(pushed, [{ version: '9007199254740993', previous: '9007199254740992', changes: [], key: 'AQID' }]);
  socket().say({ op: 77, seq: 5, body: {} });
  const unanswered = link.request('Sync', {});
  socket().say({ op: 31, seq: 0, body: { reason: 'DRAINING', message: 'restarting', reconnectAfterMs: 2000 } });
  socket().onclose?.();
  await assert.rejects(unanswered, { code: 'UNAVAILABLE' });
  assert.equal(endings.length, 1);
  assert.equal(endings[0]!.reconnectAfterMs, 2000);
  await assert.rejects(link.request('Devices', {}), { code: 'Network' });
});

test('what cannot be read ends a link, and another try is made slowly', async () => {
  for (const text of ['{', 'null', '{"op":30,"seq":0,"body":{"version":[]}}', '{"op":31,"seq":0,"body":7}']) {
    const { dialed, endings, socket } = dialTo((s, { seq }) => s.say({ ...authReply, seq }));
    await dialed;
    socket().say(text);
    assert.deepEqual(endings.map((e) => e.slowly), [true], text);
    assert.equal(socket().closed, true);
  }
});

test('a request that cannot be sent is refused at once, and the link goes on', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: number[] = [];
  const { dialed, endings } = dialTo((s, { op, seq }) => {
    asked.push(op);
    if (op === 3) s.say({ ...authReply, seq });
    else s.say({ op: op + 1_000_000_000, seq });
  });
  const link = await dialed;
  const rename = (displayName: string) => link.request('SetProfile', { displayName });
  await assert.rejects(link.request('Ack', { key: 'a string' as never }), { code: 'INVALID', message: /^the Ack / });
  await assert.rejects(rename(7n as never), { code: 'INVALID', message: /BigInt/ });
  await assert.rejects(rename('雁'.repeat(333)), { code: 'TOO_LARGE', message: /1000$/ });
  await rename('x'.repeat(900));
  assert.equal(asked.length, 2);
  t.mock.timers.tick(60_000);
  assert.deepEqual(endings, []);
  await link.request('Ack', {});
});

test('a server that is full says when to come back, also before it knows who is there', async () => {
  const { dialed } = dialTo((s) => s.say({ op: 31, seq: 0, body: { reason: 'OVERLOADED', reconnectAfterMs: 60_000 } }));
  await assert.rejects(dialed, { code: 'UNAVAILABLE', retryAfterMs: 60_000 });
});

test('a link that another has replaced ends when its requests are answered', async () => {
  const { dialed, socket } = dialTo((s, { op, seq }) => {
    if (op === 3) s.say({ ...authReply, seq });
  });
  const link = await dialed;
  const one = link.request('Devices', {});
  const two = link.request('Devices', {});
  const retired = link.retire();
  socket().say({ op: 1_000_000_000, seq: 3, body: { code: 'BUSY', message: 'busy' } });
  await assert.rejects(two, { code: 'BUSY' });
  assert.equal(socket().closed, false);
  socket().say({ op: 1_000_000_000, seq: 2, body: { code: 'BUSY', message: 'busy' } });
  await assert.rejects(one, { code: 'BUSY' });
  await retired;
  assert.equal(socket().closed, true);
});
