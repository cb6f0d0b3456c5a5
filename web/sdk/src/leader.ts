import type { Connection } from './api.js';
import { now } from './clock.js';
import type { OutboxItem } from './core/outbox.js';
import { gaps } from './coverage.js';
import { Engine, type Tell } from './engine.js';
import type { Dialing } from './dial.js';
import { notLoggedIn } from './error.js';
import { addToId, compareIds, maxId, minId, newClientId } from './ids.js';
import type { Model } from './model.js';
import { readKey, type Storage, type Write } from './storage/storage.js';
import { networkName, systemName } from './system.js';
import { fetchJson, post } from './transport/http.js';
import type { Init } from './wire/init.js';
import type { OperationName } from './wire/table.js';
import type { Id, LoginReply, Profile, Replies, Requests } from './wire/types.js';

/** How many messages one answer of History brings at most. */
const historyPage = 200;

/** How many profiles of others are kept; those that were asked for first go. */
const maxProfiles = 5000;

/** How long read marks are gathered before they are sent. */
const readDelayMs = 300;

/** How long a ticket has to live yet to be given away. */
const ticketLeftMs = 600_000;

/** The least time between two Typing of a conversation. */
const typingEveryMs = 3000;

/**
 * What the tab that holds the connection does for all tabs. Arguments and answers are plain data, because they come from
 * other tabs as well.
 */
export class Leader {
  private readonly engine: Engine;
  private readonly fills = new Map<string, Promise<void>>();
  private readonly typed = new Map<string, number>();
  private online = false;
  private readTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly model: Model,
    storage: Storage,
    private readonly dial: Dialing,
    tell: Tell,
    private readonly learnAddresses: () => Promise<readonly Write[]>,
  ) {
    this.engine = new Engine(model, storage, dial, (kind, what) => {
      tell(kind, what);
      if (kind === 'connection') this.connectionChanged(what as Connection);
    });
  }

  private connectionChanged(c: Connection): void {
    const online = c.phase === 'online';
    if (online && !this.online) {
      this.sendReads();
      // The list is of use for the next time alone: what fails now is asked for then.
      void this.quietly(this.learnAddresses().then((writes) => this.engine.store(() => writes)));
    }
    this.online = online;
  }

  get connection(): Connection {
    return this.engine.connection;
  }

  start(): Promise<void> {
    return this.engine.start();
  }

  close(): Promise<void> {
    clearTimeout(this.readTimer);
    return this.engine.close();
  }

  login(reply: LoginReply): Promise<void> {
    return this.engine.login(reply);
  }

  logout(): Promise<void> {
    return this.engine.logout();
  }

  request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs?: number): Promise<Replies[N]> {
    return this.engine.request(name, body, waitMs);
  }

  send(item: OutboxItem): Promise<void> {
    return this.engine.send(item);
  }

  resend(clientId: string): Promise<void> {
    return this.engine.resend(clientId);
  }

  discard(clientId: string): Promise<void> {
    return this.engine.discard(clientId);
  }

  reconnectNow(): Promise<void> {
    return this.engine.reconnectNow();
  }

  startOver(): Promise<void> {
    return this.engine.startOver();
  }

  networkChanged(online: boolean): Promise<void> {
    return this.engine.networkChanged(online);
  }

  setDraft(conversation: string, text: string): Promise<void> {
    return this.engine.store(() => [{ table: 'drafts', key: conversation, ...(text === '' ? {} : { value: text }) }]);
  }

  async typing(conversation: string): Promise<void> {
    const at = now();
    if (at - (this.typed.get(conversation) ?? 0) < typingEveryMs || this.engine.connection.phase !== 'online') return;
    this.typed.set(conversation, at);
    await this.engine.request('Typing', { conversation });
  }

  /** A ticket that is good for some time yet. */
  async ticket(): Promise<string> {
    const { session } = this.model;
    if (session === undefined || session.deviceToken === '') {
      throw notLoggedIn();
    }
    if (session.ticketExpiresMs > Date.now() + ticketLeftMs) return session.ticket;
    const { ticket, ticketExpiresMs } = await this.dial.everywhere((base) =>
      post({ base }, 'Auth', { token: session.deviceToken }),
    );
    await this.engine.store(() => {
      const now = this.model.session;
      if (now?.deviceToken !== session.deviceToken) return []; // logged out meanwhile
      return [{ table: 'meta', key: 'session', value: { ...now, ticket, ticketExpiresMs } }];
    });
    return ticket;
  }

  /** Raises the read mark here at once, and on the server as soon as it can be told. */
  async markRead(conversation: string, ordinal: Id): Promise<void> {
    await this.engine.store(() => {
      const record = this.model.records.get(conversation);
      if (record === undefined) return [];
      // One's own newest may be known before what others have written below it.
      const read = minId(ordinal, maxId(record.last, record.sent ?? '0'));
      if (compareIds(read, record.read) <= 0) return [];
      const passed = compareIds(read, record.last) >= 0 ? record.unread : this.passed(conversation, record.read, read);
      return [
        { table: 'conversations', key: conversation, value: { ...record, read, unread: Math.max(0, record.unread - passed) } },
        { table: 'meta', key: readKey + conversation, value: read },
      ];
    });
    clearTimeout(this.readTimer);
    this.readTimer = setTimeout(() => this.sendReads(), readDelayMs);
  }

  /** How many messages of others memory holds above one ordinal up to another. */
  private passed(conversation: string, after: Id, to: Id): number {
    const from = maxId(addToId(after, 1), addToId(to, -historyPage));
    return this.model.cached(conversation, from, to).filter((m) => !m.own && m.state === 'PRESENT').length;
  }

  private sendReads(): void {
    if (this.engine.connection.phase !== 'online') return;
    for (const [key, value] of this.model.meta) {
      if (!key.startsWith(readKey)) continue;
      const ordinal = value as Id;
      const told = () => {
        void this.quietly(this.engine.store(() => (this.model.meta.get(key) === ordinal ? [{ table: 'meta', key }] : [])));
      };
      this.engine.request('MarkRead', { conversation: key.slice(readKey.length), ordinal }).then(told, (e: unknown) => {
        // What the server will never take is forgotten; the rest goes with the next connection.
        if ((e as { code?: string }).code === 'NOT_FOUND' || (e as { code?: string }).code === 'INVALID') told();
      });
    }
  }

  /** Has the store filled from the server's history between two ordinals, both included. */
  fill(conversation: string, from: Id, to: Id): Promise<void> {
    const name = `${conversation} ${from} ${to}`;
    let work = this.fills.get(name);
    if (work === undefined) {
      work = this.fillGaps(conversation, from, to).finally(() => this.fills.delete(name));
      this.fills.set(name, work);
    }
    return work;
  }

  private async fillGaps(conversation: string, from: Id, to: Id): Promise<void> {
    for (const [first, last] of gaps(this.model.coverageOf(conversation), from, to)) {
      // Downwards: a question for what is above 0 would be one for the newest.
      let end = last;
      while (compareIds(first, end) <= 0) {
        const takenBack = this.engine.takenBack(conversation);
        const limit = Math.min(historyPage, Number(BigInt(end) - BigInt(first)) + 1);
        const page = await this.engine.request('History', { conversation, before: addToId(end, 1), limit });
        const messages = page.messages.filter((m) => compareIds(m.ordinal, first) >= 0);
        const oldest = messages[0]?.ordinal;
        // What is missing between two was removed; so is all the rest if there is no more.
        const begin = page.more && oldest !== undefined ? oldest : first;
        const until = end;
        let kept = true;
        await this.engine.apply(async (a) => {
          // What was recalled or removed while the page was on its way may stand in it as if it were not.
          kept = this.engine.takenBack(conversation) === takenBack;
          return kept ? a.history(conversation, messages, begin, until) : undefined;
        });
        if (kept) end = addToId(begin, -1);
      }
    }
  }

  /** Asks for profiles and keeps them. */
  async lookUp(users: readonly Id[]): Promise<void> {
    const { profiles } = await this.engine.request('Profiles', { users });
    await this.keepProfiles(profiles);
  }

  async keepProfiles(profiles: readonly Profile[]): Promise<void> {
    await this.engine.store(() => {
      const writes: Write[] = profiles.map((value) => ({ table: 'profiles', key: value.user, value }));
      const excess = this.model.profiles.size + writes.length - maxProfiles;
      for (const user of this.model.profiles.keys()) {
        if (writes.length >= profiles.length + excess) break;
        if (!this.model.contacts.has(user) && user !== this.model.session?.user) writes.push({ table: 'profiles', key: user });
      }
      return writes;
    });
  }

  /** Tells the operator what became of the last attempts to connect, over whatever path works. */
  async report(): Promise<{ requestId: string }> {
    const { connection } = this;
    const waiting = [...this.model.outbox.values()].filter((i) => i.state === 'waiting').length;
    const attempts = this.dial.attempts.map((a) => ({ ...a, atMs: String(a.atMs) }));
    const report = { client: systemName(), network: networkName(), sinceMs: String(connection.since), waiting, attempts };
    return this.dial.everywhere(async (base) => {
      const token = base.startsWith('https:') ? this.model.session?.ticket : undefined;
      const body = JSON.stringify(report);
      const requestId = newClientId();
      const headers = { 'Content-Type': 'application/json', 'X-Request-Id': requestId };
      await fetchJson({ base, ...(token ? { token } : {}) }, '/v1/report', { method: 'POST', headers, body });
      return { requestId };
    });
  }

  private async quietly(work: Promise<unknown>): Promise<void> {
    await work.catch(() => undefined);
  }
}

/** The methods of Leader that other tabs may call. */
export type Calls = Omit<Leader, 'connection' | 'start' | 'close'>;
