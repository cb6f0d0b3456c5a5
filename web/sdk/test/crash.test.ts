import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Transport } from '../src/index.js';
import { assertAsOnServer, everything, heard, inStep, nodeOptions, register } from './clients.js';
import { open } from '../src/index.js';
import { Server, sleep, until } from './server.js';

const servers: Server[] = [];
const folder = await mkdtemp(join(tmpdir(), 'hongyan-crash-'));

after(async () => {
  for (const s of servers) await s.remove();
  await rm(folder, { recursive: true });
});

for (const transport of ['websocket', 'sse', 'longpoll'] as Transport[]) {
  test(`nothing is lost or doubled when the server is killed mid-traffic: ${transport}`, async () => {
    const server = await Server.start();
    servers.push(server);
    const alice = await register(server.url, 'alice', { transports: [transport] });
    const bob = await register(server.url, 'bob', { transports: [transport] });
    try {
      const hears = heard(bob);
      const texts = Array.from({ length: 120 }, (_, i) => `t${i}`);
      const { conversation } = await alice.send({ name: 'bob' }, { text: 'first' }).acknowledged;
      let acknowledged = 0;
      const all = texts.map((text) => alice.send({ conversation }, { text }).acknowledged.then(() => acknowledged++));
      for (const enough of [20, 50, 80]) {
        await until(`${enough} are through`, () => acknowledged >= enough);
        await server.kill();
        await sleep(100);
        await server.run();
        // What a client does by itself within a minute at most.
        alice.reconnectNow();
        bob.reconnectNow();
      }
      await Promise.all(all);
      await until('bob has all', () => hears.length >= texts.length + 1, () => ({
        heard: hears.length,
        last: bob.conversations.get(conversation)?.last,
        connections: [alice.connection, bob.connection],
      }));
      await inStep(bob);
      assert.deepEqual(hears, ['first', ...texts]);
      for (const c of [alice, bob]) {
        await until('all is there', () => c.conversations.get(conversation)?.last === String(texts.length + 1));
        assert.deepEqual((await everything(c, conversation)).map((m) => m.content?.text), ['first', ...texts]);
        assert.equal(c.outbox(conversation).length, 0);
      }
      assert.equal(bob.conversations.get(conversation)?.unread, texts.length + 1);
      await assertAsOnServer(bob);
    } finally {
      await alice.close();
      await bob.close();
    }
  });
}

test('a client that is killed again and again sends everything once and in order', async () => {
  const server = await Server.start();
  servers.push(server);
  const bob = await register(server.url, 'bob');
  await (await register(server.url, 'counter')).close();
  const limit = 150;
  const counter = new URL('counter.js', import.meta.url).pathname;
  const args = [counter, server.url, join(folder, 'counter'), 'counter', 'bob', String(limit)];
  const hears = heard(bob);
  try {
    for (let kills = 0, done = false; !done; kills++) {
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdout.on('data', (d: Buffer) => (done ||= d.toString().includes('done')));
      const before = hears.length;
      if (kills < 5) {
        await until('some have come', () => hears.length > before + 3 * kills || child.exitCode !== null);
        child.kill('SIGKILL');
      }
      await ended;
      assert.ok(kills < 10, 'it ends when nobody kills it');
    }
    await until('all have come', () => hears.length >= limit);
    assert.deepEqual(hears, Array.from({ length: limit }, (_, n) => String(n)));
  } finally {
    await bob.close();
  }
});

test('another device of an account follows what the first does', async () => {
  const server = await Server.start();
  servers.push(server);
  const first = await register(server.url, 'alice');
  const bob = await register(server.url, 'bob');
  const second = await open({ url: server.url, ...nodeOptions });
  try {
    await second.login({ name: 'alice', password: 'alice-secret' });
    await inStep(second);
    const own: boolean[] = [];
    second.on('message', (m) => own.push(m.own));
    first.on('message', () => assert.fail('what a device sends itself is no news to it'));
    const { conversation } = await first.send({ name: 'bob' }, { text: 'hi' }).acknowledged;
    await until('the second device hears', () => own.length === 1);
    assert.deepEqual(own, [true]);
    await first.remove(conversation, ['1']);
    await until('it is gone there too', async () => (await everything(second, conversation)).length === 0);
    await first.setSetting('theme', new TextEncoder().encode('dark'));
    await until('the setting is shared', () => second.settings.has('theme'));
    await first.setConversation(conversation, { pinned: true });
    await until('it is pinned', () => second.conversations.get(conversation)?.pinned === true);
    await first.kick(second.me!.device);
    await until('the second device is logged out', () => second.me === null);
    await until('it says so', () => second.connection.phase === 'loggedout');
    assert.equal(second.connection.problem?.code, 'REVOKED');
    // Whoever logs in again goes on with what is stored.
    await second.login({ name: 'alice', password: 'alice-secret' });
    await inStep(second);
    assert.equal(second.conversations.get(conversation)?.pinned, true);
  } finally {
    for (const c of [first, bob, second]) await c.close();
  }
});
