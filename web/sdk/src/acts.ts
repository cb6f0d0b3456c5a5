import { fromHex, newClientId } from './ids.js';
import { fromBase64, toBase64 } from './wire/codec.js';
import type { Init } from './wire/init.js';
import type { OperationName } from './wire/table.js';
import type { Contact, Group, GroupPolicy, Id, MemberRole, Message, Profile, Replies, Requests } from './wire/types.js';

/** What a search has found. */
export interface Found {
  messages: Message[];
  continue?: string;
  reachedMs: number;
}

/** The acts that are one request each. What they change comes back by sync. */
export abstract class Acts {
  /** Asks for any operation. Without a connection it waits 8 s for one. */
  abstract request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs?: number): Promise<Replies[N]>;

  protected abstract keepProfiles(profiles: readonly Profile[]): Promise<void>;

  // --- messages and conversations ---

  /** Takes a message back, for everybody. */
  async recall(conversation: string, ordinal: Id): Promise<void> {
    await this.request('Recall', { conversation, ordinal });
  }

  /** Deletes messages for one's own devices. */
  async remove(conversation: string, ordinals: Id[]): Promise<void> {
    await this.request('Remove', { conversation, ordinals });
  }

  /** Pins, mutes or hides a conversation. */
  async setConversation(id: string, p: { pinned?: boolean; muted?: boolean; hidden?: boolean }): Promise<void> {
    await this.request('SetConversation', { conversation: id, ...p });
  }

  /** Hides a conversation's past from oneself, up to and including an ordinal; all of it if none is given. */
  async clearHistory(id: string, ordinal: Id = '0'): Promise<void> {
    await this.request('ClearHistory', { conversation: id, ordinal });
  }

  /** How many have received and read a message, and, in small groups, who has read it. */
  readers(conversation: string, ordinal: Id): Promise<Replies['Readers']> {
    return this.request('Readers', { conversation, ordinal });
  }

  /**
   * Looks for messages that have all words of a text, the newest first. `continue` of an answer goes into the next
   * question; without it everything was looked through. reachedMs is how far back this one has come.
   */
  async search(q: { text: string; conversation?: string; continue?: string; limit?: number }): Promise<Found> {
    const { continue: token = '', ...rest } = q;
    const r = await this.request('Search', { ...rest, token: fromBase64(token) });
    const { messages, reachedMs } = r;
    return { messages, reachedMs, ...(r.token.length > 0 ? { continue: toBase64(r.token) } : {}) };
  }

  // --- contacts ---

  /** Looks accounts up, at most 100; unknown ones are left out. */
  async profiles(q: { users?: Id[]; names?: string[] }): Promise<Profile[]> {
    const { profiles } = await this.request('Profiles', q);
    await this.keepProfiles(profiles);
    return profiles;
  }

  /** Asks somebody to become a contact. */
  async askContact(q: { user?: Id; name?: string; note?: string }): Promise<Contact> {
    return (await this.request('AskContact', q)).contact!;
  }

  /** Accepts or declines a request. */
  async answerContact(user: Id, accept: boolean): Promise<Contact> {
    return (await this.request('AnswerContact', { user, accept })).contact!;
  }

  /** Sets remark and block. */
  async setContact(user: Id, p: { remark?: string; blocked?: boolean }): Promise<Contact> {
    return (await this.request('SetContact', { user, ...p })).contact!;
  }

  /** Ends a contact on both sides. */
  async removeContact(user: Id): Promise<void> {
    await this.request('RemoveContact', { user });
  }

  // --- groups ---

  /** Makes a group. */
  async createGroup(q: { title: string; users?: Id[]; names?: string[]; policy?: GroupPolicy }): Promise<Group> {
    return (await this.request('CreateGroup', { ...q, clientId: fromHex(newClientId()) })).group!;
  }

  /** A group with its members and, for admins, who is asking. */
  async getGroup(group: Id): Promise<Group> {
    return (await this.request('GetGroup', { group })).group!;
  }

  /** Brings members in. */
  async invite(group: Id, q: { users?: Id[]; names?: string[] }): Promise<void> {
    await this.request('Invite', { group, ...q });
  }

  /** Comes in by a group's link; waiting: an admin has to approve. */
  async join(link: string, note = ''): Promise<{ group: Group; waiting: boolean }> {
    const { group, waiting } = await this.request('Join', { link, note });
    return { group: group!, waiting };
  }

  /** Lets an asking account in, or not. */
  async answerJoin(group: Id, user: Id, accept: boolean): Promise<void> {
    await this.request('AnswerJoin', { group, user, accept });
  }

  /** Goes. */
  async leave(group: Id): Promise<void> {
    await this.request('Leave', { group });
  }

  /** Puts members out. */
  async removeMembers(group: Id, users: Id[]): Promise<void> {
    await this.request('RemoveMember', { group, users });
  }

  /** Makes an admin, takes that back, or hands the group over (OWNER). */
  async setRole(group: Id, user: Id, role: MemberRole): Promise<void> {
    await this.request('SetRole', { group, user, role });
  }

  /** Changes a group; newLink: the old link stops working. */
  async setGroup(
    group: Id,
    p: {
      title?: string;
      announcement?: string;
      avatar?: string;
      policy?: GroupPolicy;
      mutedAll?: boolean;
      newLink?: boolean;
    },
  ): Promise<Group> {
    return (await this.request('SetGroup', { group, ...p })).group!;
  }

  /** Silences a member until a time, Unix milliseconds; 0: no longer. */
  async muteMember(group: Id, user: Id, untilMs: number): Promise<void> {
    await this.request('MuteMember', { group, user, untilMs });
  }

  /** Ends a group. */
  async dissolve(group: Id): Promise<void> {
    await this.request('Dissolve', { group });
  }

  // --- oneself ---

  /** Changes one's own profile. */
  async setProfile(p: { displayName?: string; avatar?: string; bio?: string }): Promise<Profile> {
    return (await this.request('SetProfile', p)).profile!;
  }

  /** Changes the password, which ends all other devices. */
  async setPassword(oldPassword: string, newPassword: string): Promise<void> {
    await this.request('SetPassword', { oldPassword, newPassword });
  }

  /** Ends another device. */
  async kick(device: Id): Promise<void> {
    await this.request('Kick', { device });
  }

  /** Stores a value that the account's devices share, of at most 4 KiB; an empty one removes it. */
  async setSetting(name: string, value: Uint8Array): Promise<void> {
    await this.request('SetSetting', { setting: { name, value } });
  }
}
