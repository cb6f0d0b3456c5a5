import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Applier } from '../src/apply.js';
import { Dialing } from '../src/dial.js';
import { type Commit, initialSyncState } from '../src/core/sync.js';
import type { Tell } from '../src/engine.js';
import { type ChangeEvent, type Client, type ConversationState, MemoryStorage, open, type Options } from '../src/index.js';
import { Leader } from '../src/leader.js';
import { Model } from '../src/model.js';
import { type Batch, messageKey } from '../src/storage/storage.js';
import type { Change, Contact, Message, Profile } from '../src/wire/types.js';
import { gate, heard, inStep, nodeOptions, register, watching } from './clients.js';
import { Server, sleep, until } from './server.js';

/** A storage whose next write that touches a conversation can be held up. */
class SlowStorage extends MemoryStorage {
  private holding = false;
  private release: (() => void) | undefined;

  hold(): void {
    this.holding = true;
  }

  get held(): boolean {
    return this.release !== undefined;
  }

  letGo(): void {
    this.release!();
    this.release = undefined;
  }

  override async write(batch: Batch): Promise<void> {
    if (this.holding && batch.writes.some((w) => w.table === 'conversations')) {
      this.holding = false;
      await new Promise<void>((resolve) => (this.release = resolve));
    }
    await super.write(batch);
  }
}

test('a read mark that is set while a message is being stored does not take the message back', async (t) => {
  const server = await Server.start();
  t.after(() => server.remove());
  const storage = new SlowStorage();
  const [alice, bob] = [await register(server.url, 'alice'), await register(server.url, 'bob', { storage })];
  t.after(() => Promise.all([alice.close(), bob.close()]));
  const { conversation } = await alice.send({ name: 'bob' }, { text: 'one' }).acknowledged;
  await until('bob has it', () => bob.conversations.get(conversation)?.last === '1');

  const lasts: number[] = [];
  bob.on('change', () => lasts.push(Number(bob.conversations.get(conversation)?.last)));
  storage.hold();
  const sending = bob.send({ conversation }, { text: 'two' });
  await until('it is being stored', () => storage.held);
  bob.markRead(conversation, '1');
  storage.letGo();
  await sending.acknowledged;
  await until('the mark is set', () => bob.conversations.get(conversation)?.read === '1');
  assert.deepEqual(lasts, lasts.toSorted((a, b) => a - b));
  assert.equal(lasts.at(-1), 2);
});

const me = '2';
const other = '1';
const conversation = 'd:1:2';

/** A model and a storage that commits are applied to, as an engine does. */
class Device {
  readonly model = new Model();
  readonly storage = new MemoryStorage();

  constructor() {
    this.model.apply([{ table: 'meta', key: 'session', value: { user: me } }]);
  }

  async commit(c: Pick<Commit, 'changes'> & Partial<Commit>): Promise<ChangeEvent> {
    const rest = { do: 'commit', previous: '0', state: initialSyncState, conversations: [], derive: false, backfilled: false } as const;
    const { writes } = await new Applier(this.model, this.storage, me).commit({ ...rest, ...c });
    await this.storage.write({ writes });
    return this.model.apply(writes);
  }

  get shown(): ConversationState {
    return this.model.conversations.get(conversation)!;
  }
}

function message(ordinal: string): Change {
  const m: Message = {
    id: `1${ordinal}`, conversation: conversation, ordinal, from: other, fromName: 'alice', timeMs: 1, clientId: new Uint8Array(16), state: 'PRESENT',
  };
  return { version: ordinal, message: m };
}

function removal(...ordinals: string[]): Change {
  return { version: '9', removal: { conversation: conversation, ordinals } };
}

test('what comes late and belongs above a message of mine that I have read is not unread', async () => {
  const d = new Device();
  const tell: Tell = (kind, what) => {
    if (kind === 'wrote') d.model.apply((what as { writes: Batch['writes'] }).writes);
  };
  const leader = new Leader(d.model, d.storage, new Dialing(() => [], {}), tell, async () => []);
  // Mine was acknowledged as the third; the log has come no farther than the first.
  const record = { ...d.model.unknown(conversation), last: '1', read: '1', sent: '3' };
  d.model.apply([{ table: 'conversations', key: conversation, value: record }]);
  await leader.markRead(conversation, '3');
  await d.commit({ changes: [message('2')], derive: true });
  assert.equal(d.shown.unread, 0);
  await leader.close();
});

test('a conversation that comes with its messages has the newest of them as its last', async () => {
  const state = { ...new Model().unknown(conversation), last: '3' };
  const cases: [what: string, changes: Change[], last: string | undefined][] = [
    ['all are there', [message('1'), message('2'), message('3')], '3'],
    ['the newest was removed', [message('1'), message('2'), message('3'), removal('3')], '2'],
    ['all were removed', [message('1'), removal('1')], undefined],
  ];
  for (const backfilled of [true, false]) {
    for (const [what, changes, last] of cases) {
      const d = new Device();
      await d.commit({ changes, conversations: [state], backfilled });
      assert.equal(d.shown.lastMessage?.ordinal, last, what);
    }
  }
});

test('when the last message is removed, the one before it is the last, although it has come only now', async () => {
  const d = new Device();
  await d.commit({ changes: [message('1')], conversations: [{ ...d.model.unknown(conversation), last: '1' }] });
  await d.commit({ changes: [message('2'), message('3'), removal('3')] });
  assert.equal(d.shown.lastMessage?.ordinal, '2');
  await d.commit({ changes: [removal('2')] });
  assert.equal(d.shown.lastMessage?.ordinal, '1');
});

test('a profile is kept once, and whoever has it is told of another', async () => {
  const d = new Device();
  const profile = (displayName: string): Profile => ({ user: other, name: 'alice', displayName, avatar: '', bio: '' });
  const state = { ...d.model.unknown(conversation), last: '1' };
  await d.commit({ changes: [message('1')], conversations: [{ ...state, peer: profile('Alice') }] });
  assert.equal(d.model.profileOf(other)?.displayName, 'Alice');
  assert.equal(d.model.userOf('alice'), other);
  assert.equal(d.model.profiles.size, 0);

  assert.deepEqual([...(await d.commit({ changes: [message('2')], derive: true })).profiles], []);
  const contact: Contact = { profile: profile('Alicia'), state: 'ACCEPTED', remark: '', blocked: false, note: '', updatedMs: 1 };
  assert.deepEqual([...(await d.commit({ changes: [{ version: '3', contact }] })).profiles], [other]);
  assert.equal(d.model.profileOf(other)?.displayName, 'Alicia');
  assert.equal(d.shown.peer?.displayName, 'Alicia');

  // One that was looked up as well does not stay behind.
  d.model.apply([{ table: 'profiles', key: other, value: profile('Alicia') }]);
  await d.commit({ changes: [], conversations: [{ ...state, peer: profile('Ali') }] });
  assert.equal(d.model.profileOf(other)?.displayName, 'Ali');
});

/** A storage whose reads of messages can be held up when they have been made. */
class SlowReads extends MemoryStorage {
  gate: Promise<void> | undefined;

  override async range(...args: Parameters<MemoryStorage['range']>): Promise<unknown[]> {
    const found = await super.range(...args);
    await this.gate;
    return found;
  }
}

for (const act of ['recall', 'remove'] as const) {
  /** Has a message taken back that bob, with nothing in memory, is about to show. */
  const takeBack = async (server: Server, storage: MemoryStorage, options: Options, begin: (bob: Client) => Promise<() => void>) => {
    const alice = await register(server.url, 'alice');
    const before = await register(server.url, 'bob', { ...options, storage });
    const { conversation } = await alice.send({ name: 'bob' }, { text: 'oops' }).acknowledged;
    await alice.send({ conversation }, { text: 'two' }).acknowledged;
    await until('bob has both', () => before.conversations.get(conversation)?.last === '2');
    await before.close();
    if (options.transports !== undefined) {
      const writes = (['messages', 'coverage'] as const).map((table) => ({ table, from: '', to: '\uffff' }));
      await storage.write({ writes });
    }
    const bob = await open({ url: server.url, ...nodeOptions, ...options, storage });
    try {
      await inStep(bob);
      const changes: string[] = [];
      bob.on('change', (c) => changes.push(...c.messages.keys()));
      const letGo = await begin(bob);
      const reading = bob.messages(conversation, { from: '1', to: '1' });
      await sleep(50);
      if (act === 'recall') await alice.recall(conversation, '1');
      else await bob.remove(conversation, ['1']);
      // Of what is neither shown nor stored nothing is told.
      const held = await storage.get('messages', messageKey(conversation, '1'));
      if (held !== undefined || act === 'remove') await until('it is applied', () => changes.length > 0);
      else await sleep(300);
      letGo();
      const shown = await reading;
      const after = await bob.messages(conversation, { from: '1', to: '1' });
      for (const [m] of [shown, after]) assert.equal(m?.state, act === 'recall' ? 'RECALLED' : undefined);
    } finally {
      await bob.close();
      await alice.close();
    }
  };

  test(`a message that was read just before its ${act} is not shown as before`, async (t) => {
    const server = await Server.start();
    t.after(() => server.remove());
    const storage = new SlowReads();
    await takeBack(server, storage, {}, async () => {
      const g = gate();
      storage.gate = g.closed;
      return () => {
        storage.gate = undefined;
        g.open();
      };
    });
  });

  test(`a page of history from just before a ${act} does not undo it`, async (t) => {
    const server = await Server.start();
    const { fetch } = globalThis;
    t.after(() => {
      globalThis.fetch = fetch;
      return server.remove();
    });
    await takeBack(server, new MemoryStorage(), { transports: ['sse'] }, async () => {
      const g = gate();
      globalThis.fetch = async (...args) => {
        const answer = await fetch(...args);
        if (String(args[0]).endsWith('/v1/history')) await g.closed;
        return answer;
      };
      return g.open;
    });
  });
}

test('the state of a new conversation is asked for again when the connection was lost over it', async (t) => {
  const server = await Server.start();
  t.after(() => server.remove());
  let lose: (() => void) | undefined;
  // Loses the first question for the state of conversations, and the connection when it is told to.
  const WebSocket = watching(({ op }, socket) => {
    if (lose !== undefined || op !== 24) return false;
    lose = () => socket.close();
    return true;
  });
  const alice = await register(server.url, 'alice');
  const bob = await register(server.url, 'bob', { WebSocket, transports: ['websocket'] });
  t.after(() => Promise.all([alice.close(), bob.close()]));
  const { conversation } = await alice.send({ name: 'bob' }, { text: 'hello' }).acknowledged;
  await until('bob asks', () => lose !== undefined);
  await inStep(bob);
  assert.equal(bob.conversations.get(conversation)?.peer, undefined);
  lose!();
  await until('bob knows who talks to him', () => bob.conversations.get(conversation)?.peer?.name === 'alice');
});

test('messages to a name stay in order when it becomes known whose it is', async (t) => {
  const server = await Server.start();
  t.after(() => server.remove());
  const [alice, bob] = [await register(server.url, 'alice'), await register(server.url, 'bob')];
  t.after(() => Promise.all([alice.close(), bob.close()]));
  const hears = heard(bob);
  const sent = Array.from({ length: 40 }, (_, n) => alice.send({ name: 'bob' }, { text: `${n}` }).acknowledged);
  const { conversation } = await sent[0]!;
  // Before and after the state of the conversation has told whose it is.
  const more = (n: number) => {
    sent.push(alice.send({ conversation }, { text: `${n}` }).acknowledged);
    sent.push(alice.send({ name: 'bob' }, { text: `${n + 1}` }).acknowledged);
  };
  more(40);
  await until('the account is known', () => alice.conversations.get(conversation)?.peer?.name === 'bob');
  more(42);
  await Promise.all(sent);
  await until('bob has all', () => hears.length === 44);
  assert.deepEqual(hears, Array.from({ length: 44 }, (_, n) => `${n}`));
});
