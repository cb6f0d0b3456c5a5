import type {
  ChangeEvent, Connection, ConversationState, Me, Options, Outgoing, Sending, Sent, StoredMessage,
} from './api.js';
import { askByCode, type CodeState } from './code.js';
import type { OutboxItem, Target } from './core/outbox.js';
import { Emitter } from './emitter.js';
import { HongyanError, notLoggedIn } from './error.js';
import type { Told } from './engine.js';
import { addToId, maxId, minId, newClientId, toHex } from './ids.js';
import type { Calls } from './leader.js';
import { type Model, noChange } from './model.js';
import type { Storage } from './storage/storage.js';
import { post } from './transport/http.js';
import { upload, type UploadOptions } from './upload.js';
import { decode } from './wire/codec.js';
import type { Init } from './wire/init.js';
import type { OperationName } from './wire/table.js';
import type {
  Contact, Content, Device, DeviceClass, Group, Id, LoginReply, Media, Message, Profile, Replies,
  Requests, Signal,
} from './wire/types.js';

/** How many messages one call brings at most. */
export const maxMessages = 200;

/** @internal What a client stands on. */
export interface Ground {
  base: string;
  options: Options;
  model: Model;
  storage: Storage;
  /** The tab that holds the connection: this one or another. */
  leader: Calls;
  connection(): Connection;
  close(): Promise<void>;
}

interface Promised {
  item: OutboxItem;
  /** Whether it is in the outbox for certain. */
  stored: boolean;
  resolve(s: Sent): void;
  reject(e: HongyanError): void;
}

/** How many accounts of which nothing is known are remembered, so that nobody asks for them again. */
const maxUnknown = 5000;

/**
 * Client is the account of this browser profile, or of this process. State is read from memory; acts go to the server and
 * come back as changed state. Every promise breaks with a HongyanError.
 */
export class Client extends Emitter {
  private readonly promised = new Map<string, Promised>();
  /** Accounts whose profiles are to be asked for, and those that were: all that nothing is known of. */
  private readonly wanted = new Set<Id>();
  private readonly asked = new Set<Id>();
  private shownMe = '';
  private readonly closing = new AbortController();
  private lastUser: Id | undefined;
  private lastPlace = 0;

  /** @internal */
  constructor(private readonly ground: Ground) {
    super();
    this.shownMe = JSON.stringify(this.me);
    this.lastUser = ground.model.session?.user;
  }

  // --- what the leading tab tells ---

  /** @internal What the leading tab tells. */
  told<K extends keyof Told>(kind: K, what: Told[K]): void {
    const tell: { [K in keyof Told]: (what: Told[K]) => void } = {
      wrote: ({ writes }) => this.changed(this.ground.model.apply(writes)),
      reloaded: () => {
        this.changed({ ...noChange(), reset: true });
        this.checkPromises();
      },
      flying: ({ clientId, flying }) => this.flew(clientId, flying),
      sent: ({ clientId, reply }) => this.settle(clientId, (p) => p.resolve(reply)),
      undelivered: (e) => {
        this.settle(e.clientId, (p) => p.reject(e.error));
        this.emit('undelivered', e);
      },
      connection: (c) => this.emit('connection', c),
      message: (m) => this.emit('message', m),
      signal: (s) => this.signalled(s),
    };
    tell[kind](what);
  }

  /** What became of a message may have been told by a tab that crashed before it could say so. */
  private checkPromises(): void {
    const { model, leader } = this.ground;
    for (const [clientId, p] of this.promised) {
      const item = model.outbox.get(clientId);
      if (item?.state === 'failed') this.settle(clientId, (failed) => failed.reject(model.asOutgoing(item).error!));
      // The server knows what it has taken by its id, and says again what has become of it.
      else if (item === undefined && p.stored) leader.send(p.item).catch((e: HongyanError) => this.settle(clientId, (q) => q.reject(e)));
    }
  }

  /** @internal Memory has changed. */
  changed(change: ChangeEvent): void {
    const user = this.ground.model.session?.user;
    if (user !== this.lastUser) {
      this.lastUser = user;
      for (const clientId of [...this.promised.keys()]) this.settle(clientId, (p) => p.reject(notLoggedIn()));
    }
    const me = JSON.stringify(this.me);
    if (me !== this.shownMe) {
      this.shownMe = me;
      this.emit('session', this.me);
    }
    this.emit('change', change);
  }

  private flew(clientId: string, flying: boolean): void {
    const { model } = this.ground;
    if (flying) model.flying.add(clientId);
    else model.flying.delete(clientId);
    const item = model.outbox.get(clientId);
    if (item) this.changed(model.apply([{ table: 'outbox', key: clientId, value: item }]));
  }

  private settle(clientId: string, how: (p: Promised) => void): void {
    const promised = this.promised.get(clientId);
    this.promised.delete(clientId);
    if (promised) how(promised);
  }

  private signalled(s: unknown): void {
    const { typing } = decode<Signal>('Signal', s);
    if (typing) this.emit('typing', typing);
  }

  // --- session ---

  /** Who is logged in; null: nobody. */
  get me(): Me | null {
    return this.ground.model.me;
  }

  /** Creates an account and logs in. */
  async register(r: { name: string; password: string; displayName?: string; invitation?: string }): Promise<Me> {
    return this.loggedIn(await post(this.ground, 'Register', { ...r, device: this.device() }));
  }

  /** Logs in by password. */
  async login(r: { name: string; password: string }): Promise<Me> {
    const { session } = this.ground.model;
    const deviceToken = session?.name === r.name.toLowerCase() ? session.deviceToken : '';
    return this.loggedIn(await post(this.ground, 'Login', { ...r, device: this.device(), deviceToken }));
  }

  /**
   * Begins a login that another device confirms: show `url` as a QR code. `done` is kept when it has been confirmed, and
   * broken with NOT_FOUND when the code is over, with FORBIDDEN when the other device has declined.
   */
  async loginByCode(
    r: { signal?: AbortSignal; onState?(s: CodeState): void } = {},
  ): Promise<{ code: string; url: string; expiresMs: number; done: Promise<Me> }> {
    const ask = { base: this.ground.base, signal: this.untilClosed(r.signal) };
    const { reply, ...shown } = await askByCode(ask, this.device(), r.onState);
    const done = reply.then((l) => this.loggedIn(l));
    quietly(done);
    return { ...shown, done };
  }

  /** Who asks for a login by a code, which the asking side is told is being looked at. */
  async readLogin(code: string): Promise<{ device: Device; address: string; askedMs: number }> {
    const { device, address, askedMs } = await this.request('ReadLogin', { code });
    return { device: device!, address, askedMs };
  }

  /** Lets the device in that shows a code, or not. */
  async answerLogin(code: string, accept: boolean): Promise<void> {
    await this.request('AnswerLogin', { code, accept });
  }

  /** A signal that ends what goes on by itself when the client is closed, or before. */
  private untilClosed(signal?: AbortSignal): AbortSignal {
    return signal === undefined ? this.closing.signal : AbortSignal.any([signal, this.closing.signal]);
  }

  private async loggedIn(reply: LoginReply): Promise<Me> {
    await this.ground.leader.login(reply);
    return this.me!;
  }

  private device(): { name: string; class: DeviceClass } {
    const inBrowser = typeof document !== 'undefined';
    const { deviceName = inBrowser ? 'Browser' : 'Node', deviceClass = inBrowser ? 'WEB' : 'CLI' } = this.ground.options;
    return { name: deviceName, class: deviceClass };
  }

  /** Ends this device on the server, and forgets everything that is stored. */
  logout(): Promise<void> {
    return this.ground.leader.logout();
  }

  /** Lets go of the connection and the store. Nothing may be called afterwards. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.ground.close();
    for (const clientId of [...this.promised.keys()]) {
      this.settle(clientId, (p) => p.reject(new HongyanError('Closed', 'the client is closed')));
    }
  }

  /** The present state of the connection. */
  get connection(): Connection {
    return this.ground.connection();
  }

  /** Makes the next attempt to connect now. */
  reconnectNow(): void {
    quietly(this.ground.leader.reconnectNow());
  }

  /**
   * Takes the server's state although it may have lost data. Only a person may decide so, when `connection.problem` is
   * KEY_AHEAD; what the server has lost is gone from here as well then, but for the outbox.
   */
  startOver(): Promise<void> {
    return this.ground.leader.startOver();
  }

  /**
   * Looks at once whether the connection is alive and whether a better way is open. Browsers tell the client by
   * themselves when the network changes or the page is looked at again; elsewhere call this.
   */
  networkChanged(): void {
    quietly(this.ground.leader.networkChanged(true));
  }

  // --- local state ---

  /** All known conversations by id. Each value is replaced, not changed, when something about it changes. */
  get conversations(): ReadonlyMap<string, ConversationState> {
    return this.ground.model.conversations;
  }

  /** Contacts, requests and blocks by account. */
  get contacts(): ReadonlyMap<Id, Contact> {
    return this.ground.model.contacts;
  }

  /** Groups of this account by id, without members unless getGroup was called. */
  get groups(): ReadonlyMap<Id, Group> {
    return this.ground.model.groups;
  }

  /** Values that the account's devices share, by name. */
  get settings(): ReadonlyMap<string, Uint8Array> {
    return this.ground.model.settings;
  }

  /** The account's devices. */
  get devices(): readonly Device[] {
    return this.ground.model.devices;
  }

  /** A known profile. For an unknown one the server is asked in the background, and a change event follows. */
  profileOf(user: Id): Profile | undefined {
    const known = this.ground.model.profileOf(user);
    if (known === undefined && user !== '0') this.want(user);
    return known;
  }

  private want(user: Id): void {
    if (this.wanted.has(user) || this.asked.has(user)) return;
    this.wanted.add(user);
    if (this.wanted.size === 1) this.lookUpSoon();
  }

  /** Asks for the wanted: all that one drawing of a page asks for go in one request. */
  private lookUpSoon(): void {
    setTimeout(() => {
      const users = [...this.wanted].slice(0, 100);
      for (const u of users) {
        this.wanted.delete(u);
        this.asked.add(u);
      }
      if (this.wanted.size > 0) this.lookUpSoon();
      this.ground.leader.lookUp(users).then(
        () => {
          // Those that do not exist stay, so that nobody asks for them again.
          for (const u of users) if (this.ground.model.profiles.has(u)) this.asked.delete(u);
          if (this.asked.size > maxUnknown) this.asked.clear();
        },
        () => users.forEach((u) => this.asked.delete(u)),
      );
    }, 20);
  }

  /**
   * Messages of a conversation by ordinal, both ends included and at most 200, in order. What the store lacks is fetched
   * from the server's history; the promise breaks with Network where that cannot be done. Ordinals are dense, but for
   * messages that were removed.
   */
  async messages(conversation: string, range: { from: Id; to: Id }): Promise<StoredMessage[]> {
    const { model, leader } = this.ground;
    const { from, to, size } = this.within(conversation, range);
    const cached = size === 0 ? [] : model.cached(conversation, from, to);
    if (cached.length === size) return cached;
    const stored = await this.storedMessages(conversation, range);
    if (stored.length === size) return stored;
    // Whether the others were removed or have to be fetched, the leading tab knows.
    await leader.fill(conversation, from, to);
    return this.storedMessages(conversation, range);
  }

  /** What the store has of a range of messages, in order: all that can be shown of it without a connection. */
  async storedMessages(conversation: string, range: { from: Id; to: Id }): Promise<StoredMessage[]> {
    const { model, storage } = this.ground;
    const { from, to, size } = this.within(conversation, range);
    return size === 0 ? [] : model.read(storage, conversation, from, to, maxMessages);
  }

  /** The part of a range that this account may see and one call may bring, and how many ordinals that is. */
  private within(conversation: string, range: { from: Id; to: Id }): { from: Id; to: Id; size: number } {
    const bounds = this.ground.model.bounds(conversation);
    const from = maxId(range.from, bounds.from);
    const to = minId(minId(range.to, bounds.to), addToId(from, maxMessages - 1));
    return { from, to, size: Math.max(0, Number(BigInt(to) - BigInt(from)) + 1) };
  }

  /** What memory has of a range, in order. */
  cachedMessages(conversation: string, range: { from: Id; to: Id }): StoredMessage[] {
    return this.ground.model.cached(conversation, range.from, minId(range.to, addToId(range.from, maxMessages - 1)));
  }

  /** What is written and not yet durable on the server, in order. */
  outbox(conversation: string): readonly Outgoing[] {
    return this.ground.model.outgoing(conversation);
  }

  // --- messages ---

  /**
   * Puts a message into the outbox. It is stored before it is sent, and survives a reload from then on. The promise is
   * kept when the message is durable on the server; it may be left alone, because a change event tells the same.
   */
  send(target: Target, content: Init<Content>): Sending {
    const { model } = this.ground;
    const createdMs = Date.now();
    // What waits since a time that the clock says is yet to come goes first all the same.
    if (this.lastPlace === 0) for (const i of model.outbox.values()) this.lastPlace = Math.max(this.lastPlace, i.place);
    this.lastPlace = Math.max(this.lastPlace + 1, createdMs);
    const item: OutboxItem = {
      clientId: newClientId(),
      user: model.session?.user ?? '0',
      target: this.resolve(target),
      content,
      createdMs,
      place: this.lastPlace,
      state: 'waiting',
      firstAttemptMs: 0,
      refusals: 0,
    };
    if (model.session === undefined) {
      const acknowledged = Promise.reject(notLoggedIn());
      quietly(acknowledged);
      return { ...model.asOutgoing(item), acknowledged };
    }
    let promised!: Promised;
    const acknowledged = new Promise<Sent>((resolve, reject) => {
      promised = { item, stored: false, resolve, reject };
      this.promised.set(item.clientId, promised);
    });
    quietly(acknowledged);
    this.changed(model.hold(item, true));
    this.ground.leader
      .send(item)
      .then(
        () => (promised.stored = true),
        (e: HongyanError) => this.settle(item.clientId, (p) => p.reject(e)),
      )
      .finally(() => this.changed(model.hold(item, false)));
    return { ...model.asOutgoing(item), acknowledged };
  }

  /** The conversation with the account of a name, if the account is known. */
  private resolve(target: Target): Target {
    if ('conversation' in target) return target;
    const named = { name: target.name.toLowerCase() };
    const { conversation } = this.ground.model.whereto(named);
    return conversation === undefined ? named : { conversation };
  }

  /** Sends a failed message again, under the same id. */
  resend(clientId: string): Promise<void> {
    return this.ground.leader.resend(clientId);
  }

  /** Drops a failed message. */
  discard(clientId: string): Promise<void> {
    return this.ground.leader.discard(clientId);
  }

  /**
   * Uploads a file, and gives the Media that a message carries, as in `send(target, { image: media })`. The same file
   * uploaded again after a failure goes on where it was.
   */
  upload(file: Blob, options?: UploadOptions): Promise<Media> {
    const { base, leader } = this.ground;
    const signal = this.untilClosed(options?.signal);
    return upload(async () => ({ base, token: await leader.ticket() }), file, { ...options, signal });
  }

  /** Where a file is fetched, or its thumbnail. It needs no token: the reference is the key. */
  mediaUrl(ref: string, thumbnail = false): string {
    return `${this.ground.base}/v1/media/${encodeURIComponent(ref)}${thumbnail ? '/thumbnail' : ''}`;
  }

  /** Raises the read mark: here at once, on the server soon. */
  markRead(conversation: string, ordinal: Id): void {
    quietly(this.ground.leader.markRead(conversation, ordinal));
  }

  /** Tells the others that one is writing. It may be called at every key: at most one in 3 s is sent. */
  typing(conversation: string): void {
    quietly(this.ground.leader.typing(conversation));
  }

  /** Keeps what is typed; empty: nothing. */
  setDraft(conversation: string, text: string): void {
    quietly(this.ground.leader.setDraft(conversation, text));
  }

  // --- anything ---

  /** Tells the operator what became of the last attempts to connect. requestId names the report, for a question to them. */
  report(): Promise<{ requestId: string }> {
    return this.ground.leader.report();
  }

  protected keepProfiles(profiles: readonly Profile[]): Promise<void> {
    return this.ground.leader.keepProfiles(profiles);
  }

  /** Asks for any operation. Without a connection it waits 8 s for one. */
  request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs?: number): Promise<Replies[N]> {
    return this.ground.leader.request(name, body, waitMs);
  }
}

/** The client id of a message as the outbox has it: in hexadecimal. */
export function clientIdOf(m: Message): string {
  return toHex(m.clientId);
}

/** Lets a failure be: who wants to know of it is told in another way. */
function quietly(work: Promise<unknown>): void {
  work.catch(() => undefined);
}
