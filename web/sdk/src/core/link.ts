import type { HongyanError } from '../error.js';
import type { Hints } from '../wire/types.js';
import { Backoff, earlier, type Random } from './backoff.js';

/** A connection that stayed up this long was a good one: the next attempt begins with the shortest delay again. */
const stableAfterMs = 30_000;

/** How soon, and how seldom at last, a connection is tried again, if the server has given no hints. */
const reconnectMinMs = 1000;
const reconnectMaxMs = 15_000;

/** How soon, and how seldom at last, a better way is tried than the one in use. */
const upgradeMinMs = 60_000;
const upgradeMaxMs = 600_000;

/** How a connection ended. */
export interface Ending {
  error?: HongyanError;
  /** The server asks not to be bothered before. */
  reconnectAfterMs?: number;
  /** Come back after the longest delay. */
  slowly?: boolean;
  /** The device token is worth nothing any more. */
  final?: boolean;
}

/** What the driver of Link has to do. */
export type LinkAction =
  /** Open a connection: comes back as authenticated, refused or ended. */
  | { do: 'dial' }
  /** Send a heartbeat: comes back as beaten or, without an answer in time, as ended. */
  | { do: 'beat' }
  /** See whether a better way is open by now: comes back as authenticated or stayed. */
  | { do: 'upgrade' }
  /** There is no connection, why, and when the next attempt is made. */
  | { do: 'down'; error?: HongyanError; at: number }
  /** There is nothing more to try: somebody has to log in again. */
  | { do: 'stop'; error?: HongyanError };

/** Link keeps one authenticated connection, and comes back after it ended, ever more slowly while that fails. */
export class Link {
  private phase: 'down' | 'dialing' | 'up' | 'stopped' = 'stopped';
  private upSince = 0;
  private dialAt = 0;
  private beatAt = 0;
  private beating = false;
  private beats = true;
  /** The beat is out of turn, and proves nothing of the interval. */
  private probing = false;
  private upgradeAt: number | undefined;
  private readonly upgrade: Backoff;
  private readonly heart: Heart;
  private readonly retry: Backoff;

  constructor(private readonly random: Random) {
    this.retry = new Backoff(reconnectMinMs, reconnectMaxMs, random);
    this.upgrade = new Backoff(upgradeMinMs, upgradeMaxMs, random);
    this.heart = new Heart(random);
  }

  /** Begins to connect, at once: somebody is logged in. */
  start(now: number): LinkAction[] {
    this.phase = 'down';
    return this.hurry(now);
  }

  /** Connects at once: when a person asks for it, when the system reports a network. */
  hurry(now: number): LinkAction[] {
    if (this.phase !== 'down') return [];
    this.dialAt = now;
    return this.tick(now);
  }

  /** Looks at once whether the connection is still alive, and whether a better way is open: the system reports a network. */
  probe(now: number): LinkAction[] {
    if (this.phase !== 'up') return [];
    if (this.beats && !this.beating) {
      this.beatAt = now;
      this.probing = true;
    }
    if (this.upgradeAt !== undefined) this.upgradeAt = now;
    return this.tick(now);
  }

  /**
   * The server knows the device. `beats` is whether the connection needs heartbeats, `best` whether there is no better
   * way than this one.
   */
  authenticated(now: number, hints: Hints | undefined, beats: boolean, best: boolean): void {
    this.phase = 'up';
    this.upSince = now;
    this.beats = beats;
    if (best) this.upgrade.reset();
    this.upgradeAt = best ? undefined : now + this.upgrade.next();
    this.retry.min = hints?.reconnectMinMs || reconnectMinMs;
    this.retry.max = Math.max(this.retry.min, hints?.reconnectMaxMs || reconnectMaxMs);
    this.heart.setBounds(hints?.heartbeatMinMs || 210_000, hints?.heartbeatMaxMs || 600_000);
    this.beating = false;
    this.beatAt = now + this.heart.interval();
  }

  /** No better way is open. */
  stayed(now: number): void {
    if (this.phase === 'up') this.upgradeAt = now + this.upgrade.next();
  }

  /** The server refused to let the device in. */
  refused(now: number, error: HongyanError): LinkAction[] {
    const final = error.code === 'UNAUTHENTICATED' || error.code === 'REVOKED';
    return this.ended(now, { error, final, reconnectAfterMs: error.retryAfterMs ?? 0 });
  }

  /** The heartbeat was answered. */
  beaten(now: number): void {
    if (!this.beating) return;
    this.beating = false;
    if (!this.probing) this.heart.succeeded();
    this.probing = false;
    this.beatAt = now + this.heart.interval();
  }

  /** The connection is gone, or never came to be. */
  ended(now: number, e: Ending): LinkAction[] {
    if (this.phase === 'down' || this.phase === 'stopped') return [];
    if (this.beating && !this.probing) this.heart.failed();
    this.probing = false;
    if (this.phase === 'up' && now - this.upSince >= stableAfterMs) this.retry.reset();
    this.beating = false;
    this.upgradeAt = undefined;
    if (e.final) {
      this.phase = 'stopped';
      return [{ do: 'stop', error: e.error }];
    }
    this.phase = 'down';
    const asked = e.reconnectAfterMs ?? 0;
    const delay = e.slowly ? this.retry.max : Math.max(this.retry.next(), asked + (this.random() * asked) / 4);
    this.dialAt = now + delay;
    return [{ do: 'down', error: e.error, at: this.dialAt }];
  }

  /** wakeAt has come. */
  tick(now: number): LinkAction[] {
    if (this.phase === 'down' && now >= this.dialAt) {
      this.phase = 'dialing';
      return [{ do: 'dial' }];
    }
    if (this.phase === 'up' && this.beats && !this.beating && now >= this.beatAt) {
      this.beating = true;
      return [{ do: 'beat' }];
    }
    if (this.phase === 'up' && this.upgradeAt !== undefined && now >= this.upgradeAt) {
      this.upgradeAt = undefined;
      return [{ do: 'upgrade' }];
    }
    return [];
  }

  /** When to call tick; undefined: never. */
  get wakeAt(): number | undefined {
    if (this.phase === 'down') return this.dialAt;
    if (this.phase !== 'up') return undefined;
    return earlier(this.beats && !this.beating ? this.beatAt : undefined, this.upgradeAt);
  }
}

const heartStepMs = 60_000;
const goodBeats = 3;
const badBeats = 2;

/**
 * Heart finds the longest interval between heartbeats that the network tolerates: it begins with the shortest, lengthens
 * it after it has proved good, and settles one step below the first interval that has failed twice.
 */
class Heart {
  private min = 0;
  private max = 0;
  private present = 0;
  private good = 0;
  private bad = 0;
  private settled = false;

  constructor(private readonly random: Random) {}

  setBounds(min: number, max: number): void {
    if (min !== this.min) {
      this.min = this.present = min;
      this.good = this.bad = 0;
      this.settled = false;
    }
    this.max = Math.max(min, max);
    this.present = Math.min(this.present, this.max);
  }

  /** Up to a tenth more than the present interval, but never more than the server asks for. */
  interval(): number {
    return this.present + this.random() * Math.min(this.present / 10, this.max - this.present);
  }

  succeeded(): void {
    this.bad = 0;
    if (this.settled || this.present >= this.max || ++this.good < goodBeats) return;
    this.good = 0;
    this.present = Math.min(this.present + heartStepMs, this.max);
  }

  failed(): void {
    this.good = 0;
    if (this.present <= this.min || ++this.bad < badBeats) return;
    this.bad = 0;
    this.settled = true;
    this.present = Math.max(this.present - heartStepMs, this.min);
  }
}
