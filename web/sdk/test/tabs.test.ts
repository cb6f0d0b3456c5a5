import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, openIndexedDb } from '../src/index.js';
import { openOn } from '../src/open.js';
import type { TabSystem } from '../src/tabs.js';
import { everything, heard, inStep, nodeOptions, register } from './clients.js';
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

/** A lock that is held by one at a time, in the order in which they ask, as of Web Locks. */
class Lock {
  private tail: Promise<unknown> = Promise.resolve();
  holders = 0;

  readonly request = (_name: string, o: { signal: AbortSignal }, lead: () => Promise<void>): Promise<void> => {
    const turn = this.tail.then(async () => {
      if (o.signal.aborted) return;
      assert.equal(++this.holders, 1, 'only one leads');
      await lead();
      this.holders--;
    });
    this.tail = turn;
    return turn;
  };
}

test('tabs share a connection and a store, and pass the lead on', async () => {
  const lock = new Lock();
  const system: TabSystem = {
    locks: lock as unknown as TabSystem['locks'],
    channel: (name) => new BroadcastChannel(name),
  };
  const tab = async () => {
    const c = await openOn(server.url, await openIndexedDb('tabs'), system, nodeOptions);
    clients.push(c);
    return c;
  };
  const first = await tab();
  const second = await tab();
  const peer = await register(server.url, 'peer');
  clients.push(peer);

  await second.register({ name: 'tabby', password: 'tabby-secret' });
  assert.equal(second.me?.name, 'tabby');
  await until('the other tab knows', () => first.me?.name === 'tabby');
  await inStep(first);
  await inStep(second);
  const { devices } = await peer.request('Devices', {});
  assert.equal(devices.length, 1);

  // What one tab sends the other shows, and both hear what comes.
  const [hear1, hear2] = [heard(first), heard(second)];
  const { conversation } = await second.send({ name: 'peer' }, { text: 'from the second' }).acknowledged;
  await until('the first shows it', () => first.conversations.get(conversation)?.last === '1');
  await peer.send({ conversation }, { text: 'answer' }).acknowledged;
  await until('both hear', () => hear1.length === 1 && hear2.length === 1);
  second.setDraft(conversation, 'half a sen');
  await until('the first has the draft', () => first.conversations.get(conversation)?.draft === 'half a sen');
  await assert.rejects(second.send({ name: 'nobody.there' }, { text: 'x' }).acknowledged, { code: 'NOT_FOUND' });

  // A tab that opens later has all of it at once.
  const third = await tab();
  assert.equal(third.me?.name, 'tabby');
  assert.equal(third.conversations.get(conversation)?.last, '2');
  assert.deepEqual((await everything(third, conversation)).map((m) => m.content?.text), ['from the second', 'answer']);

  // The lead passes on with messages on their way; none is lost or doubled.
  const texts = Array.from({ length: 20 }, (_, i) => `n${i}`);
  const acknowledged = texts.map((text) => second.send({ conversation }, { text }).acknowledged);
  await first.close();
  await Promise.all(acknowledged);
  await until('the third has all', () => third.conversations.get(conversation)?.last === '22');
  assert.deepEqual((await everything(third, conversation)).map((m) => m.content?.text), ['from the second', 'answer', ...texts]);
  await until('nothing waits', () => third.outbox(conversation).length === 0 && second.outbox(conversation).length === 0);
  await inStep(second);
  await inStep(third);

  await third.logout();
  await until('all tabs are logged out', () => second.me === null && third.me === null);
  assert.equal(second.conversations.size, 0);
  await until('the second says so', () => second.connection.phase === 'loggedout');
});
