import { HongyanError } from '../error.js';
import { compareIds, maxId } from '../ids.js';
import type { BackfillReply, Change, Conversation, Id, Notify, ResetReason, SyncReply } from '../wire/types.js';
import { Backoff, earlier, type Random } from './backoff.js';

/** How long a device waits before it acknowledges a key that no pull has presented, so that one Ack serves many changes. */
export const settleDelayMs = 1000;

/** How far a device is, as its store holds it. */
export interface SyncState {
  /** What to present, in base64; empty before the first sync. */
  key: string;
  /** What the key stands for. */
  version: Id;
  /** Continues what a reset left out, in base64; empty when nothing is left. */
  backfill: string;
}

/** Nothing yet. */
export const initialSyncState: SyncState = { key: '', version: '0', backfill: '' };

/**
 * Stores what a page brought and the state that follows from it, all or nothing. Unless the stored version is `previous`
 * it stores nothing and fails: somebody else has written.
 */
export interface Commit {
  do: 'commit';
  previous: Id;
  state: SyncState;
  /** Drop what is known of conversations and states first; after GENERATION the messages too. */
  reset?: ResetReason;
  changes: readonly Change[];
  /** The present state of conversations; it wins over what is held. */
  conversations: readonly Conversation[];
  /** The server sent no states: work them out from the changes. */
  derive: boolean;
  /** The changes were brought by a Backfill: they may be old. */
  backfilled: boolean;
}

/** What the driver of Sync has to do. */
export type SyncAction =
  | Commit
  /** Ask for what is newer than key: comes back as pulled or refused. */
  | { do: 'pull'; key: string }
  /** Ask for what a reset left out: comes back as backfilled or refused. */
  | { do: 'backfill'; token: string }
  /** Acknowledge key. The answer does not matter. */
  | { do: 'ack'; key: string }
  /** Everything that the server had is stored. */
  | { do: 'caughtUp' }
  /** A problem that the machine copes with by trying again. */
  | { do: 'trouble'; error: HongyanError };

/** A page of a stream of events or of a long-poll, which continues from the version `previous`. */
export interface Pushed extends Pick<Notify, 'version' | 'previous' | 'changes'> {
  key: string;
  conversations?: readonly Conversation[];
  /** The page is no plain continuation, as a reset: pull instead of applying it. */
  broken?: boolean;
}

/** An answer to a pull, with keys in base64. */
export type Page = Omit<SyncReply, 'key' | 'reset'> & {
  key: string;
  reset?: { reason: ResetReason; conversations: readonly Conversation[]; backfill: string };
};

/** An answer to a backfill. */
export type Older = Omit<BackfillReply, 'token'> & { token: string };

/**
 * Sync follows the changes of an account. It owns no socket, store or clock: events go in as method calls, actions come
 * out, to be carried out in their order. When a commit fails the machine is dropped, and a new one starts from what is
 * stored. It presents a key only after the changes that the key stands for were committed with it, asks one question at a
 * time, and applies what was pushed only if it continues exactly what is held.
 */
export class Sync {
  private online = false;
  private asking = false;
  private newer = false;
  /** The newest that was announced while asking. */
  private announced: Id = '0';
  /** Ask with no key, because the server does not accept the one held. */
  private restart = false;
  /** What the server was last told. */
  private presented: Id = '0';
  /** The version that a reset gave, until a page without one. */
  private resetAt: Id = '0';
  private settleAt: number | undefined;
  private retryAt = 0;
  private readonly retry: Backoff;

  constructor(
    private held: SyncState,
    random: Random,
  ) {
    this.retry = new Backoff(1000, 60_000, random);
  }

  /** The device is authenticated on a new connection. */
  connected(now: number): SyncAction[] {
    this.online = this.newer = true;
    this.asking = false;
    this.retryAt = 0;
    return this.next(now, []);
  }

  /** The connection is gone, and with it the answer to whatever was asked. */
  disconnected(): void {
    this.online = this.asking = false;
  }

  /** The server has something newer than the key that it was shown. */
  hasNewer(now: number): SyncAction[] {
    this.newer = true;
    return this.next(now, []);
  }

  /** Applies what was pushed if it continues what is held, ignores it if it tells nothing new, and pulls otherwise. */
  notified(now: number, n: Pushed): SyncAction[] {
    if (!this.online) return [];
    if (n.broken) return this.hasNewer(now);
    if (compareIds(n.version, this.held.version) <= 0 && !this.resetting()) return [];
    if (this.asking) {
      this.announced = maxId(this.announced, n.version);
      return [];
    }
    if (n.key === '' || n.previous !== this.held.version || this.resetting()) return this.hasNewer(now);
    const commit = this.commit({
      state: { key: n.key, version: n.version, backfill: '' },
      changes: n.changes,
      conversations: n.conversations ?? [],
      derive: n.conversations === undefined,
    });
    return this.caughtUp(now, [commit]);
  }

  /** The answer to a pull. */
  pulled(now: number, p: Page): SyncAction[] {
    if (!this.asking) return [];
    this.asking = false;
    if (compareIds(this.announced, p.version) > 0) this.newer = true;
    if (p.reset) return this.reset(now, p, p.reset);
    const actions: SyncAction[] = [];
    const progress = compareIds(p.version, this.held.version);
    if (progress > 0 && !this.restart) {
      this.resetAt = '0';
      const { key, version, changes, conversations } = p;
      actions.push(this.commit({ state: { key, version, backfill: '' }, changes, conversations }));
    } else if (this.restart || progress < 0 || p.more || p.changes.length > 0) {
      return this.wait(now, internal(`the server answered a key of version ${this.held.version} with version ${p.version}`));
    }
    this.retry.reset();
    if (p.more) this.newer = true;
    return this.next(now, this.caughtUp(now, actions));
  }

  private reset(now: number, p: Page, r: NonNullable<Page['reset']>): SyncAction[] {
    const again = this.resetAt !== '0' && this.resetAt === this.held.version;
    // A server that was shown no key could not tell that its store is another one now.
    const reason = this.restart ? 'GENERATION' : r.reason;
    this.restart = false;
    this.presented = '0';
    const commit = this.commit({
      state: { key: p.key, version: p.version, backfill: r.backfill },
      reset: reason,
      changes: p.changes,
      conversations: [...r.conversations, ...p.conversations],
    });
    this.resetAt = p.version;
    if (p.more || r.backfill !== '') this.newer = true;
    if (again) return [commit, ...this.wait(now, internal('the server resets the key that it gave with a reset'))];
    return this.next(now, this.caughtUp(now, [commit]));
  }

  /** The answer to a backfill. */
  backfilled(now: number, o: Older): SyncAction[] {
    if (!this.asking) return [];
    this.asking = false;
    if (o.changes.length === 0 && o.token === this.held.backfill) {
      return this.wait(now, internal('the server does not continue the backfill'));
    }
    this.retry.reset();
    const commit = this.commit({
      state: { ...this.held, backfill: o.token },
      changes: o.changes,
      conversations: o.conversations,
      backfilled: true,
    });
    this.newer = true; // either more of the backfill, or what came in the meantime
    return this.next(now, [commit]);
  }

  /** The refusal of a pull or a backfill. */
  refused(now: number, error: HongyanError): SyncAction[] {
    if (!this.asking) return [];
    this.asking = false;
    this.newer = true;
    const lost = error.code === 'KEY_INVALID' || (error.code === 'INVALID' && this.held.backfill !== '');
    if (lost && !this.restart) {
      this.restart = true;
      return this.next(now, [{ do: 'trouble', error }]);
    }
    const actions = this.wait(now, error);
    this.retryAt = Math.max(this.retryAt, now + (error.retryAfterMs ?? 0));
    return actions;
  }

  /** A person wants the server's state although it may have lost data (KEY_AHEAD): begin without a key. */
  startOver(now: number): SyncAction[] {
    this.restart = true;
    this.retryAt = 0;
    return this.hasNewer(now);
  }

  /** wakeAt has come. */
  tick(now: number): SyncAction[] {
    const actions = this.settleAt !== undefined && now >= this.settleAt ? this.flush() : [];
    return this.next(now, actions);
  }

  /** Tells the server at once what it would have been told by and by, as before an orderly end. */
  flush(): SyncAction[] {
    this.settleAt = undefined;
    if (!this.online || this.resetting() || this.presented === this.held.version || this.held.key === '') return [];
    this.presented = this.held.version;
    return [{ do: 'ack', key: this.held.key }];
  }

  /** When to call tick; undefined: never. */
  get wakeAt(): number | undefined {
    return this.online && this.newer && !this.asking ? earlier(this.settleAt, this.retryAt) : this.settleAt;
  }

  /**
   * The key that a heartbeat or a stream may show the server; empty while there is none: a key that a reset gave stands
   * for changes that are still being fetched.
   */
  get presentable(): string {
    return this.resetting() ? '' : this.held.key;
  }

  /** How far the device is. */
  get state(): SyncState {
    return this.held;
  }

  /** Whether there is something to fetch that the server is known or suspected to have: without a connection, always. */
  get behind(): boolean {
    return !this.online || this.asking || this.newer || this.resetting();
  }

  private resetting(): boolean {
    return this.restart || this.held.backfill !== '';
  }

  private commit(c: Pick<Commit, 'state' | 'changes' | 'conversations'> & Partial<Commit>): Commit {
    const previous = this.held.version;
    this.held = c.state;
    return { derive: false, backfilled: false, ...c, do: 'commit', previous };
  }

  private next(now: number, actions: SyncAction[]): SyncAction[] {
    if (!this.online || this.asking || !this.newer || now < this.retryAt) return actions;
    this.retryAt = 0;
    this.asking = true;
    this.newer = false;
    this.announced = '0';
    if (this.restart) return [...actions, { do: 'pull', key: '' }];
    if (this.held.backfill !== '') return [...actions, { do: 'backfill', token: this.held.backfill }];
    this.presented = this.held.version;
    return [...actions, { do: 'pull', key: this.held.key }];
  }

  private caughtUp(now: number, actions: SyncAction[]): SyncAction[] {
    if (this.newer || this.resetting()) return actions;
    if (this.presented !== this.held.version) this.settleAt = earlier(this.settleAt, now + settleDelayMs);
    return [...actions, { do: 'caughtUp' }];
  }

  private wait(now: number, error: HongyanError): SyncAction[] {
    this.newer = true;
    this.retryAt = now + this.retry.next();
    return [{ do: 'trouble', error }];
  }
}

function internal(message: string): HongyanError {
  return new HongyanError('INTERNAL', message);
}
