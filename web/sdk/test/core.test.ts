import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Link } from '../src/core/link.js';
import { maxRefusals, Outbox, type OutboxAction, type OutboxItem, resendWindowMs } from '../src/core/outbox.js';
import { initialSyncState, Sync, type Page, type Pushed, type SyncAction, type SyncState } from '../src/core/sync.js';
import { HongyanError } from '../src/error.js';
import type { Change, Message } from '../src/wire/types.js';

/** Numbers that look random and are the same every time (mulberry32). */
function numbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const change = (n: number): Change => ({ version: String(n), message: { ordinal: String(n) } as Message });

/** A log of changes with versions that have gaps, and a store that checks every commit. */
class World {
  readonly versions: number[] = [];
  stored: SyncState = initialSyncState;
  got: string[] = [];
  acked = 0;

  constructor(private readonly random: () => number) {}

  grow(): void {
    this.versions.push((this.versions.at(-1) ?? 0) + 1 + Math.floor(this.random() * 3));
  }

  get head(): number {
    return this.versions.at(-1) ?? 0;
  }

  after(key: string): number[] {
    return this.versions.filter((v) => v > Number(key || '0'));
  }

  page(key: string, limit: number): Page {
    const all = this.after(key);
    const some = all.slice(0, limit);
    const version = String(some.at(-1) ?? Number(key || '0'));
    return { changes: some.map(change), conversations: [], key: version, version, more: some.length < all.length };
  }

  pushed(): Pushed {
    // The last few changes as they were announced at some time: of now, or of earlier, repeated and out of order.
    const end = Math.ceil(this.random() * this.versions.length);
    const begin = Math.max(0, end - Math.floor(this.random() * 4));
    const some = this.versions.slice(begin, end);
    const version = String(this.versions[end - 1] ?? 0);
    const inline = some.length > 0 && this.random() < 0.7;
    return {
      version,
      previous: String(this.versions[begin - 1] ?? 0),
      changes: inline ? some.map(change) : [],
      key: inline ? version : '',
    };
  }
}

/** Carries out the actions of one event; questions are returned. */
function carryOut(w: World, actions: SyncAction[]): SyncAction[] {
  const asked: SyncAction[] = [];
  for (const a of actions) {
    if (a.do === 'commit') {
      assert.equal(a.previous, w.stored.version, 'a commit continues what is stored');
      w.got.push(...a.changes.map((c) => c.version));
      w.stored = a.state;
    } else if (a.do === 'pull') {
      assert.equal(a.key, w.stored.key, 'only a stored key is presented');
      w.acked = Number(a.key || '0');
      asked.push(a);
    } else if (a.do === 'ack') {
      assert.equal(a.key, w.stored.key);
      w.acked = Number(a.key);
    }
  }
  return asked;
}

test('sync brings every change once and in order, whatever is lost, doubled or out of order', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = numbers(seed);
    const w = new World(random);
    let s = new Sync(w.stored, random);
    let now = 0;
    let asked: SyncAction[] = [];
    const run = (actions: SyncAction[]) => asked.push(...carryOut(w, actions));
    const step = () => {
      now += random() * 500;
      const what = random();
      if (what < 0.3) w.grow();
      else if (what < 0.5) run(s.notified(now, w.pushed()));
      else if (what < 0.75 && asked.length > 0) {
        const a = asked.shift()!;
        if (a.do === 'pull' && random() < 0.2) run(s.refused(now, new HongyanError('BUSY', 'busy')));
        else if (a.do === 'pull') run(s.pulled(now, w.page(a.key, 1 + Math.floor(random() * 3))));
      } else if (what < 0.8) {
        s.disconnected();
        asked = [];
      } else if (what < 0.86) {
        asked = [];
        run(s.connected(now));
      } else if (what < 0.88) {
        s = new Sync(w.stored, random); // a crash
        asked = [];
      } else if (s.wakeAt !== undefined && now >= s.wakeAt) run(s.tick(now));
      assert.deepEqual(w.got, w.versions.filter((v) => v <= Number(w.stored.version)).map(String));
    };
    for (let i = 0; i < 300; i++) step();
    // From here on everything works: all must come, and be acknowledged.
    asked = [];
    run(s.connected(now));
    for (let i = 0; i < 400; i++) {
      const a = asked.shift();
      if (a?.do === 'pull') run(s.pulled(now, w.page(a.key, 5)));
      now += 1000;
      run(s.tick(now));
    }
    assert.deepEqual(w.got, w.versions.map(String), `seed ${seed}`);
    assert.equal(w.acked, w.head, `seed ${seed}: everything is acknowledged`);
  }
});

test('a reset is followed by its backfill before anything is acknowledged or applied', () => {
  const s = new Sync(initialSyncState, () => 0.5);
  assert.deepEqual(s.connected(0), [{ do: 'pull', key: '' }]);
  const page = { changes: [], conversations: [], key: 'k9', version: '9', more: false };
  const acts = s.pulled(0, { ...page, reset: { reason: 'FIRST', conversations: [], backfill: 't1' } });
  assert.deepEqual(acts.map((a) => a.do), ['commit', 'backfill']);
  assert.equal(s.presentable, '');
  assert.deepEqual(s.notified(0, { version: '12', previous: '9', changes: [change(12)], key: 'k12' }), []);
  assert.deepEqual(s.backfilled(0, { changes: [change(3)], conversations: [], token: 't2' }).map((a) => a.do), ['commit', 'backfill']);
  // After a break it goes on from the stored token.
  const later = new Sync(s.state, () => 0.5);
  assert.deepEqual(later.connected(0), [{ do: 'backfill', token: 't2' }]);
  const end = later.backfilled(0, { changes: [change(7)], conversations: [], token: '' });
  assert.deepEqual(end.map((a) => a.do), ['commit', 'pull']);
  assert.equal(later.presentable, 'k9');
});

test('a key that is not accepted any more is answered by beginning anew, as with another store', () => {
  const s = new Sync({ key: 'old', version: '40', backfill: '' }, () => 0.5);
  s.connected(0);
  const acts = s.refused(0, new HongyanError('KEY_INVALID', 'another store'));
  assert.deepEqual(acts.at(-1), { do: 'pull', key: '' });
  const page = { changes: [], conversations: [], key: 'new', version: '5', more: false };
  const [commit] = s.pulled(0, { ...page, reset: { reason: 'FIRST', conversations: [], backfill: '' } });
  assert.equal(commit?.do === 'commit' && commit.reset, 'GENERATION');
  // That the server may have lost data is for a person to judge.
  const t = new Sync({ key: 'old', version: '40', backfill: '' }, () => 0.5);
  t.connected(0);
  assert.deepEqual(t.refused(0, new HongyanError('KEY_AHEAD', 'ahead')).map((a) => a.do), ['trouble']);
  assert.deepEqual(t.startOver(1), [{ do: 'pull', key: '' }]);
});

const item = (id: string, conversation = 'd:1:2'): OutboxItem => ({
  clientId: id, user: '1', target: { conversation }, content: { text: id }, createdMs: 1, place: 1, state: 'waiting', firstAttemptMs: 0, refusals: 0,
});
const doing = (actions: OutboxAction[]) => actions.map((a) => (a.do === 'drop' ? a.do : `${a.do} ${a.item.clientId}`));
const reply = { id: '1', conversation: 'd:1:2', ordinal: '1', timeMs: 1 };

test('the outbox sends one at a time in each conversation, in order, and stores the stamp first', () => {
  const o = new Outbox(() => 0.5);
  assert.deepEqual(o.add(0, item('a')), []);
  o.add(0, item('b'));
  o.add(0, item('c', 'g:7'));
  const acts = o.connected(1000, 50_000);
  assert.deepEqual(doing(acts), ['save a', 'transmit a', 'save c', 'transmit c']);
  assert.equal(acts[0]!.do === 'save' && acts[0]!.item.firstAttemptMs, 50_000);
  // A lost connection says nothing of what was on its way: the same again, with the same stamp.
  o.disconnected();
  const again = o.connected(9000, 60_000);
  assert.deepEqual(doing(again), ['transmit a', 'transmit c']);
  assert.equal(again[0]!.do === 'transmit' && again[0]!.item.firstAttemptMs, 50_000);
  assert.deepEqual(doing(o.accepted(9100, 'a', reply)), ['sent a', 'save b', 'transmit b']);
  assert.deepEqual(o.accepted(9200, 'a', reply), [], 'an answer counts once');
  // What the log has brought needs no answer any more.
  o.add(9300, item('d'));
  assert.deepEqual(doing(o.remove(9300, 'b', 'd:1:2')), ['save d', 'transmit d']);
});

test('a message fails after so many refusals, and the next one goes on', () => {
  const o = new Outbox(() => 0.5);
  let now = 0;
  o.connected(now, 1000);
  o.add(now, item('a'));
  o.add(now, item('b'));
  const busy = new HongyanError('BUSY', 'busy', { retryAfterMs: 100 });
  for (let i = 0; i < maxRefusals; i++) {
    assert.deepEqual(doing(o.refused(now, 'a', busy)), ['save a']);
    assert.deepEqual(o.tick(now), [], 'not before its time');
    now = o.wakeAt!;
    assert.deepEqual(doing(o.tick(now)), ['transmit a']);
  }
  const last = o.refused(now, 'a', busy);
  assert.deepEqual(doing(last), ['save a', 'failed a', 'save b', 'transmit b']);
  const failed = (last[0] as { item: OutboxItem }).item;
  assert.equal(failed.error?.code, 'BUSY');
  assert.equal(o.renewed(now, failed).firstAttemptMs, failed.firstAttemptMs);
  assert.throws(() => o.renewed(now + resendWindowMs + 1, failed), { code: 'TOO_LATE' });
  // What was certainly never accepted may be stamped anew.
  const forbidden: OutboxItem = { ...failed, error: { code: 'FORBIDDEN', message: '' } };
  assert.equal(o.renewed(now + resendWindowMs + 1, forbidden).firstAttemptMs, 0);
});

test('a stamp in the future is made anew, and a refused identity costs no message', () => {
  const o = new Outbox(() => 0.5);
  o.connected(0, 900_000_000);
  o.add(0, item('a'));
  const acts = o.refused(1, 'a', new HongyanError('CLOCK_SKEW', 'ahead'));
  assert.deepEqual(doing(acts), ['save a', 'drop']);
  assert.equal(acts[0]!.do === 'save' && acts[0]!.item.firstAttemptMs, 0);
  const [save] = o.connected(5000, 1000);
  assert.equal(save?.do === 'save' && save.item.firstAttemptMs, 1000);
  assert.deepEqual(doing(o.refused(6000, 'a', new HongyanError('TOKEN_EXPIRED', 'expired'))), ['drop']);
  assert.deepEqual(doing(o.connected(7000, 2000)), ['transmit a']);
});

test('a link comes back ever more slowly, hears the server, and lengthens its beat', () => {
  const l = new Link(() => 1);
  const hints = { heartbeatMinMs: 1000, heartbeatMaxMs: 100_000, reconnectMinMs: 500, reconnectMaxMs: 4000, maxFrame: 0 };
  assert.equal(l.wakeAt, undefined, 'nobody is logged in');
  assert.deepEqual(l.hurry(0), []);
  assert.deepEqual(l.start(0), [{ do: 'dial' }]);
  l.authenticated(0, hints, true, true);
  const delays: number[] = [];
  for (let i = 0, now = 10; i < 5; i++) {
    const [down] = l.ended(now, {});
    assert.ok(down?.do === 'down');
    delays.push(down.at - now);
    now = down.at;
    assert.deepEqual(l.tick(now), [{ do: 'dial' }]);
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 4000]);
  const [asked] = l.ended(0, { reconnectAfterMs: 10_000 });
  assert.equal(asked?.do === 'down' && asked.at, 12_500);
  assert.deepEqual(l.hurry(1), [{ do: 'dial' }], 'a person need not wait');
  l.authenticated(1, hints, true, true);
  let now = 1;
  const intervals: number[] = [];
  for (let i = 0; i < 7; i++) {
    intervals.push(l.wakeAt! - now);
    now = l.wakeAt!;
    assert.deepEqual(l.tick(now), [{ do: 'beat' }]);
    l.beaten(now);
  }
  assert.deepEqual(intervals, [1100, 1100, 1100, 67_100, 67_100, 67_100, 100_000]);
  // A beat out of turn says nothing of the interval.
  const m = new Link(() => 0);
  m.start(0);
  m.authenticated(0, hints, true, true);
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(m.probe(i), [{ do: 'beat' }]);
    m.beaten(i);
  }
  assert.equal(m.wakeAt, 9 + 1000);
  assert.deepEqual(l.ended(now, { final: true }).map((a) => a.do), ['stop']);
  assert.equal(l.wakeAt, undefined);
});

test('a link on a second-best way tries the better one now and then', () => {
  const l = new Link(() => 0);
  l.start(0);
  l.authenticated(0, undefined, false, false);
  assert.equal(l.wakeAt, 30_000);
  assert.deepEqual(l.tick(30_000), [{ do: 'upgrade' }]);
  assert.equal(l.wakeAt, undefined);
  l.stayed(30_000);
  assert.equal(l.wakeAt, 90_000);
  assert.deepEqual(l.probe(31_000), [{ do: 'upgrade' }], 'at once when the network has changed');
  l.authenticated(31_000, undefined, true, true);
  assert.equal(l.wakeAt, 31_000 + 210_000);
});

test('what is announced while a question is under way is asked for afterwards', () => {
  const s = new Sync({ key: 'k1', version: '1', backfill: '' }, () => 0.5);
  assert.ok(s.behind, 'who has not asked yet does not know');
  s.connected(0);
  assert.deepEqual(s.notified(0, { version: '3', previous: '2', changes: [change(3)], key: 'k3' }), []);
  const acts = s.pulled(0, { changes: [change(2)], conversations: [], key: 'k2', version: '2', more: false });
  assert.deepEqual(acts.map((a) => a.do), ['commit', 'pull']);
});
