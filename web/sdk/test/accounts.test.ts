import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MemoryStorage, open } from '../src/index.js';
import { heard, inStep, nodeOptions, register } from './clients.js';
import { Proxy } from './proxy.js';
import { Server, sleep, until } from './server.js';

let server: Server;

before(async () => {
  server = await Server.start();
});

after(() => server.remove());

test('a client nobody has logged in to says so, and tries nothing', async () => {
  const alice = await open({ url: server.url, ...nodeOptions });
  try {
    const phases = new Set<string>();
    alice.on('connection', (c) => phases.add(c.phase));
    await sleep(100);
    assert.equal(alice.connection.phase, 'loggedout');
    assert.deepEqual([...phases], ['loggedout']);
    await alice.register({ name: 'alice', password: 'alice-secret' });
    await inStep(alice);
    await alice.logout();
    phases.clear();
    alice.reconnectNow();
    alice.networkChanged();
    await assert.rejects(alice.request('Devices', {}), { code: 'UNAUTHENTICATED' });
    await sleep(100);
    assert.equal(alice.connection.phase, 'loggedout');
    assert.deepEqual([...phases], []);
  } finally {
    await alice.close();
  }
});

for (const transport of ['sse', 'longpoll'] as const) {
  test(`a logout by ${transport} whose answer the end of the connection overtakes is one all the same`, async (t) => {
    const storage = new MemoryStorage();
    const c = await register(server.url, `over.${transport}`, { storage, transports: [transport] });
    t.after(() => c.close());
    const { conversation } = await c.send({ name: c.me!.name }, { text: 'a secret' }).acknowledged;
    await until('it is stored', () => c.conversations.get(conversation)?.last === '1');
    const { fetch } = globalThis;
    t.mock.method(globalThis, 'fetch', async (url: string, init: RequestInit) => {
      const answer = await fetch(url, init);
      if (url.endsWith('/v1/logout') && answer.ok) await sleep(200);
      init.signal?.throwIfAborted();
      return answer;
    });
    await c.logout();
    assert.equal(c.connection.phase, 'loggedout');
    assert.equal(c.connection.problem, undefined);
    assert.deepEqual(await storage.all('messages'), []);
    assert.equal(c.me, null);
  });
}

test('what is sent while nobody is logged in fails, and is not sent as whoever logs in next', async () => {
  const anna = await register(server.url, 'anna');
  const ben = await register(server.url, 'ben');
  await (await register(server.url, 'carl')).close();
  const hears = heard(ben);
  try {
    await anna.logout();
    await assert.rejects(anna.send({ name: 'ben' }, { text: 'a secret' }).acknowledged, { code: 'UNAUTHENTICATED' });
    await anna.login({ name: 'carl', password: 'carl-secret' });
    await anna.send({ name: 'ben' }, { text: 'from carl' }).acknowledged;
    await until('ben hears', () => hears.length > 0);
    assert.deepEqual(hears, ['from carl']);
  } finally {
    await anna.close();
    await ben.close();
  }
});

test('what waits goes with the account that wrote it, and its promises are broken', async () => {
  const proxy = await Proxy.start(server.port);
  const storage = new MemoryStorage();
  const dora = await register(proxy.url, 'dora', { storage });
  const emil = await register(server.url, 'emil');
  const hears = heard(emil);
  try {
    const { conversation } = await emil.send({ name: 'dora' }, { text: 'one' }).acknowledged;
    await until('dora has it', () => dora.conversations.get(conversation)?.last === '1');
    proxy.cut();
    await until('dora is down', () => dora.connection.phase !== 'online');
    const unsent = dora.send({ conversation }, { text: 'from dora' }).acknowledged;
    const asked = dora.request('SetProfile', { displayName: 'Dora' });
    dora.markRead(conversation, '1');
    dora.setDraft(conversation, 'a secret');
    await dora.register({ name: 'fred', password: 'fred-secret' });
    await assert.rejects(unsent, { code: 'UNAUTHENTICATED' });
    await assert.rejects(asked, { code: 'UNAUTHENTICATED' });
    await inStep(dora);
    const small = (await storage.all('meta')).map(([key]) => key);
    assert.deepEqual(small.filter((key) => key.startsWith('read:')), []);
    for (const table of ['outbox', 'drafts', 'messages'] as const) assert.deepEqual(await storage.all(table), [], table);
    assert.equal((await emil.profiles({ names: ['fred'] }))[0]!.displayName, '');
    await dora.send({ name: 'emil' }, { text: 'from fred' }).acknowledged;
    await until('emil hears', () => hears.length > 0);
    assert.deepEqual(hears, ['from fred']);
  } finally {
    await dora.close();
    await emil.close();
    proxy.close();
  }
});

test('a client that is closed breaks the promises of what still waits', async () => {
  const proxy = await Proxy.start(server.port);
  const gina = await register(proxy.url, 'gina');
  try {
    proxy.close();
    await until('it is down', () => gina.connection.phase !== 'online');
    const unsent = gina.send({ name: 'emil' }, { text: 'x' }).acknowledged;
    await gina.close();
    await assert.rejects(unsent, { code: 'Closed' });
  } finally {
    await gina.close();
  }
});

test('profiles are asked for whatever became of those before', async () => {
  const users: string[] = [];
  for (const name of ['hal', 'ida']) {
    const c = await register(server.url, name);
    users.push(c.me!.user);
    await c.close();
  }
  const [hal, ida] = users as [string, string];
  const jon = await register(server.url, 'jon');
  try {
    assert.equal(jon.profileOf('12345'), undefined);
    await sleep(21); // the first question is on its way
    assert.equal(jon.profileOf(hal), undefined);
    await until('the second is known', () => jon.profileOf(hal)?.name === 'hal');
    await until('the third is known', () => jon.profileOf(ida)?.name === 'ida');
  } finally {
    await jon.close();
  }
});
