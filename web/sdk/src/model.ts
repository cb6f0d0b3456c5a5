import type { ChangeEvent, ConversationState, Me, Outgoing, StoredMessage } from './api.js';
import type { OutboxItem, Target, Whereto } from './core/outbox.js';
import { HongyanError } from './error.js';
import { directConversation, groupOf, maxId, minId, peerOf } from './ids.js';
import { type Coverage, emptyCoverage } from './coverage.js';
import { messageKey, type Storage, type Table, tables, type Write } from './storage/storage.js';
import type { Contact, Conversation, Device, Group, Id, Profile } from './wire/types.js';

/** A conversation as it is stored. */
export interface ConversationRecord extends Conversation {
  /** The newest ordinal that this device was given for a message it sent, while `last` may not have come so far. */
  sent?: Id;
  /** Made of its messages: the server has not said yet what else there is to it. */
  unlearned?: true;
}

/** The credentials of a login, as meta's `session`. */
export interface Session {
  user: Id;
  name: string;
  device: Id;
  deviceToken: string;
  ticket: string;
  ticketExpiresMs: number;
}

/** How many messages a tab keeps in memory. */
export const maxCachedMessages = 4000;

/**
 * Model is what a tab has in memory of the store: all of the small tables, and the messages that were used last. It
 * changes by the very writes that change the store, which the leading tab passes on to the others. What is covered only
 * the leading tab has to know.
 */
export class Model {
  readonly meta = new Map<string, unknown>();
  readonly records = new Map<string, ConversationRecord>();
  readonly conversations = new Map<string, ConversationState>();
  readonly coverage = new Map<string, Coverage>();
  readonly contacts = new Map<Id, Contact>();
  readonly groups = new Map<Id, Group>();
  readonly settings = new Map<string, Uint8Array>();
  /** Those that were looked up. Contacts and direct conversations bring the profiles of many more. */
  readonly profiles = new Map<Id, Profile>();
  readonly outbox = new Map<string, OutboxItem>();
  readonly drafts = new Map<string, string>();
  /** Items that this tab has just made and that are being stored. */
  readonly unstored = new Map<string, OutboxItem>();
  /** Those on their way at the moment. */
  readonly flying = new Set<string>();
  private readonly cache = new Map<string, StoredMessage>();
  /** How often messages went from the store, or may have. */
  private deletions = 0;
  private readonly maps: Partial<Record<Table, Map<string, unknown>>> = {
    meta: this.meta,
    conversations: this.records as Map<string, unknown>,
    coverage: this.coverage as Map<string, unknown>,
    contacts: this.contacts as Map<string, unknown>,
    groups: this.groups as Map<string, unknown>,
    settings: this.settings as Map<string, unknown>,
    profiles: this.profiles as Map<string, unknown>,
    outbox: this.outbox as Map<string, unknown>,
    drafts: this.drafts as Map<string, unknown>,
  };

  /** Replaces everything but the coverage by what is stored. */
  async load(storage: Storage): Promise<void> {
    const names = tables.filter((t) => t !== 'messages' && t !== 'coverage');
    const contents = await Promise.all(names.map((t) => storage.all(t)));
    this.cache.clear();
    this.deletions++;
    this.conversations.clear();
    names.forEach((name, i) => {
      const map = this.maps[name]!;
      map.clear();
      for (const [key, value] of contents[i]!) map.set(key, value);
    });
    const ids = new Set([...this.records.keys(), ...this.drafts.keys()]);
    for (const item of this.outbox.values()) if ('conversation' in item.target) ids.add(item.target.conversation);
    for (const id of ids) this.show(id);
  }

  /** Replaces the coverage by what is stored. */
  async loadCoverage(storage: Storage): Promise<void> {
    const stored = (await storage.all('coverage')) as [string, Coverage][];
    this.coverage.clear();
    for (const [id, coverage] of stored) this.coverage.set(id, coverage);
  }

  get session(): Session | undefined {
    return this.meta.get('session') as Session | undefined;
  }

  get me(): Me | null {
    const s = this.session;
    if (s === undefined || s.deviceToken === '') return null;
    const p = this.profiles.get(s.user);
    const { displayName = s.name, avatar = '', bio = '' } = p ?? {};
    return { user: s.user, name: s.name, displayName: displayName || s.name, avatar, bio, device: s.device };
  }

  /** What is known of an account. */
  profileOf(user: Id): Profile | undefined {
    return (
      this.profiles.get(user) ??
      this.contacts.get(user)?.profile ??
      this.records.get(directConversation(this.session?.user ?? '0', user))?.peer
    );
  }

  /** The account of a name, if it is known. */
  userOf(name: string): Id | undefined {
    for (const p of this.profiles.values()) if (p.name === name) return p.user;
    for (const { profile } of this.contacts.values()) if (profile?.name === name) return profile.user;
    for (const { peer } of this.records.values()) if (peer?.name === name) return peer.user;
    return undefined;
  }

  /** What is known of where a message goes. */
  whereto(target: Target): Whereto {
    const me = this.session;
    if (me === undefined) return target;
    if ('name' in target) {
      const { name } = target;
      const user = name === me.name ? me.user : this.userOf(name);
      return user === undefined ? { name } : { name, conversation: directConversation(me.user, user) };
    }
    const peer = peerOf(target.conversation, me.user);
    const name = peer === undefined ? undefined : this.profileOf(peer)?.name;
    return { ...target, ...(name ? { name } : {}) };
  }

  get devices(): readonly Device[] {
    return (this.meta.get('devices') as Device[] | undefined) ?? [];
  }

  /** Takes over what was written to the store and tells what has changed. */
  apply(writes: readonly Write[]): ChangeEvent {
    const change = noChange();
    const shown = new Set<string>();
    for (const w of writes) {
      if (w.table === 'messages') this.applyMessages(w, change);
      else if ('from' in w) this.deleteRange(w.table, w.from, w.to, change, shown);
      else this.applyOne(w.table, w.key, w.value, change, shown);
    }
    for (const id of shown) {
      this.show(id);
      change.conversations.add(id);
    }
    return change;
  }

  /** What memory holds of a range of messages, in order. */
  cached(conversation: string, from: Id, to: Id): StoredMessage[] {
    const found: StoredMessage[] = [];
    for (let n = BigInt(from); n <= BigInt(to); n++) {
      const key = messageKey(conversation, n.toString());
      const message = this.cache.get(key);
      if (message === undefined) continue;
      this.remember(key, message);
      found.push(message);
    }
    return found;
  }

  /** Reads messages from the store and keeps them. What memory has by then is newer than what was read before. */
  async read(storage: Storage, conversation: string, from: Id, to: Id, limit: number): Promise<StoredMessage[]> {
    for (;;) {
      const { deletions } = this;
      const keys = [messageKey(conversation, from), messageKey(conversation, to)] as const;
      const stored = (await storage.range('messages', ...keys, limit)) as StoredMessage[];
      if (this.deletions !== deletions) continue; // one of them may be gone
      return stored.map((m) => {
        const key = messageKey(conversation, m.ordinal);
        const newest = this.cache.get(key) ?? m;
        this.remember(key, newest);
        return newest;
      });
    }
  }

  /** The outbox of a conversation in order. */
  outgoing(conversation: string): Outgoing[] {
    return this.itemsOf(conversation)
      .sort((a, b) => a.place - b.place)
      .map((i) => this.asOutgoing(i));
  }

  private itemsOf(conversation: string): OutboxItem[] {
    const items: OutboxItem[] = [];
    const take = (i: OutboxItem) => 'conversation' in i.target && i.target.conversation === conversation && items.push(i);
    for (const i of this.outbox.values()) take(i);
    for (const i of this.unstored.values()) if (!this.outbox.has(i.clientId)) take(i);
    return items;
  }

  /** Shows an item that is being stored, or no longer. */
  hold(item: OutboxItem, held: boolean): ChangeEvent {
    const change = noChange();
    if (held) this.unstored.set(item.clientId, item);
    else this.unstored.delete(item.clientId);
    if (!('conversation' in item.target)) return change;
    const id = item.target.conversation;
    this.show(id);
    change.conversations.add(id);
    change.outbox.add(id);
    return change;
  }

  asOutgoing(i: OutboxItem): Outgoing {
    return {
      clientId: i.clientId,
      ...('conversation' in i.target ? { conversation: i.target.conversation } : {}),
      content: i.content,
      createdMs: i.createdMs,
      state: i.state === 'failed' ? 'failed' : this.flying.has(i.clientId) ? 'sending' : 'waiting',
      ...(i.error ? { error: new HongyanError(i.error.code, i.error.message, i.error) } : {}),
      tries: i.refusals,
    };
  }

  coverageOf(conversation: string): Coverage {
    return this.coverage.get(conversation) ?? emptyCoverage;
  }

  /** The lowest and the highest ordinal that this account may see of a conversation; empty if from is above to. */
  bounds(conversation: string): { from: Id; to: Id } {
    const r = this.records.get(conversation);
    if (r === undefined) return { from: '1', to: '0' };
    const from = (BigInt(maxId(r.joined, r.cleared)) + 1n).toString();
    const last = maxId(r.last, r.sent ?? '0');
    return { from, to: r.left === '0' ? last : minId(last, r.left) };
  }

  /** Builds what is shown of a conversation from its parts. */
  private show(id: string): void {
    const record = this.records.get(id);
    const draft = this.drafts.get(id);
    const items = this.itemsOf(id);
    const failed = items.filter((i) => i.state === 'failed').length;
    const sending = items.length - failed;
    if (record === undefined && draft === undefined && sending + failed === 0) {
      this.conversations.delete(id);
      return;
    }
    const { sent = '0', unlearned: _, ...state } = record ?? this.unknown(id);
    const groupId = groupOf(id);
    this.conversations.set(id, {
      ...state,
      last: maxId(state.last, sent),
      ...(groupId === undefined ? {} : { groupId }),
      ...(draft === undefined ? {} : { draft }),
      sending,
      failed,
    });
  }

  /** What can be said of a conversation before the server has said anything. */
  unknown(id: string): ConversationRecord {
    const user = peerOf(id, this.session?.user ?? '0');
    const peer = user === undefined ? undefined : this.profileOf(user);
    const remark = user === undefined ? undefined : this.contacts.get(user)?.remark;
    const title = remark || peer?.displayName || peer?.name || this.groups.get(groupOf(id) ?? '')?.title || '';
    return {
      id,
      title,
      ...(peer ? { peer } : {}),
      last: '0',
      read: '0',
      joined: '0',
      left: '0',
      cleared: '0',
      unread: 0,
      pinned: false,
      muted: false,
      hidden: false,
      delivered: '0',
      peerRead: '0',
      unlearned: true,
    };
  }

  /** Conversations of which the server has to be asked. */
  unlearned(): string[] {
    return [...this.records.values()].filter((r) => r.unlearned).map((r) => r.id);
  }

  private remember(key: string, message: StoredMessage): void {
    this.cache.delete(key);
    this.cache.set(key, message);
    if (this.cache.size > maxCachedMessages) this.cache.delete(this.cache.keys().next().value!);
  }

  private applyMessages(w: Write, change: ChangeEvent): void {
    if ('from' in w || w.value === undefined) this.deletions++;
    if ('from' in w) {
      for (const key of this.cache.keys()) if (key >= w.from && key <= w.to) this.cache.delete(key);
      if (w.from === '') change.reset = true;
      else touch(change, parseMessageKey(w.from), parseMessageKey(w.to));
      return;
    }
    if (w.value === undefined) this.cache.delete(w.key);
    else this.remember(w.key, w.value as StoredMessage);
    touch(change, parseMessageKey(w.key));
  }

  private applyOne(table: Table, key: string, value: unknown, change: ChangeEvent, shown: Set<string>): void {
    if (table === 'outbox') {
      const item = (value ?? this.outbox.get(key)) as OutboxItem | undefined;
      if (item !== undefined && 'conversation' in item.target) {
        shown.add(item.target.conversation);
        change.outbox.add(item.target.conversation);
      }
    }
    const map = this.maps[table]!;
    if (table === 'conversations') {
      const peer = (value as ConversationRecord | undefined)?.peer;
      if (peer && !sameProfile(peer, this.records.get(key)?.peer)) change.profiles.add(peer.user);
    }
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    this.note(table, key, change, shown);
  }

  private deleteRange(table: Table, from: string, to: string, change: ChangeEvent, shown: Set<string>): void {
    for (const key of [...this.maps[table]!.keys()]) {
      if (key >= from && key <= to) this.applyOne(table, key, undefined, change, shown);
    }
    if (from === '') change.reset = true;
  }

  private note(table: Table, key: string, change: ChangeEvent, shown: Set<string>): void {
    if (table === 'conversations' || table === 'drafts') shown.add(key);
    else if (table === 'contacts') (change.contacts = true), change.profiles.add(key);
    else if (table === 'groups') change.groups.add(key);
    else if (table === 'profiles') change.profiles.add(key);
    else if (table === 'settings') change.settings = true;
    else if (table === 'meta' && key === 'devices') change.devices = true;
  }
}

/** An event that says that nothing has changed. */
export function noChange(): ChangeEvent {
  return {
    conversations: new Set(),
    messages: new Map(),
    contacts: false,
    groups: new Set(),
    outbox: new Set(),
    profiles: new Set(),
    settings: false,
    devices: false,
    reset: false,
  };
}

function sameProfile(a: Profile, b: Profile | undefined): boolean {
  return a.name === b?.name && a.displayName === b.displayName && a.avatar === b.avatar && a.bio === b.bio;
}

function parseMessageKey(key: string): { conversation: string; ordinal: Id } {
  const slash = key.lastIndexOf('/');
  return { conversation: key.slice(0, slash), ordinal: key.slice(slash + 2) };
}

function touch(change: ChangeEvent, at: { conversation: string; ordinal: Id }, until = at): void {
  const range = change.messages.get(at.conversation);
  change.messages.set(at.conversation, {
    from: range === undefined ? at.ordinal : minId(range.from, at.ordinal),
    to: range === undefined ? until.ordinal : maxId(range.to, until.ordinal),
  });
}
