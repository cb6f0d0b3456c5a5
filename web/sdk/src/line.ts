import type { Connection, Transport } from './api.js';
import { now, shownTime } from './clock.js';
import { type Ending, Link, type LinkAction } from './core/link.js';
import type { Pushed } from './core/sync.js';
import type { Dialing } from './dial.js';
import { asError, HongyanError, notLoggedIn } from './error.js';
import type { Session } from './model.js';
import type { Channel, ChannelEvents } from './transport/channel.js';
import { fromBase64 } from './wire/codec.js';
import type { Id } from './wire/types.js';

/** How long a request waits for a connection that is being made. */
const connectPatienceMs = 8000;

/** What a line needs of its owner, whose queue all of its events pass through. */
export interface LineOwner {
  /** Does something in turn. */
  run(work: () => Promise<void>): Promise<void>;
  /** Takes the failure of something done in turn. */
  failed(e: unknown): void;
  session(): Session | undefined;
  /** How far the device is. */
  resume(): { key: string; version: Id };
  /** Whether there is more on the server than is stored. */
  behind(): boolean;
  pushed(p: Pushed): Promise<void>;
  newer(): Promise<void>;
  signal(s: unknown): void;
  /** There is a connection. */
  up(channel: Channel): Promise<void>;
  /** The connection is gone. */
  down(): void;
  /** The device token is worth nothing any more. */
  stopped(): Promise<void>;
  shown(c: Connection): void;
}

/** Line is the connection to the server, as one that comes back: it drives Link over channels. */
export class Line {
  private link = new Link(Math.random);
  private open: Channel | undefined;
  private dialing: AbortController | undefined;
  /** Of the last attempt at a better way. */
  private upgrading: AbortController | undefined;
  /** Channels that a better one has replaced, until the requests that they carry are answered. */
  private readonly retired = new Set<Channel>();
  private waiters: { resolve(c: Channel): void; reject(e: HongyanError): void }[] = [];
  /** The account was left, and nothing has begun anew yet. */
  private left = false;
  private state: Connection = { phase: 'connecting', since: Date.now(), catchingUp: false };

  constructor(
    private readonly owner: LineOwner,
    private readonly dial: Dialing,
  ) {}

  /** The present connection, if there is one. */
  get channel(): Channel | undefined {
    return this.open;
  }

  get connection(): Connection {
    return this.state;
  }

  get wakeAt(): number | undefined {
    return this.link.wakeAt;
  }

  /** Begins anew, if somebody is logged in. */
  async start(loggedIn: boolean): Promise<void> {
    this.link = new Link(Math.random);
    this.left = false;
    if (loggedIn) await this.act(this.link.start(now()));
    else this.show({ phase: 'loggedout' });
  }

  tick(at: number): Promise<void> {
    return this.act(this.link.tick(at));
  }

  /** Makes the next attempt now. */
  hurry(): Promise<void> {
    return this.act(this.link.hurry(now()));
  }

  /** The system has lost its network, or has got another one. */
  async networkChanged(online: boolean): Promise<void> {
    if (this.open !== undefined) await this.act(this.link.probe(now()));
    else if (online) await this.hurry();
    else this.show({ phase: 'offline' });
  }

  /** The present connection, or the one that is being made. */
  connected(): Promise<Channel> {
    if (this.open !== undefined) return Promise.resolve(this.open);
    if (this.left || this.state.phase === 'loggedout') {
      return Promise.reject(notLoggedIn());
    }
    return new Promise((resolve, reject) => {
      const waiter = {
        resolve: (c: Channel) => (clearTimeout(timer), resolve(c)),
        reject: (e: HongyanError) => (clearTimeout(timer), reject(e)),
      };
      this.waiters.push(waiter);
      const timer = setTimeout(() => {
        this.waiters = this.waiters.filter((w) => w !== waiter);
        reject(this.state.problem ?? new HongyanError('Network', 'there is no connection to the server'));
      }, connectPatienceMs);
    });
  }

  /** Ends the connection for good. */
  close(): void {
    this.hangUp();
    this.show({ phase: 'offline' });
    this.giveUpWaiting(new HongyanError('Closed', 'the client is closed'));
  }

  /** Ends the connection, and breaks what waits for one, because the account is left: the next may be another's. */
  leave(): void {
    this.left = true;
    this.hangUp();
    this.giveUpWaiting(new HongyanError('UNAUTHENTICATED', 'the account was left'));
  }

  /** Ends the connection without a word to anybody but the owner. */
  hangUp(): void {
    this.dialing?.abort();
    this.dialing = undefined;
    this.upgrading?.abort();
    this.open?.close();
    this.open = undefined;
    for (const channel of this.retired) channel.close();
    this.owner.down();
  }

  /** A connection is of no use any more; an older one than the present does not matter. */
  async lost(channel: Channel, e: Ending): Promise<void> {
    if (this.open === channel) await this.ended(e);
  }

  show(c: Partial<Connection> & Pick<Connection, 'phase'>): void {
    const since = c.phase === this.state.phase ? this.state.since : Date.now();
    this.state = { catchingUp: c.phase === 'online' && this.owner.behind(), ...c, since };
    this.owner.shown(this.state);
  }

  /** Looks anew whether there is more on the server. */
  showCatchingUp(): void {
    const behind = this.state.phase === 'online' && this.owner.behind();
    if (behind !== this.state.catchingUp) this.show({ ...this.state, catchingUp: behind });
  }

  private async act(actions: LinkAction[]): Promise<void> {
    for (const a of actions) {
      if (a.do === 'dial') this.connect();
      else if (a.do === 'upgrade') this.upgrade();
      else if (a.do === 'beat') this.beat();
      else if (a.do === 'down') this.show({ phase: 'waiting', problem: a.error, retryAt: shownTime(a.at) });
      else await this.stop(a.error);
    }
  }

  private event(work: () => Promise<void>): void {
    this.owner.run(work).catch((e: unknown) => this.owner.failed(e));
  }

  /** Takes a channel into use in turn. If that fails, as when the owner has ended, it is not left open. */
  private arrived(channel: Channel, use: () => Promise<void>): void {
    this.owner.run(use).catch((e: unknown) => {
      channel.close();
      this.owner.failed(e);
    });
  }

  private connect(): void {
    this.show({ phase: 'connecting' });
    const dialing = (this.dialing = new AbortController());
    this.reach(dialing).then(
      (channel) =>
        this.arrived(channel, async () => {
          if (this.dialing === dialing) await this.up(channel);
          else channel.close();
        }),
      (e: unknown) =>
        this.event(async () => {
          if (this.dialing !== dialing) return;
          this.dialing = undefined;
          const error = asError(e);
          const at = now();
          await this.act(error.code === 'Network' ? this.link.ended(at, { error }) : this.link.refused(at, error));
        }),
    );
  }

  /** Sees whether a better way than the present one is open by now, and changes over to it. */
  private upgrade(): void {
    const { open: old } = this;
    if (old === undefined) return;
    const dialing = (this.upgrading = new AbortController());
    this.reach(dialing, old.transport).then(
      (channel) =>
        this.arrived(channel, async () => {
          if (this.open !== old) return channel.close();
          this.retire(old);
          this.dialing = dialing;
          await this.up(channel);
        }),
      () =>
        this.event(async () => {
          if (this.open === old) this.link.stayed(now());
        }),
    );
  }

  /** Lets go of a channel whose requests under way still get their answers: nobody could know if these were done. */
  private retire(channel: Channel): void {
    this.retired.add(channel);
    void channel.retire().then(() => this.retired.delete(channel));
    this.owner.down();
  }

  /** Opens a channel whose events count as long as this.dialing is the one given. */
  private reach(dialing: AbortController, better?: Transport): Promise<Channel> {
    const current = (work: () => Promise<void>) =>
      this.owner
        .run(async () => {
          if (this.dialing === dialing) await work();
        })
        .catch((e: unknown) => this.owner.failed(e));
    const events: ChannelEvents = {
      resume: () => this.owner.resume(),
      pushed: (p) => current(() => this.owner.pushed(p)),
      signal: (s) => {
        if (this.dialing === dialing) this.owner.signal(s);
      },
      ended: (e) => void current(() => this.ended(e)),
    };
    return this.dial.dial(this.owner.session()!, events, dialing.signal, better);
  }

  private async up(channel: Channel): Promise<void> {
    this.open = channel;
    this.link.authenticated(now(), channel.session.hints, channel.beats, this.dial.isBest(channel.transport));
    this.show({ phase: 'online', transport: channel.transport });
    for (const w of this.waiters.splice(0)) w.resolve(channel);
    await this.owner.up(channel);
  }

  private beat(): void {
    const { open: channel } = this;
    if (channel === undefined) return;
    channel.request('Heartbeat', { key: fromBase64(this.owner.resume().key) }).then(
      (r) =>
        this.event(async () => {
          if (this.open !== channel) return;
          this.link.beaten(now());
          if (r.newer) await this.owner.newer();
        }),
      (e: unknown) => this.event(() => this.lost(channel, { error: asError(e) })),
    );
  }

  private async ended(e: Ending): Promise<void> {
    this.hangUp();
    await this.act(this.link.ended(now(), e));
  }

  private async stop(error: HongyanError | undefined): Promise<void> {
    await this.owner.stopped();
    this.show({ phase: 'loggedout', problem: error });
    this.giveUpWaiting(error ?? notLoggedIn());
  }

  private giveUpWaiting(error: HongyanError): void {
    for (const w of this.waiters.splice(0)) w.reject(error);
  }
}
