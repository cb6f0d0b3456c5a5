import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Applier } from '../src/apply.js';
import { Dialing } from '../src/dial.js';
import { type Commit, initialSyncState } from '../src/core/sync.js';
import type { Tell } from '../src/engine.js';
import { type ChangeEvent, type ConversationState, MemoryStorage } from '../src/index.js';
import { Leader } from '../src/leader.js';
import { Model } from '../src/model.js';
import type { Batch } from '../src/storage/storage.js';
import type { Change, Contact, Message, Profile } from '../src/wire/types.js';
import { register } from './clients.js';
import { Server, until } from './server.js';

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
