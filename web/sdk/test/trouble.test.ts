import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HongyanError, MemoryStorage, open } from '../src/index.js';
import { type Batch, messageKey, tables } from '../src/storage/storage.js';
import { everything, inStep, nodeOptions, register, watching } from './clients.js';
import { Proxy } from './proxy.js';
import { Server, until } from './server.js';

let server: Server;

before(async () => {
  server = await Server.start();
});

after(() => server.remove());

/** Refuses to write what it is told to, as a full disk does. */
class FailingStorage extends MemoryStorage {
  fails: (b: Batch) => boolean = () => false;
  refusals = 0;

  override async write(batch: Batch): Promise<void> {
    if (this.fails(batch)) {
      this.refusals++;
      throw new HongyanError('Storage', 'the disk is full');
    }
    await super.write(batch);
  }
}

test('a storage that fails for a while is tried again, whatever else is written meanwhile', async () => {
  const storage = new FailingStorage();
  const alice = await register(server.url, 'alice', { storage });
  const bob = await register(server.url, 'bob');
  try {
    const { conversation } = await bob.send({ name: 'alice' }, { text: 'one' }).acknowledged;
    await until('the first is there', () => alice.conversations.get(conversation)?.last === '1');
    storage.fails = (b) => b.writes.some((w) => w.table === 'messages');
    await bob.send({ conversation }, { text: 'two' }).acknowledged;
    await until('the client says so', () => alice.connection.problem?.code === 'Storage');
    alice.setDraft(conversation, 'can be written');
    await until('it is tried again', () => storage.refusals >= 2);
    storage.fails = () => false;
    await until('the second is there', () => alice.conversations.get(conversation)?.last === '2');
    await inStep(alice);
    assert.deepEqual((await everything(alice, conversation)).map((m) => m.content?.text), ['one', 'two']);
    assert.equal(alice.conversations.get(conversation)?.draft, 'can be written');
  } finally {
    await alice.close();
    await bob.close();
  }
});

test('a login that cannot be stored breaks, and the client comes back', async () => {
  const storage = new FailingStorage();
  const carol = await register(server.url, 'carol', { storage });
  try {
    storage.fails = () => true;
    await assert.rejects(carol.login({ name: 'carol', password: 'carol-secret' }), { code: 'Storage' });
    assert.equal(carol.connection.phase, 'waiting');
    storage.fails = () => false;
    carol.reconnectNow();
    // The token that the login brought is lost, and the one before it is worth nothing any more.
    await until('it says so', () => carol.connection.phase === 'loggedout');
    await carol.login({ name: 'carol', password: 'carol-secret' });
    await inStep(carol);
  } finally {
    await carol.close();
  }
});

for (const transport of ['websocket', 'sse', 'longpoll'] as const) {
  test(`a logout that cannot be stored is one when it can: ${transport}`, async () => {
    const storage = new FailingStorage();
    const c = await register(server.url, `gone.${transport}`, { storage, transports: [transport] });
    try {
      storage.fails = (b) => b.writes.some((w) => 'from' in w);
      await assert.rejects(c.logout(), { code: 'Storage' });
      storage.fails = () => false;
      await until('nobody is logged in', () => c.connection.phase === 'loggedout');
      assert.equal(c.me, null);
    } finally {
      await c.close();
    }
  });
}

test('a message is sent although the stamp of its first attempt could not be stored at once, and the next after it', async () => {
  const storage = new FailingStorage();
  const dave = await register(server.url, 'dave', { storage });
  const erin = await register(server.url, 'erin');
  try {
    const { conversation } = await dave.send({ name: 'erin' }, { text: 'zero' }).acknowledged;
    let puts = 0;
    storage.fails = (b) => b.writes.some((w) => w.table === 'outbox' && 'value' in w && w.value !== undefined) && ++puts === 2;
    const sent = ['one', 'two'].map((text) => dave.send({ conversation }, { text }).acknowledged);
    await Promise.all(sent);
    assert.deepEqual((await everything(dave, conversation)).map((m) => m.content?.text), ['zero', 'one', 'two']);
  } finally {
    await dave.close();
    await erin.close();
  }
});

test('a store that somebody has emptied is noticed, and the client begins anew', async () => {
  const storage = new MemoryStorage();
  const frank = await register(server.url, 'frank', { storage });
  const grace = await register(server.url, 'grace');
  try {
    const { conversation } = await grace.send({ name: 'frank' }, { text: 'one' }).acknowledged;
    await until('the first is there, and nothing of it is under way any more', () => {
      const { last, peer } = frank.conversations.get(conversation) ?? {};
      return last === '1' && peer !== undefined;
    });
    await storage.write({ writes: tables.map((table) => ({ table, from: '', to: '\uffff' })) });
    frank.setDraft(conversation, 'written into the empty store');
    await grace.send({ conversation }, { text: 'two' }).acknowledged;
    await until('it says so', () => frank.connection.phase === 'loggedout');
    assert.equal(frank.me, null);
    assert.equal(frank.conversations.get(conversation)?.last ?? '0', '0');
  } finally {
    await frank.close();
    await grace.close();
  }
});

test('a clock that is set back keeps nobody offline', async () => {
  const proxy = await Proxy.start(server.port);
  const c = await register(proxy.url, 'clock');
  const real = Date.now;
  try {
    proxy.cut();
    await until('it is down', () => c.connection.phase !== 'online');
    Date.now = () => real() - 3_600_000;
    await inStep(c);
    const { conversation } = await c.send({ conversation: `d:${c.me!.user}:${c.me!.user}` }, { text: 'late' }).acknowledged;
    assert.equal(c.conversations.get(conversation)?.last, '1');
  } finally {
    Date.now = real;
    await c.close();
    proxy.close();
  }
});

test('messages that cannot be fetched break the promise, and what is stored of them is there all the same', async () => {
  const proxy = await Proxy.start(server.port);
  const storage = new MemoryStorage();
  const before = await register(server.url, 'henry', { storage });
  const me = { name: 'henry' };
  const { conversation } = await before.send(me, { text: 'one' }).acknowledged;
  for (const text of ['two', 'three']) await before.send(me, { text }).acknowledged;
  await inStep(before);
  await before.close();
  await storage.write({
    writes: [
      { table: 'messages', key: messageKey(conversation, '1') },
      { table: 'coverage', key: conversation, value: [['2', '3']] },
    ],
  });
  const henry = await open({ url: proxy.url, ...nodeOptions, storage, transports: ['longpoll'] });
  try {
    await inStep(henry);
    proxy.close();
    const all = { from: '1', to: '3' };
    await assert.rejects(henry.messages(conversation, all), { code: 'Network' });
    assert.deepEqual((await henry.storedMessages(conversation, all)).map((m) => m.content?.text), ['two', 'three']);
    assert.deepEqual((await henry.messages(conversation, { from: '2', to: '3' })).length, 2);
  } finally {
    await henry.close();
  }
});

test('that the server has lost data is no problem any more when a person has decided', async () => {
  let ahead = false;
  // Answers what is asked with a key as a server does that has lost what the key stands for.
  const WebSocket = watching(({ op, seq, body }, socket) => {
    if (!(ahead && op === 20 && body.key)) return false;
    const answer = { op: 1e9, seq, body: { code: 'KEY_AHEAD', message: 'the key is ahead' } };
    setTimeout(() => socket.onmessage?.({ data: JSON.stringify(answer) }));
    return true;
  });
  const proxy = await Proxy.start(server.port);
  const c = await register(proxy.url, 'ahead', { WebSocket, transports: ['websocket'] });
  try {
    ahead = true;
    proxy.cut();
    await until('it says so', () => c.connection.phase === 'online' && c.connection.problem?.code === 'KEY_AHEAD');
    ahead = false;
    await c.startOver();
    await inStep(c);
    assert.equal(c.connection.problem, undefined);
  } finally {
    await c.close();
    proxy.close();
  }
});
