import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, openIndexedDb } from '../src/index.js';
import { openOn } from '../src/open.js';
import type { Batch, Storage } from '../src/storage/storage.js';
import type { TabSystem } from '../src/tabs.js';
import { everything, gate, heard, inStep, nodeOptions, register } from './clients.js';
import { Server, sleep, until } from './server.js';

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

/** A browser of its own: opens tabs, each with a storage of its own on the same database. */
function browser(name: string): (wrap?: (s: Storage) => Storage) => Promise<Client> {
  const system: TabSystem = {
    locks: new Lock() as unknown as TabSystem['locks'],
    channel: () => new BroadcastChannel(name),
  };
  return async (wrap = (s) => s) => {
    const c = await openOn(server.url, wrap(await openIndexedDb(name)), system, nodeOptions);
    clients.push(c);
    return c;
  };
}

test('tabs share a connection and a store, and pass the lead on', async () => {
  const tab = browser('tabs');
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

/** Whether a batch takes a message out of the outbox, because the server has it. */
function drops(b: Batch): boolean {
  return b.writes.some((w) => w.table === 'outbox' && 'key' in w && w.value === undefined);
}

test('what a tab has sent is acknowledged to it although the leading tab closes while it stores that', async () => {
  const tab = browser('closing');
  const storing = gate();
  const first = await tab((s) => {
    const write = s.write.bind(s);
    s.write = async (b) => {
      if (drops(b)) {
        storing.open();
        await sleep(50);
      }
      await write(b);
    };
    return s;
  });
  const second = await tab();
  await second.register({ name: 'closing', password: 'closing-secret' });
  await inStep(first);
  const { acknowledged } = second.send({ name: 'peer' }, { text: 'x' });
  await storing.closed;
  await first.close();
  assert.equal((await acknowledged).ordinal, '1');
});

test('what a tab has sent is acknowledged to it although the leading tab dies before it says so', async () => {
  const tab = browser('dying');
  let dead = false;
  const grave = gate();
  const first = await tab((s) => {
    const write = s.write.bind(s);
    s.write = async (b) => {
      await write(b);
      dead ||= drops(b);
      if (dead) await grave.closed;
    };
    return s;
  });
  const second = await tab();
  await second.register({ name: 'dying', password: 'dying-secret' });
  await inStep(first);
  const { acknowledged } = second.send({ name: 'peer' }, { text: 'x' });
  await until('the first is dead', () => dead);
  const third = await browser('dying')(); // which has no lock to wait for
  assert.equal((await acknowledged).ordinal, '1');
  const { conversation } = await acknowledged;
  assert.equal((await everything(third, conversation)).length, 1);
  grave.open();
});

test('what a tab asks for as soon as it is open is done once', async () => {
  const tab = browser('once');
  const first = await tab();
  await first.register({ name: 'once', password: 'once-secret' });
  await inStep(first);
  const second = await tab();
  await second.request('CreateGroup', { title: 'geese' });
  await first.request('CreateGroup', { title: 'herons' });
  await until('both tabs have both', () => first.groups.size >= 2 && second.groups.size >= 2);
  assert.equal(first.groups.size, 2);
});

test('what cannot go to another tab is refused, and keeps nothing else from being done', async () => {
  const tab = browser('clone');
  const first = await tab();
  await tab();
  const third = await tab();
  await first.register({ name: 'clone', password: 'clone-secret' });
  await inStep(first);
  await until('the third knows', () => third.me !== null);
  const unfit = { text: 'x', now: () => 1 } as never;
  await assert.rejects(third.send({ name: 'peer' }, unfit).acknowledged, { code: 'INVALID' });
  const closing = first.close();
  const asked = third.request('Devices', {});
  await closing;
  assert.equal((await asked).devices.length, 1);
});
