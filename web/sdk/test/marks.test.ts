import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Applier } from '../src/apply.js';
import { Dialing } from '../src/dial.js';
import { initialSyncState } from '../src/core/sync.js';
import type { Tell } from '../src/engine.js';
import { MemoryStorage } from '../src/index.js';
import { Leader } from '../src/leader.js';
import { Model } from '../src/model.js';
import type { Batch } from '../src/storage/storage.js';
import type { Message } from '../src/wire/types.js';
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

test('what comes late and belongs above a message of mine that I have read is not unread', async () => {
  const [me, other, conversation] = ['2', '1', 'd:1:2'];
  const model = new Model();
  const storage = new MemoryStorage();
  const tell: Tell = (kind, what) => {
    if (kind === 'wrote') model.apply((what as { writes: Batch['writes'] }).writes);
  };
  const leader = new Leader(model, storage, new Dialing(() => [], {}), tell, async () => []);
  // Mine was acknowledged as the third; the log has come no farther than the first.
  const record = { ...model.unknown(conversation), last: '1', read: '1', sent: '3' };
  model.apply([{ table: 'conversations', key: conversation, value: record }]);
  await leader.markRead(conversation, '3');

  const message: Message = {
    id: '20', conversation, ordinal: '2', from: other, fromName: 'alice', timeMs: 1, clientId: new Uint8Array(16), state: 'PRESENT',
  };
  const applied = await new Applier(model, storage, me).commit({
    do: 'commit', previous: '0', state: initialSyncState, changes: [{ version: '9', message }], conversations: [], derive: true, backfilled: false,
  });
  model.apply(applied.writes);
  assert.equal(model.conversations.get(conversation)!.unread, 0);
  await leader.close();
});
