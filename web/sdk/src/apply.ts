import type { StoredMessage } from './api.js';
import { above, cover, type Coverage } from './coverage.js';
import type { Commit } from './core/sync.js';
import { compareIds, directConversation, fromHex, groupConversation, maxId, peerOf, toHex } from './ids.js';
import type { ConversationRecord, Model } from './model.js';
import { lastKey, messageKey, type Storage, type Write } from './storage/storage.js';
import type { Change, Contact, Conversation, Group, Id, Message, Profile, Receipt, Recall, SendReply } from './wire/types.js';
import type { OutboxItem } from './core/outbox.js';

/** 1,000 stands for 1,000 or more. */
const maxUnread = 1000;

/** What an applied commit comes to. */
export interface Applied {
  writes: Write[];
  /** Messages that are new here and now. */
  news: StoredMessage[];
  /** Client ids of the outbox whose messages have come. */
  arrived: { clientId: string; message: Message }[];
  /** Conversations of which the server has to be asked. */
  unknown: Set<string>;
  /** Conversations of which messages were recalled, removed or cleared. */
  takenBack: Set<string>;
}

/**
 * Applier works out what a commit writes, by docs/PROTOCOL.md, "Changes" and "Notify". It changes nothing itself: what it
 * has worked out so far lies over the model until the writes are stored.
 */
export class Applier {
  private readonly conversations = new Map<string, ConversationRecord>();
  private readonly coverage = new Map<string, Coverage>();
  private readonly messages = new Map<string, StoredMessage | null>();
  private readonly writes: Write[] = [];
  private readonly news: StoredMessage[] = [];
  private readonly arrived: { clientId: string; message: Message }[] = [];
  private readonly unknown = new Set<string>();
  private readonly takenBack = new Set<string>();
  private dropped = false;

  constructor(
    private readonly model: Model,
    private readonly storage: Storage,
    private readonly me: Id,
  ) {}

  async commit(c: Commit): Promise<Applied> {
    if (c.reset !== undefined) this.reset(c.reset === 'GENERATION');
    const fresh = !c.backfilled && c.reset === undefined;
    for (const change of c.changes) await this.change(change, c.derive, fresh);
    for (const state of c.conversations) {
      await this.present(state);
      this.unknown.delete(state.id);
    }
    this.writes.push({ table: 'meta', key: 'sync', value: c.state });
    return this.done();
  }

  /** The states of conversations that the server was asked for; unknown stays of which more has come in the meantime. */
  async states(states: readonly Conversation[]): Promise<Applied> {
    for (const state of states) {
      const held = this.record(state.id);
      if (held === undefined || compareIds(state.last, held.last) >= 0) await this.present(state);
      else this.unknown.add(state.id);
    }
    return this.done();
  }

  /** Messages of a page of history, which covers a range. */
  async history(conversation: string, messages: readonly Message[], from: Id, to: Id): Promise<Applied> {
    for (const m of messages) await this.putMessage(m);
    this.cover(conversation, from, to);
    return this.done();
  }

  /** The message that an item of the outbox has become, as far as is known before the log brings it. */
  async sent(item: OutboxItem, reply: SendReply): Promise<Applied> {
    const message: Message = {
      ...reply,
      from: this.me,
      fromName: this.model.session?.name ?? '',
      clientId: fromHex(item.clientId),
      content: { caption: '', mentions: [], mentionAll: false, ...(item.content as object) },
      state: 'PRESENT',
    };
    this.writes.push({ table: 'outbox', key: item.clientId });
    await this.putMessage(message);
    this.cover(reply.conversation, reply.ordinal, reply.ordinal);
    const record = this.record(reply.conversation) ?? this.model.unknown(reply.conversation);
    if (this.record(reply.conversation) === undefined) this.unknown.add(reply.conversation);
    this.putConversation(withLast({ ...record, sent: maxId(record.sent ?? '0', reply.ordinal), hidden: false }, message));
    return this.done();
  }

  private done(): Applied {
    for (const [key, value] of this.conversations) this.writes.push({ table: 'conversations', key, value });
    for (const [key, value] of this.coverage) this.writes.push({ table: 'coverage', key, value });
    const { writes, news, arrived, unknown, takenBack } = this;
    return { writes, news, arrived, unknown, takenBack };
  }

  /** Drops what is known of conversations and states, and after another generation the messages; never the outbox. */
  private reset(messagesToo: boolean): void {
    this.dropped = true;
    for (const table of ['conversations', 'contacts', 'groups', 'settings'] as const) {
      this.writes.push({ table, from: '', to: lastKey });
    }
    this.writes.push({ table: 'meta', key: 'devices' });
    if (!messagesToo) return;
    this.writes.push({ table: 'messages', from: '', to: lastKey }, { table: 'coverage', from: '', to: lastKey });
    for (const id of this.model.coverage.keys()) this.coverage.set(id, []);
  }

  private async change(c: Change, derive: boolean, fresh: boolean): Promise<void> {
    if (c.message) await this.message(c.message, derive, fresh);
    else if (c.recall) await this.recall(c.recall, derive);
    else if (c.removal) for (const n of c.removal.ordinals) await this.remove(c.removal.conversation, n);
    else if (c.contact?.profile) this.contact(c.contact, c.contact.profile);
    else if (c.group) this.group(c.group);
    else if (c.conversation) await this.view(c.conversation);
    else if (c.receipt) this.receipt(c.receipt);
    else if (c.profile) this.put('profiles', c.profile.user, c.profile);
    else if (c.devices) this.put('meta', 'devices', c.devices.devices);
    else if (c.setting) this.put('settings', c.setting.name, c.setting.value.length > 0 ? c.setting.value : undefined);
  }

  private async message(m: Message, derive: boolean, fresh: boolean): Promise<void> {
    const mine = m.from === this.me;
    // One's own that was sent from here is known already, by its acknowledgement.
    const known = fresh && mine && (await this.find(m.conversation, m.ordinal)) !== undefined;
    const stored = await this.putMessage(m);
    this.cover(m.conversation, m.ordinal, m.ordinal);
    const clientId = mine ? toHex(m.clientId) : '';
    const waits = mine && this.model.outbox.has(clientId);
    if (waits) {
      this.writes.push({ table: 'outbox', key: clientId });
      this.arrived.push({ clientId, message: m });
    }
    if (fresh && m.state === 'PRESENT' && !waits && !known) this.news.push(stored);
    let record = this.record(m.conversation);
    if (record === undefined) {
      if (!derive) return; // its state comes with the page
      this.unknown.add(m.conversation);
      record = this.model.unknown(m.conversation);
      if (!record.title) record = { ...record, title: m.fromName };
    }
    if (!derive) return this.putConversation(withLast(record, stored));
    const counts = compareIds(m.ordinal, record.last) > 0 && m.state === 'PRESENT' && this.isUnread(record, m);
    this.putConversation(
      withLast(
        {
          ...record,
          last: maxId(record.last, m.ordinal),
          unread: Math.min(record.unread + (counts ? 1 : 0), maxUnread),
          hidden: false,
        },
        stored,
      ),
    );
  }

  private isUnread(c: ConversationRecord, m: Message): boolean {
    return m.from !== this.me && compareIds(m.ordinal, maxId(c.read, c.joined)) > 0;
  }

  private async recall(r: Recall, derive: boolean): Promise<void> {
    this.takenBack.add(r.conversation);
    const held = await this.find(r.conversation, r.ordinal);
    const record = this.record(r.conversation);
    if (held === undefined || held.state !== 'PRESENT') return;
    const { content: _, ...rest } = held;
    const stub: StoredMessage = { ...rest, state: 'RECALLED' };
    this.putStored(stub);
    if (record === undefined) return;
    // A count that has reached its limit is not exact and stays.
    const counted = derive && record.unread > 0 && record.unread < maxUnread && this.isUnread(record, held);
    this.putConversation(withLast({ ...record, unread: record.unread - (counted ? 1 : 0) }, stub));
  }

  private async remove(conversation: string, ordinal: Id): Promise<void> {
    this.takenBack.add(conversation);
    this.messages.set(messageKey(conversation, ordinal), null);
    this.writes.push({ table: 'messages', key: messageKey(conversation, ordinal) });
    this.cover(conversation, ordinal, ordinal);
    const record = this.record(conversation);
    if (record?.lastMessage?.ordinal !== ordinal) return;
    const { lastMessage: _, ...rest } = record;
    const before = await this.newest(conversation, ordinal);
    this.putConversation(before === undefined ? rest : { ...rest, lastMessage: before });
  }

  /** The newest message that is held below an ordinal. */
  private async newest(conversation: string, below: Id): Promise<Message | undefined> {
    const to = messageKey(conversation, below);
    // One page is enough unless somebody removes very many at a time: then the list shows nothing until the next message.
    const page = (await this.storage.range('messages', messageKey(conversation, '1'), to, 200, true)) as StoredMessage[];
    const stored = page.findLast((m) => this.messages.get(messageKey(conversation, m.ordinal)) !== null && m.ordinal !== below);
    const come = this.newestCome(conversation, below);
    return compareIds(come?.ordinal ?? '0', stored?.ordinal ?? '0') > 0 ? come : stored;
  }

  /** The newest message of a conversation below an ordinal among those that have just come. */
  private newestCome(conversation: string, below?: Id): StoredMessage | undefined {
    let newest: StoredMessage | undefined;
    for (const m of this.messages.values()) {
      if (m?.conversation !== conversation || (below !== undefined && compareIds(m.ordinal, below) >= 0)) continue;
      if (compareIds(m.ordinal, newest?.ordinal ?? '0') > 0) newest = m;
    }
    return newest;
  }

  private contact(c: Contact, profile: Profile): void {
    this.profile(profile);
    this.put('contacts', profile.user, c.state === 'NONE' && !c.blocked ? undefined : c);
    const record = this.record(directConversation(this.me, profile.user));
    if (record) this.putConversation({ ...record, peer: profile, title: c.remark || profile.displayName || profile.name });
  }

  /** A profile that a contact or a conversation has brought, which keeps it: another copy is only kept up to date. */
  private profile(p: Profile): void {
    if (this.model.profiles.has(p.user)) this.put('profiles', p.user, p);
  }

  private group(g: Group): void {
    const { members = [], asking = [] } = this.dropped ? {} : (this.model.groups.get(g.id) ?? {});
    this.put('groups', g.id, { ...g, members, asking });
    const record = this.record(groupConversation(g.id));
    if (record && g.title && record.title !== g.title) this.putConversation({ ...record, title: g.title });
  }

  /** The account's own view has changed. What grows by itself never shrinks by it. */
  private async view(c: Conversation): Promise<void> {
    const held = this.record(c.id);
    if (held === undefined) return this.present(c);
    await this.present({
      ...c,
      last: maxId(c.last, held.last),
      delivered: maxId(c.delivered, held.delivered),
      peerRead: maxId(c.peerRead, held.peerRead),
    });
  }

  private async present(c: Conversation): Promise<void> {
    const held = this.record(c.id);
    if (c.cleared !== '0' && compareIds(c.cleared, held?.cleared ?? '0') > 0) this.forget(c.id, c.cleared);
    // The messages of a conversation that was not known have come before its state.
    let { lastMessage = held === undefined ? this.newestCome(c.id) : held.lastMessage } = c;
    if (lastMessage && c.lastMessage) {
      const stored = await this.putMessage(lastMessage);
      this.cover(c.id, lastMessage.ordinal, lastMessage.ordinal);
      lastMessage = stored;
    }
    if (lastMessage && compareIds(lastMessage.ordinal, c.cleared) <= 0) lastMessage = undefined;
    const { lastMessage: _, ...rest } = c;
    if (c.peer) this.profile(c.peer);
    // A read mark that was set here and has not been told yet is ahead of the server's.
    const ahead = held !== undefined && compareIds(held.read, c.read) > 0;
    this.putConversation({
      ...rest,
      ...(ahead ? { read: held.read, unread: compareIds(held.read, c.last) >= 0 ? 0 : Math.min(c.unread, held.unread) } : {}),
      ...(lastMessage ? { lastMessage } : {}),
      ...(held?.sent && compareIds(held.sent, c.last) > 0 ? { sent: held.sent } : {}),
    });
  }

  /** Forgets the messages up to an ordinal, which the account has cleared. */
  private forget(conversation: string, ordinal: Id): void {
    this.takenBack.add(conversation);
    this.writes.push({
      table: 'messages',
      from: messageKey(conversation, '0'),
      to: messageKey(conversation, ordinal),
    });
    this.coverage.set(conversation, above(this.coverageOf(conversation), ordinal));
  }

  private receipt(r: Receipt): void {
    const record = this.record(r.conversation);
    if (record === undefined || peerOf(r.conversation, this.me) !== r.reader) return;
    const delivered = maxId(record.delivered, r.delivered);
    const peerRead = maxId(record.peerRead, r.read);
    if (delivered !== record.delivered || peerRead !== record.peerRead) {
      this.putConversation({ ...record, delivered, peerRead });
    }
  }

  private record(id: string): ConversationRecord | undefined {
    return this.conversations.get(id) ?? (this.dropped ? undefined : this.model.records.get(id));
  }

  private coverageOf(id: string): Coverage {
    return this.coverage.get(id) ?? this.model.coverageOf(id);
  }

  private cover(id: string, from: Id, to: Id): void {
    this.coverage.set(id, cover(this.coverageOf(id), from, to));
  }

  private async find(conversation: string, ordinal: Id): Promise<StoredMessage | undefined> {
    const key = messageKey(conversation, ordinal);
    const pending = this.messages.get(key);
    if (pending !== undefined) return pending ?? undefined;
    return (await this.storage.get('messages', key)) as StoredMessage | undefined;
  }

  private async putMessage(m: Message): Promise<StoredMessage> {
    // Nothing but the place is left of an expired one on the server. What is held here says more.
    const held = m.state === 'EXPIRED' ? await this.find(m.conversation, m.ordinal) : undefined;
    if (held !== undefined) return held;
    const stored = { ...m, own: m.from === this.me };
    this.putStored(stored);
    return stored;
  }

  private putStored(m: StoredMessage): void {
    const key = messageKey(m.conversation, m.ordinal);
    this.messages.set(key, m);
    this.writes.push({ table: 'messages', key, value: m });
  }

  private putConversation(c: ConversationRecord): void {
    this.conversations.set(c.id, c);
  }

  private put(table: 'profiles' | 'contacts' | 'groups' | 'settings' | 'meta', key: string, value: unknown): void {
    this.writes.push(value === undefined ? { table, key } : { table, key, value });
  }
}

/** The state of a conversation with its newest message, if m is that. */
function withLast(c: ConversationRecord, m: Message): ConversationRecord {
  return compareIds(m.ordinal, c.lastMessage?.ordinal ?? '0') >= 0 ? { ...c, lastMessage: m } : c;
}
