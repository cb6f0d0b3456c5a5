import type { Connection, Events, Sent } from './api.js';
import { Applier, type Applied } from './apply.js';
import { Outbox, type OutboxAction, type OutboxItem } from './core/outbox.js';
import { initialSyncState, Sync, type SyncAction, type SyncState } from './core/sync.js';
import { now, shownTime } from './clock.js';
import { Backoff, earlier } from './core/backoff.js';
import type { Dialing } from './dial.js';
import { asError, HongyanError } from './error.js';
import { fromHex } from './ids.js';
import { Line, type LineOwner } from './line.js';
import type { Model, Session } from './model.js';
import { everything, type Storage, type Write } from './storage/storage.js';
import { trim } from './trim.js';
import { asPage, type Channel } from './transport/channel.js';
import { fromBase64, toBase64 } from './wire/codec.js';
import type { Init } from './wire/init.js';
import type { OperationName } from './wire/table.js';
import type { LoginReply, Replies, Requests } from './wire/types.js';

/** How soon after a failure of the storage, and how seldom at last, it is tried again. */
const restartMinMs = 5000;
const restartMaxMs = 60_000;

/** Of how many conversations the server is asked at a time. */
const maxLearned = 200;

/** The longest that a timer can wait. */
const maxTimerMs = 2 ** 31 - 1;

/** How often the size of the store is looked at. */
const tidyEveryMs = 60_000;

/** What an engine tells: the events of a client, and what the tabs need besides. */
export interface Told {
  wrote: { writes: readonly Write[]; place: number };
  /** Memory was read anew from the store. */
  reloaded: object;
  flying: { clientId: string; flying: boolean };
  sent: { clientId: string; reply: Sent };
  connection: Connection;
  message: Events['message'];
  signal: unknown;
  undelivered: Events['undelivered'];
}

/** Takes what an engine tells. */
export type Tell = <K extends keyof Told>(kind: K, what: Told[K]) => void;

/**
 * Engine keeps one account in step with the server: it drives the machines of core over a channel and the storage. All
 * events pass through one queue, and the actions of one are carried out before the next is looked at.
 */
export class Engine {
  private sync = new Sync(initialSyncState, Math.random);
  private outbox = new Outbox(Math.random);
  private readonly line: Line;
  private tail: Promise<void> = Promise.resolve();
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** When everything starts anew, after a failure of the storage. */
  private restartAt: number | undefined;
  private readonly restarts = new Backoff(restartMinMs, restartMaxMs, Math.random);
  /** By conversation how often messages of it were taken back. */
  private readonly takeBacks = new Map<string, number>();
  private closed = false;
  private tidyAt = 0;

  constructor(
    private readonly model: Model,
    private readonly storage: Storage,
    dial: Dialing,
    private readonly tell: Tell,
  ) {
    this.line = new Line(this.lineOwner(), dial);
  }

  get connection(): Connection {
    return this.line.connection;
  }

  /** Goes on from what is stored: after the start, and after a failure of the storage. */
  async start(): Promise<void> {
    await this.run(() => this.restart()).catch((e: unknown) => this.failed(e));
  }

  private async restart(): Promise<void> {
    // After a failure nothing is known of what memory is worth, not even by its place: the store may have been emptied.
    if (this.restartAt !== undefined || (await this.storage.get('meta', 'place')) !== this.model.meta.get('place')) {
      await this.model.load(this.storage);
      this.tell('reloaded', {});
    }
    await this.model.loadCoverage(this.storage);
    this.sync = new Sync(this.syncState(), Math.random);
    this.outbox = new Outbox(Math.random);
    const waiting = [...this.model.outbox.values()].filter((i) => i.state === 'waiting');
    for (const item of waiting.sort((a, b) => a.place - b.place)) this.enqueue(item);
    this.restartAt = undefined;
    await this.line.start(this.model.me !== null);
  }

  private syncState(): SyncState {
    return (this.model.meta.get('sync') as SyncState | undefined) ?? initialSyncState;
  }

  // --- what others ask for ---

  /** Takes over a login. The store of another account is dropped first. */
  login(reply: LoginReply): Promise<void> {
    return this.recover(async () => {
      const s = reply.session;
      if (s === undefined) throw new HongyanError('INTERNAL', 'the answer to the login has no session');
      const writes: Write[] = [];
      if (this.model.session?.user !== s.user) writes.push(...everything());
      const { user, name, device, ticket, ticketExpiresMs } = s;
      const session: Session = { user, name, device, ticket, ticketExpiresMs, deviceToken: reply.deviceToken };
      writes.push({ table: 'meta', key: 'session', value: session });
      this.line.leave();
      await this.write(writes);
      await this.restart();
    });
  }

  /** Ends the device, and forgets everything. */
  async logout(): Promise<void> {
    const asked = this.request('Logout', {}).catch(async (e: unknown) => {
      // The end of the connection may overtake the answer: another connection tells whether the device is gone.
      if (asError(e).code !== 'Network') throw e;
      await this.run(() => this.line.hurry());
      await this.request('Logout', {});
    });
    await asked.catch((e: unknown) => {
      // Whom the server does not know any more has nothing to end there.
      if (!['UNAUTHENTICATED', 'REVOKED'].includes(asError(e).code)) throw e;
    });
    await this.recover(async () => {
      this.line.leave();
      await this.write(everything());
      await this.restart();
    });
  }

  /** Asks for an operation over the present connection, or the one that is being made. */
  async request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs?: number): Promise<Replies[N]> {
    if (this.closed) throw new HongyanError('Closed', 'the client is closed');
    const channel = await this.line.connected();
    return channel.request(name, body, waitMs);
  }

  /** Stores a message in the outbox, and sends it when its turn comes. */
  send(item: OutboxItem): Promise<void> {
    return this.run(async () => {
      if (this.model.outbox.has(item.clientId)) return; // a tab asks again after the leading one has changed
      if (this.model.session?.user !== item.user) {
        throw new HongyanError('UNAUTHENTICATED', 'who wrote the message is not logged in any more');
      }
      await this.write([{ table: 'outbox', key: item.clientId, value: item }]);
      await this.sendStored(item);
    });
  }

  /** Sends an item of the store when its turn comes. What fails from now on does not fail the message. */
  private async sendStored(item: OutboxItem): Promise<void> {
    await this.doOutbox(this.enqueue(item)).catch((e: unknown) => this.failed(e));
  }

  private enqueue(item: OutboxItem): OutboxAction[] {
    return this.outbox.add(now(), item, this.model.whereto(item.target));
  }

  /** Sends a failed message again, under the same id. */
  resend(clientId: string): Promise<void> {
    return this.run(async () => {
      const item = this.model.outbox.get(clientId);
      if (item?.state !== 'failed') return;
      const renewed = this.outbox.renewed(now(), item);
      await this.write([{ table: 'outbox', key: clientId, value: renewed }]);
      await this.sendStored(renewed);
    });
  }

  /** Drops a failed message. */
  discard(clientId: string): Promise<void> {
    return this.run(async () => {
      if (this.model.outbox.get(clientId)?.state === 'failed') await this.write([{ table: 'outbox', key: clientId }]);
    });
  }

  /** Writes to the store, in turn. What is written is worked out then: what was in memory before may be old by its turn. */
  store(work: () => readonly Write[]): Promise<void> {
    return this.runAsNow(() => this.write(work()));
  }

  /** Applies something other than a commit, in turn, unless there turns out to be nothing. */
  apply(work: (a: Applier) => Promise<Applied | undefined>): Promise<void> {
    return this.runAsNow(async () => this.write((await work(this.applier()))?.writes ?? []));
  }

  /** How often messages of a conversation were taken back: recalled, removed or cleared. */
  takenBack(conversation: string): number {
    return this.takeBacks.get(conversation) ?? 0;
  }

  /** Makes the next attempt now. */
  reconnectNow(): Promise<void> {
    return this.recover(() => (this.restartAt === undefined ? this.line.hurry() : this.restart()));
  }

  /** Takes the server's state although it may have lost data (KEY_AHEAD). */
  startOver(): Promise<void> {
    return this.recover(async () => {
      const { problem: _, ...connection } = this.line.connection;
      this.line.show(connection);
      await this.doSync(this.sync.startOver(now()));
    });
  }

  /** The system has lost its network, or has got another one. */
  networkChanged(online: boolean): Promise<void> {
    return this.run(async () => {
      if (this.model.me !== null) await this.line.networkChanged(online);
    });
  }

  async close(): Promise<void> {
    await this.run(async () => {
      await this.doSync(this.sync.flush()).catch(() => undefined); // what is not acknowledged comes again
      this.closed = true;
      clearTimeout(this.timer);
      this.line.close();
    });
  }

  // --- the queue ---

  private run(work: () => Promise<void>): Promise<void> {
    const done = this.tail.then(async () => {
      if (this.closed) throw new HongyanError('Closed', 'the client is closed');
      await work();
      this.arm();
    });
    this.tail = done.catch(() => undefined);
    return done;
  }

  /** Does something in turn if the same is logged in by then who is now, and nothing else. */
  private runAsNow(work: () => Promise<void>): Promise<void> {
    const user = this.model.session?.user;
    return this.run(async () => {
      if (user !== undefined && this.model.session?.user === user) await work();
    });
  }

  /** Does something in turn that leaves the machines out of step with the store if it fails. */
  private recover(work: () => Promise<void>): Promise<void> {
    return this.run(async () => {
      try {
        await work();
      } catch (e) {
        if (asError(e, 'Storage').code === 'Storage') this.failed(e);
        throw e;
      }
    });
  }

  /** Handles an event. What fails then is the storage: everything starts anew from what is stored. */
  private event(work: () => Promise<void>): void {
    this.run(work).catch((e: unknown) => this.failed(e));
  }

  private failed(e: unknown): void {
    if (this.closed) return;
    const error = asError(e, 'Storage');
    this.restartAt = now() + this.restarts.next();
    this.line.hangUp();
    this.line.show({ phase: 'waiting', problem: error, retryAt: shownTime(this.restartAt) });
    this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    const at = this.restartAt ?? earlier(this.line.wakeAt, earlier(this.sync.wakeAt, this.outbox.wakeAt));
    if (at === undefined) return;
    this.timer = setTimeout(() => {
      this.event(async () => {
        if (this.restartAt !== undefined) return this.restart();
        await this.line.tick(now());
        await this.doSync(this.sync.tick(now()));
        await this.doOutbox(this.outbox.tick(now()));
      });
    }, Math.min(Math.max(0, at - now()), maxTimerMs));
  }

  // --- actions ---

  private async doSync(actions: SyncAction[]): Promise<void> {
    for (const a of actions) {
      const { channel } = this.line;
      if (a.do === 'commit') {
        const applied = await this.applier().commit(a);
        await this.write(applied.writes, a.previous);
        for (const id of applied.takenBack) this.takeBacks.set(id, this.takenBack(id) + 1);
        await this.after(applied);
      } else if (a.do === 'trouble') {
        if (a.error.code === 'KEY_AHEAD') this.line.show({ ...this.line.connection, problem: a.error });
      } else if (a.do === 'caughtUp') {
        this.restarts.reset();
        await this.tidy();
      } else if (channel !== undefined) {
        this.ask(channel, a);
      }
    }
    this.line.showCatchingUp();
  }

  /** Asks what the machine wants to know, and comes back with the answer as an event. */
  private ask(channel: Channel, a: Extract<SyncAction, { do: 'pull' | 'backfill' | 'ack' }>): void {
    const answered = (work: () => SyncAction[]) =>
      this.event(async () => {
        if (this.line.channel === channel) await this.doSync(work());
      });
    const refused = (e: unknown) => answered(() => this.sync.refused(now(), asError(e)));
    if (a.do === 'pull') {
      channel
        .request('Sync', { key: fromBase64(a.key), limit: 500 })
        .then((r) => answered(() => this.sync.pulled(now(), asPage(r))), refused);
    } else if (a.do === 'backfill') {
      channel
        .request('Backfill', { token: fromBase64(a.token), limit: 200 })
        .then((r) => answered(() => this.sync.backfilled(now(), { ...r, token: toBase64(r.token) })), refused);
    } else {
      channel.request('Ack', { key: fromBase64(a.key) }).catch(() => undefined);
    }
  }

  /** Keeps the store within its limit. */
  private async tidy(): Promise<void> {
    if (now() < this.tidyAt) return;
    this.tidyAt = now() + tidyEveryMs;
    await this.write(trim(this.model.coverage));
  }

  /** What follows from applied changes besides their storage. */
  private async after(applied: Applied): Promise<void> {
    for (const { clientId, message } of applied.arrived) {
      const { id, conversation, ordinal, timeMs } = message;
      this.model.flying.delete(clientId);
      this.tell('sent', { clientId, reply: { id, conversation, ordinal, timeMs } });
      await this.doOutbox(this.outbox.remove(now(), clientId, conversation));
    }
    for (const message of applied.news) {
      const conversation = this.model.conversations.get(message.conversation);
      if (conversation) this.tell('message', { message, conversation, own: message.own });
    }
    if (applied.unknown.size > 0) this.learn([...applied.unknown]);
  }

  /** Asks for the states of conversations that a notification cannot bring. */
  private learn(all: readonly string[]): void {
    const { channel } = this.line;
    const ids = all.slice(0, maxLearned);
    const takenBack = ids.map((id) => this.takenBack(id));
    channel?.request('Conversations', { ids }).then(
      (r) =>
        this.event(async () => {
          if (this.line.channel !== channel) return;
          // What was taken back meanwhile may still stand in the answer.
          if (ids.some((id, i) => this.takenBack(id) !== takenBack[i])) return this.learn(all);
          const { writes, unknown } = await this.applier().states(r.conversations);
          await this.write(writes);
          const left = [...all.slice(maxLearned), ...unknown];
          if (left.length > 0) this.learn(left);
        }),
      () => undefined, // the next connection asks again
    );
  }

  private async doOutbox(actions: OutboxAction[]): Promise<void> {
    for (const a of actions) {
      if (a.do === 'save') {
        await this.write([{ table: 'outbox', key: a.item.clientId, value: a.item }]);
      } else if (a.do === 'transmit') {
        this.transmit(a.item);
      } else if (a.do === 'sent') {
        const applied = await this.applier().sent(a.item, a.reply);
        await this.write(applied.writes);
        this.tell('sent', { clientId: a.item.clientId, reply: a.reply });
        await this.after(applied);
      } else if (a.do === 'failed') {
        const conversation = 'conversation' in a.item.target ? a.item.target.conversation : '';
        this.tell('undelivered', { clientId: a.item.clientId, conversation, error: a.error });
      } else {
        const { channel } = this.line;
        if (channel !== undefined) await this.line.lost(channel, { error: a.error });
      }
    }
  }

  private transmit(item: OutboxItem): void {
    const { channel } = this.line;
    if (channel === undefined) return;
    const { clientId } = item;
    this.fly(clientId, true);
    const answered = (work: () => OutboxAction[]) =>
      this.event(async () => {
        if (this.line.channel !== channel) return;
        this.fly(clientId, false);
        await this.doOutbox(work());
      });
    const { content, firstAttemptMs, target } = item;
    channel.request('Send', { ...target, clientId: fromHex(clientId), firstAttemptMs, content }).then(
      (reply) => answered(() => this.outbox.accepted(now(), clientId, reply)),
      (e: unknown) => {
        const error = asError(e);
        // Whether it arrived is unknown: the same request follows over the next connection.
        if (error.code === 'Network') this.event(() => this.line.lost(channel, { error }));
        else answered(() => this.outbox.refused(now(), clientId, error));
      },
    );
  }

  private fly(clientId: string, flying: boolean): void {
    if (flying) this.model.flying.add(clientId);
    else this.model.flying.delete(clientId);
    this.tell('flying', { clientId, flying });
  }

  // --- what the line says ---

  private lineOwner(): LineOwner {
    return {
      run: (work) => this.run(work),
      failed: (e) => this.failed(e),
      session: () => this.model.session,
      resume: () => ({ key: this.sync.presentable, version: this.sync.state.version }),
      behind: () => this.sync.behind,
      pushed: (p) => this.doSync(this.sync.notified(now(), p)),
      newer: () => this.doSync(this.sync.hasNewer(now())),
      signal: (s) => this.tell('signal', s),
      up: (channel) => this.up(channel),
      down: () => this.down(),
      stopped: () => this.setSession({ deviceToken: '', ticket: '' }),
      shown: (c) => this.tell('connection', c),
    };
  }

  private async up(channel: Channel): Promise<void> {
    const { ticket, ticketExpiresMs, timeMs } = channel.session;
    const at = now();
    await this.setSession({ ticket, ticketExpiresMs });
    await this.doSync(this.sync.connected(at));
    await this.doOutbox(this.outbox.connected(at, timeMs));
    const unlearned = this.model.unlearned();
    if (unlearned.length > 0) this.learn(unlearned);
  }

  private down(): void {
    this.sync.disconnected();
    this.outbox.disconnected();
    for (const clientId of [...this.model.flying]) this.fly(clientId, false);
  }

  private async setSession(s: Partial<Session>): Promise<void> {
    const { session } = this.model;
    if (session !== undefined) await this.write([{ table: 'meta', key: 'session', value: { ...session, ...s } }]);
  }

  // --- the store ---

  private applier(): Applier {
    return new Applier(this.model, this.storage, this.model.session?.user ?? '0');
  }

  private async write(writes: readonly Write[], expect?: string): Promise<void> {
    if (writes.length === 0) return;
    const place = ((this.model.meta.get('place') as number | undefined) ?? 0) + 1;
    const all: Write[] = [...writes, { table: 'meta', key: 'place', value: place }];
    await this.storage.write(expect === undefined ? { writes: all } : { writes: all, expect });
    this.tell('wrote', { writes: all, place });
  }
}
