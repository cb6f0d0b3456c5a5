import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, MemoryStorage, open, type Transport } from '../src/index.js';
import { assertAsOnServer, everything, heard, inStep, nodeOptions, register } from './clients.js';
import { Server, until } from './server.js';

let server: Server;
const clients: Client[] = [];

before(async () => {
  server = await Server.start();
});

after(async () => {
  for (const c of clients) await c.close();
  await server.remove();
});

for (const transport of ['websocket', 'sse', 'longpoll'] as Transport[]) {
  test(`two clients chat by ${transport}`, async () => {
    const alice = await register(server.url, `alice.${transport}`, { transports: [transport] });
    const bob = await register(server.url, `bob.${transport}`, { transports: [transport] });
    clients.push(alice, bob);
    assert.equal(alice.connection.transport, transport);
    const bobHears = heard(bob);
    const sent = await alice.send({ name: bob.me!.name }, { text: 'hello 雁' }).acknowledged;
    await until('bob hears', () => bobHears.length === 1);
    assert.deepEqual(bobHears, ['hello 雁']);
    const c = bob.conversations.get(sent.conversation);
    assert.equal(c?.unread, 1);
    assert.equal(c?.title, alice.me!.name);
    const [mine] = await everything(alice, sent.conversation);
    assert.equal(mine!.id, sent.id);
    assert.equal(mine!.own, true);
    assert.equal(alice.outbox(sent.conversation).length, 0);
    bob.markRead(sent.conversation, '1');
    await until('alice sees it read', () => alice.conversations.get(sent.conversation)?.peerRead === '1');
    assert.equal(bob.conversations.get(sent.conversation)?.unread, 0);
    const texts = Array.from({ length: 30 }, (_, i) => `m${i}`);
    await Promise.all(texts.map((text) => bob.send({ conversation: sent.conversation }, { text }).acknowledged));
    await until('alice has all', () => alice.conversations.get(sent.conversation)?.last === '31');
    const all = await everything(alice, sent.conversation);
    assert.deepEqual(all.map((m) => m.content?.text), ['hello 雁', ...texts]);
    assert.equal(alice.conversations.get(sent.conversation)?.unread, 30);
    await bob.recall(sent.conversation, '2');
    await until('alice sees it recalled', async () => (await everything(alice, sent.conversation))[1]!.state === 'RECALLED');
    await until('the count has gone down', () => alice.conversations.get(sent.conversation)?.unread === 29);
    await inStep(alice);
  });
}

test('a typing signal arrives by WebSocket and by events', async () => {
  const [alice, bob] = clients as [Client, Client];
  const sse = clients[2]!;
  const typed: string[] = [];
  bob.on('typing', (t) => typed.push(t.user));
  sse.on('typing', (t) => typed.push(t.user));
  const { conversation } = await alice.send({ name: sse.me!.name }, { text: 'hi' }).acknowledged;
  alice.typing([...bob.conversations.keys()][0]!);
  alice.typing(conversation);
  await until('both see it', () => typed.length === 2);
  assert.deepEqual(typed, [alice.me!.user, alice.me!.user]);
});

test('a login by code', async () => {
  const alice = clients[0]!;
  const other = await open({ url: server.url, transports: ['longpoll'] });
  clients.push(other);
  const states: string[] = [];
  const { code, url, done } = await other.loginByCode({ onState: (s) => states.push(s.state) });
  assert.equal(url, `${server.url}/#/login/${code}`);
  const asking = await alice.readLogin(code);
  assert.equal(asking.device.class, 'CLI');
  await until('it says so', () => states.length === 1);
  await alice.answerLogin(code, true);
  const me = await done;
  assert.equal(me.user, alice.me!.user);
  assert.notEqual(me.device, alice.me!.device);
  await inStep(other);
  assert.equal(other.conversations.size, alice.conversations.size);
});

test('a search finds messages by their words', async () => {
  const alice = clients[0]!;
  const found = await alice.search({ text: 'HELLO' });
  assert.deepEqual(found.messages.map((m) => m.content?.text), ['hello 雁']);
  assert.equal(found.continue, undefined);
});

test('a refusal is an error with the code of the server', async () => {
  const alice = clients[0]!;
  await assert.rejects(alice.setPassword('wrong', 'long-enough'), { name: 'HongyanError', code: 'BAD_CREDENTIALS' });
  await assert.rejects(alice.send({ name: 'nobody.there' }, { text: 'x' }).acknowledged, { code: 'NOT_FOUND' });
});

test('a new device is brought what was there before it, and none of it is news', async () => {
  const alice = clients[0]!;
  const conversations: string[] = [];
  for (let g = 0; g < 60; g++) conversations.push((await alice.createGroup({ title: `group ${g}` })).conversation);
  const all = conversations.flatMap((conversation, i) =>
    Array.from({ length: i === 0 ? 250 : 2 }, (_, n) => alice.send({ conversation }, { text: `${i} ${n}` }).acknowledged),
  );
  await Promise.all(all);
  const fresh = await open({ url: server.url, ...nodeOptions });
  clients.push(fresh);
  const deafen = fresh.on('message', () => assert.fail('it is old'));
  await fresh.login({ name: alice.me!.name, password: `${alice.me!.name}-secret` });
  await inStep(fresh);
  await inStep(alice);
  assert.deepEqual([...fresh.conversations.keys()].sort(), [...alice.conversations.keys()].sort());
  for (const conversation of conversations) {
    const there = await everything(fresh, conversation);
    assert.deepEqual(there.map((m) => m.id), (await everything(alice, conversation)).map((m) => m.id));
    assert.deepEqual(fresh.conversations.get(conversation)?.lastMessage?.id, there.at(-1)!.id);
    assert.equal(fresh.conversations.get(conversation)?.unread, 0);
  }
  assert.equal(fresh.groups.size, alice.groups.size);
  assert.equal(fresh.me?.displayName, alice.me?.displayName);
  deafen();
});

test('what a client works out is what the server says', async () => {
  const [alice, bob] = clients as [Client, Client];
  const group = await alice.createGroup({ title: 'geese', users: [bob.me!.user] });
  const conversation = group.conversation;
  await until('bob is in', () => bob.conversations.has(conversation));
  for (let round = 0; round < 40; round++) {
    const [from, to] = round % 3 === 0 ? [bob, alice] : [alice, bob];
    const { ordinal } = await from.send({ conversation }, { text: `round ${round}` }).acknowledged;
    if (round % 5 === 0) await from.recall(conversation, ordinal);
    if (round % 7 === 0) to.markRead(conversation, ordinal);
    if (round % 11 === 0) await to.remove(conversation, [ordinal]);
    if (round === 20) await to.clearHistory(conversation, ordinal);
    if (round === 25) await to.setConversation(conversation, { pinned: true, muted: true });
    if (round === 30) await alice.setGroup(group.id, { title: 'wild geese' });
    if (round === 35) await to.setConversation(conversation, { hidden: true });
  }
  for (const c of [alice, bob]) {
    await until('all marks are told', async () => {
      await inStep(c);
      return assertAsOnServer(c).then(() => true, () => false);
    });
    await assertAsOnServer(c);
  }
  assert.equal(bob.groups.get(group.id)?.title, 'wild geese');
});

test('what the store lacks comes from the history of the server', async () => {
  const storage = new MemoryStorage();
  const options = { url: server.url, ...nodeOptions, storage };
  const writer = await register(server.url, 'writer', options);
  const { conversation } = await writer.createGroup({ title: 'long' });
  const count = 450;
  await Promise.all(Array.from({ length: count }, (_, n) => writer.send({ conversation }, { text: `${n}` }).acknowledged));
  const last = Number(writer.conversations.get(conversation)!.last);
  await writer.remove(conversation, ['3', '300']);
  await inStep(writer);
  await until('they are removed', async () => (await everything(writer, conversation)).length === last - 2);
  const before = await everything(writer, conversation);
  await writer.close();
  for (const table of ['messages', 'coverage'] as const) {
    await storage.write({ writes: [{ table, from: '', to: '\uffff' }] });
  }
  const again = await open(options);
  clients.push(again);
  // In the middle first, so that both sides are missing.
  const middle = await again.messages(conversation, { from: '190', to: '310' });
  assert.deepEqual(middle.map((m) => m.id), before.filter((m) => +m.ordinal >= 190 && +m.ordinal <= 310).map((m) => m.id));
  assert.deepEqual((await everything(again, conversation)).map((m) => m.id), before.map((m) => m.id));
  assert.equal(again.cachedMessages(conversation, { from: '1', to: '200' }).length, 199);
});
