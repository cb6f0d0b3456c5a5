// Generated from proto/hongyan/v1 by scripts/generate. Do not edit.

/** A 64-bit number in decimal: an account, a group, a device, a message, an ordinal, a version. "0" is none. */
export type Id = string;

export type AwaitLoginReplyState = 'WAITING' | 'SCANNED' | 'ACCEPTED' | 'DECLINED';

export type CloseReason = 'REASON_UNSPECIFIED' | 'PROTOCOL_ERROR' | 'AUTH_TIMEOUT' | 'IDLE' | 'TLS_REQUIRED' | 'DRAINING' | 'KICKED' | 'REPLACED' | 'REVOKED' | 'SLOW' | 'LOGGED_OUT' | 'OVERLOADED' | 'FAILED';

/** Names of the failures; docs/PROTOCOL.md says when each occurs. */
export type Code = 'CODE_UNSPECIFIED' | 'INTERNAL' | 'INVALID' | 'UNKNOWN_OPERATION' | 'UNAUTHENTICATED' | 'BAD_CREDENTIALS' | 'TOKEN_EXPIRED' | 'REVOKED' | 'THROTTLED' | 'TLS_REQUIRED' | 'REGISTRATION_CLOSED' | 'FORBIDDEN' | 'NOT_FOUND' | 'EXISTS' | 'CONFLICT' | 'TOO_LATE' | 'CLOCK_SKEW' | 'TOO_LARGE' | 'TOO_MANY' | 'BLOCKED' | 'CONTACT_REQUIRED' | 'NOT_MEMBER' | 'MUTED' | 'DISSOLVED' | 'KEY_INVALID' | 'KEY_AHEAD' | 'BUSY' | 'STORAGE_LOW' | 'UNAVAILABLE';

export type ContactState = 'NONE' | 'ASKED' | 'ASKING' | 'ACCEPTED';

export type DeviceClass = 'CLASS_UNSPECIFIED' | 'PHONE' | 'TABLET' | 'DESKTOP' | 'WEB' | 'BOT' | 'CLI';

export type GroupPolicy = 'POLICY_UNSPECIFIED' | 'INVITATION' | 'APPROVAL' | 'LINK';

export type MemberRole = 'ROLE_UNSPECIFIED' | 'MEMBER' | 'ADMIN' | 'OWNER';

export type MessageState = 'PRESENT' | 'RECALLED' | 'EXPIRED';

export type NoticeEvent = 'EVENT_UNSPECIFIED' | 'CREATED' | 'JOINED' | 'LEFT' | 'REMOVED' | 'TITLE' | 'ANNOUNCEMENT' | 'OWNER' | 'ADMIN' | 'NO_ADMIN' | 'MUTED' | 'UNMUTED' | 'DISSOLVED';

export type ResetReason = 'REASON_UNSPECIFIED' | 'FIRST' | 'TRIMMED' | 'GENERATION';

export type Type = 'TYPE_UNSPECIFIED' | 'MESSAGE' | 'CONTACT' | 'GROUP' | 'CONVERSATION' | 'RECEIPT' | 'SETTING';

export interface Account {
  user: Id;
  name: string;
  displayName: string;
  createdMs: number;
  disabled: boolean;
  devices: number;
  /** unset: the server's */
  retention?: Retention;
}

export interface AckReply {
}

/** Acknowledges without asking for anything. */
export interface AckRequest {
  key: Uint8Array;
}

export interface AnswerContactReply {
  contact?: Contact;
}

export interface AnswerContactRequest {
  user: Id;
  accept: boolean;
}

export interface AnswerJoinReply {
}

export interface AnswerJoinRequest {
  group: Id;
  user: Id;
  accept: boolean;
}

export interface AnswerLoginReply {
}

/** Confirms a login, or declines it. Whoever has read it first may. */
export interface AnswerLoginRequest {
  code: string;
  accept: boolean;
}

export interface AskContactReply {
  contact?: Contact;
}

/** Asks somebody to become a contact; if the other side has asked already, both are contacts at once. */
export interface AskContactRequest {
  user?: Id;
  name?: string;
  note: string;
}

export interface AskLoginReply {
  /** for whoever confirms, as a QR code as a rule; useless without the secret */
  code: string;
  /** for AwaitLogin alone */
  secret: string;
  expiresMs: number;
}

/** Asks for a login that another device of the account, to be told its code, confirms. */
export interface AskLoginRequest {
  /** name and class */
  device?: Device;
}

/** Who the connection is from now on. */
export interface AuthReply {
  /** 0 for a server API key */
  user: Id;
  name: string;
  device: Id;
  /** short-lived: resumes without the device token */
  ticket: string;
  ticketExpiresMs: number;
  /** the server's clock */
  timeMs: number;
  /** version of the account's newest change */
  head: Id;
  hints?: Hints;
  /**
   * Fingerprint of the key with which the server signs its own certificate, unset if an authority has signed it. A client
   * that learns it over a connection it trusts accepts this key when it comes back over TLS.
   */
  tlsPin: string;
}

export interface AuthRequest {
  /** a device token, a ticket or a server API key */
  token: string;
}

export interface AwaitLoginReply {
  state: AwaitLoginReplyState;
  /** whose device has read the code */
  by?: Profile;
  /** when accepted; the connection is not identified by it: send Auth */
  login?: LoginReply;
}

/** Asks how far a login by code is. Answered at once if that is not what is known, otherwise when it changes or the wait is over. */
export interface AwaitLoginRequest {
  secret: string;
  known: AwaitLoginReplyState;
  waitMs: number;
}

export interface BackfillReply {
  changes: Change[];
  conversations: Conversation[];
  /** to continue with; empty at the end */
  token: Uint8Array;
}

/** Fetches what a reset left out: every change up to the reset's key, oldest first. */
export interface BackfillRequest {
  token: Uint8Array;
  limit: number;
}

/** One thing that the devices of an account must learn. */
export interface Change {
  version: Id;
  message?: Message;
  recall?: Recall;
  removal?: Removal;
  contact?: Contact;
  group?: Group;
  conversation?: Conversation;
  receipt?: Receipt;
  /** one's own */
  profile?: Profile;
  devices?: Devices;
  setting?: Setting;
}

export interface ClearHistoryReply {
}

export interface ClearHistoryRequest {
  conversation: string;
  /** up to and including; 0 for all */
  ordinal: Id;
}

/** The last frame before the server closes a link. */
export interface Close {
  reason: CloseReason;
  message: string;
  reconnectAfterMs: number;
  /** the device token is worth nothing any more: log in again */
  final: boolean;
}

export interface Contact {
  profile?: Profile;
  state: ContactState;
  blocked: boolean;
  remark: string;
  /** what the request said */
  note: string;
  updatedMs: number;
}

export interface ContactsReply {
  contacts: Contact[];
  more: boolean;
}

export interface ContactsRequest {
  /** contacts with a larger account id */
  after: Id;
  limit: number;
}

/** What a message says. Exactly one of the parts is set. */
export interface Content {
  text?: string;
  image?: Media;
  voice?: Media;
  video?: Media;
  file?: Media;
  location?: Place;
  custom?: Custom;
  /** from the server only */
  notice?: Notice;
  /** of media and location; the fallback text of custom content */
  caption: string;
  mentions: Id[];
  mentionAll: boolean;
  quote?: Quote;
  forward?: Forward;
}

/** One account's view of a conversation. */
export interface Conversation {
  id: string;
  title: string;
  /** of a direct conversation */
  peer?: Profile;
  /** ordinal of the newest message */
  last: Id;
  /** in lists of conversations */
  lastMessage?: Message;
  read: Id;
  /** messages at or below are not for this account */
  joined: Id;
  /** if set, messages above are not for this account */
  left: Id;
  cleared: Id;
  /** 1000 stands for 1000 or more */
  unread: number;
  pinned: boolean;
  muted: boolean;
  hidden: boolean;
  /** the peer of a direct conversation has received up to here */
  delivered: Id;
  peerRead: Id;
}

export interface ConversationsReply {
  conversations: Conversation[];
}

export interface ConversationsRequest {
  /** none: the most recent ones */
  ids: string[];
  limit: number;
}

export interface CreateAccountReply {
  account?: Account;
}

export interface CreateAccountRequest {
  name: string;
  /** empty: no login by password */
  password: string;
  displayName: string;
}

export interface CreateGroupReply {
  group?: Group;
}

export interface CreateGroupRequest {
  title: string;
  /** besides the caller */
  users: Id[];
  names: string[];
  /** unset: INVITATION */
  policy: GroupPolicy;
  /** 16 random bytes: a retry with the same id gets the same group */
  clientId: Uint8Array;
}

export interface CreateInvitationReply {
  code: string;
}

export interface CreateInvitationRequest {
  /** 0 is 1 */
  uses: number;
  /** 0 is 7 */
  days: number;
}

export interface CreateKeyReply {
  /** shown once */
  key: string;
}

export interface CreateKeyRequest {
  /** what the key is for */
  name: string;
}

export interface Custom {
  type: string;
  data: Uint8Array;
}

export interface DemandTLSReply {
  closed: number;
}

/** Tells live plain connections to come back over TLS. */
export interface DemandTLSRequest {
  /** of one account; empty: all */
  name: string;
}

export interface Device {
  id: Id;
  name: string;
  class: DeviceClass;
  createdMs: number;
  lastSeenMs: number;
}

export interface Devices {
  devices: Device[];
}

export interface DevicesReply {
  devices: Device[];
  current: Id;
}

export interface DevicesRequest {
}

export interface DissolveReply {
}

export interface DissolveRequest {
  group: Id;
}

/** The author of a content that is passed on. */
export interface Forward {
  from: Id;
  fromName: string;
  timeMs: number;
}

export interface GetGroupReply {
  group?: Group;
}

export interface GetGroupRequest {
  group: Id;
}

export interface Group {
  id: Id;
  conversation: string;
  title: string;
  announcement: string;
  avatar: string;
  owner: Id;
  memberCount: number;
  policy: GroupPolicy;
  /** the code to join with */
  link: string;
  mutedAll: boolean;
  dissolved: boolean;
  createdMs: number;
  /** the caller's; unset if not, or no longer, a member */
  role: MemberRole;
  /** in the answer to GetGroup and CreateGroup */
  members: Member[];
  /** who waits for approval; for admins, in the answer to GetGroup */
  asking: Profile[];
}

export interface HeartbeatReply {
  head: Id;
  /** there is something newer than key */
  newer: boolean;
  timeMs: number;
}

/** The body is optional: a heartbeat without one is answered without one. */
export interface HeartbeatRequest {
  /** what the device has applied: acknowledges it */
  key: Uint8Array;
}

/** What the server would like of its clients. */
export interface Hints {
  /** beat no more often */
  heartbeatMinMs: number;
  /** and no less */
  heartbeatMaxMs: number;
  reconnectMinMs: number;
  reconnectMaxMs: number;
  /** bytes */
  maxFrame: number;
}

export interface HistoryReply {
  /** in rising order of ordinal */
  messages: Message[];
  more: boolean;
}

export interface HistoryRequest {
  conversation: string;
  /** the last messages below this ordinal; 0 for the newest ones */
  before: Id;
  /** or messages above this ordinal, oldest first */
  after: Id;
  limit: number;
}

export interface InviteReply {
}

export interface InviteRequest {
  group: Id;
  users: Id[];
  names: string[];
}

export interface JoinReply {
  group?: Group;
  /** an admin must approve first */
  waiting: boolean;
}

export interface JoinRequest {
  link: string;
  note: string;
}

export interface KickReply {
}

export interface KickRequest {
  device: Id;
}

export interface LeaveReply {
}

export interface LeaveRequest {
  group: Id;
}

export interface ListAccountsReply {
  /** by name */
  accounts: Account[];
  more: boolean;
}

export interface ListAccountsRequest {
  /** accounts whose name comes later */
  after: string;
  limit: number;
}

/** The answer to Register and Login. */
export interface LoginReply {
  /** long-lived; keep it secret */
  deviceToken: string;
  session?: AuthReply;
}

export interface LoginRequest {
  name: string;
  password: string;
  /** name and class */
  device?: Device;
  /** of an earlier login of this device: the device is taken over instead of added */
  deviceToken: string;
}

export interface LogoutReply {
}

export interface LogoutRequest {
}

export interface MarkReadReply {
}

export interface MarkReadRequest {
  conversation: string;
  ordinal: Id;
}

export interface Media {
  ref: string;
  name: string;
  mime: string;
  /** bytes */
  size: Id;
  /** pixels */
  width: number;
  height: number;
  durationMs: number;
  sha256: Uint8Array;
  /** a small JPEG, PNG or WebP */
  thumbnail: Uint8Array;
}

export interface Member {
  user: Id;
  name: string;
  role: MemberRole;
  mutedUntilMs: number;
  joinedMs: number;
}

export interface Message {
  id: Id;
  conversation: string;
  /** dense in the conversation, from 1 */
  ordinal: Id;
  from: Id;
  /** the sender's account name */
  fromName: string;
  /** the sender's own, 16 bytes */
  clientId: Uint8Array;
  /** Unix milliseconds, the server's clock */
  timeMs: number;
  content?: Content;
  state: MessageState;
}

export interface MintTokenReply {
  deviceToken: string;
  user: Id;
  device: Id;
}

/** Makes a device token for an account, for a bot or a product's own login. */
export interface MintTokenRequest {
  name: string;
  /** name and class */
  device?: Device;
}

export interface MuteMemberReply {
}

export interface MuteMemberRequest {
  group: Id;
  user: Id;
  /** 0 lifts it */
  untilMs: number;
}

/** What happened in a group, in its place among the messages. */
export interface Notice {
  event: NoticeEvent;
  users: Id[];
  /** the new title or announcement */
  text: string;
}

/** Pushed by the server: there is something newer. It may be lost, repeated or out of order. */
export interface Notify {
  /** the newest change */
  version: Id;
  /** with changes: apply them only if the device stands exactly here */
  previous: Id;
  changes: Change[];
  /** with changes: the key after applying them */
  key: Uint8Array;
}

export interface Place {
  /** WGS 84 */
  latitude: number;
  longitude: number;
  name: string;
  address: string;
}

export interface Profile {
  user: Id;
  /** the account name, never changes */
  name: string;
  displayName: string;
  avatar: string;
  bio: string;
}

export interface ProfilesReply {
  /** in the order asked; unknown ones are left out */
  profiles: Profile[];
}

export interface ProfilesRequest {
  /** at most 100 together with names */
  users: Id[];
  names: string[];
}

/** The message that is being answered, in the same conversation. */
export interface Quote {
  ordinal: Id;
  from: Id;
  excerpt: string;
}

export interface ReadLoginReply {
  /** name and class */
  device?: Device;
  /** of the network that the request came from */
  address: string;
  askedMs: number;
}

/** Reads who asks for a login, and tells it that its code was read. */
export interface ReadLoginRequest {
  code: string;
}

export interface ReadersReply {
  delivered: number;
  read: number;
  /** who has read it, in groups small enough for receipts */
  readers: Id[];
}

/** How many members of a conversation have received and read a message. */
export interface ReadersRequest {
  conversation: string;
  ordinal: Id;
}

export interface Recall {
  conversation: string;
  ordinal: Id;
  id: Id;
  by: Id;
}

export interface RecallReply {
}

export interface RecallRequest {
  conversation: string;
  ordinal: Id;
}

/** How far a reader has got: delivered includes read. */
export interface Receipt {
  conversation: string;
  reader: Id;
  delivered: Id;
  read: Id;
}

/** The answer to a request that was refused. */
export interface Refusal {
  code: Code;
  /** what was wrong */
  message: string;
  /** what to do */
  hint: string;
  retryAfterMs: number;
  /** the refused request's */
  operation: number;
}

export interface RegisterRequest {
  name: string;
  password: string;
  displayName: string;
  invitation: string;
  /** name and class */
  device?: Device;
}

export interface Removal {
  conversation: string;
  ordinals: Id[];
}

export interface RemoveContactReply {
}

/** Ends a contact, on both sides. The conversation stays. */
export interface RemoveContactRequest {
  user: Id;
}

export interface RemoveMemberReply {
}

export interface RemoveMemberRequest {
  group: Id;
  users: Id[];
}

export interface RemoveReply {
}

/** Deletes messages for the caller's own devices. */
export interface RemoveRequest {
  conversation: string;
  /** at most 100 */
  ordinals: Id[];
}

/**
 * The named answer to a key that cannot be continued. The device drops what it knows of conversations and states, takes
 * this window, stores the reply's key, and fetches the rest with the backfill token at its leisure.
 */
export interface Reset {
  reason: ResetReason;
  /** the most recent ones, newest first */
  conversations: Conversation[];
  /** empty: there is nothing more */
  backfill: Uint8Array;
}

/** What an account's log keeps; 0 is without limit. */
export interface Retention {
  days: number;
  messages: number;
}

export interface SearchReply {
  messages: Message[];
  /** empty: everything was looked through */
  token: Uint8Array;
  /** how far back, Unix milliseconds; 0 if nothing was looked at */
  reachedMs: number;
}

/**
 * Looks for messages by their words, the newest first. An answer may be short of messages, or without any, and still not
 * be the end: token continues.
 */
export interface SearchRequest {
  /** the words, all of which a message must have, in any case of letters */
  text: string;
  /** empty: all */
  conversation: string;
  /** of the answer before */
  token: Uint8Array;
  limit: number;
}

export interface SendReply {
  id: Id;
  conversation: string;
  ordinal: Id;
  timeMs: number;
}

/**
 * Sends a message. Answered when it is durable. A retry carries the same client_id and first_attempt_ms and gets the
 * same answer.
 */
export interface SendRequest {
  conversation?: string;
  /** an account name: the direct conversation with it */
  name?: string;
  /** 16 random bytes */
  clientId: Uint8Array;
  /** Unix milliseconds by the server's clock */
  firstAttemptMs: number;
  content?: Content;
}

export interface SetAccountReply {
  account?: Account;
}

export interface SetAccountRequest {
  name: string;
  /** ends every device of the account */
  password?: string;
  disabled?: boolean;
  retention?: Retention;
}

export interface SetContactReply {
  contact?: Contact;
}

export interface SetContactRequest {
  user: Id;
  remark?: string;
  blocked?: boolean;
}

export interface SetConversationReply {
}

export interface SetConversationRequest {
  conversation: string;
  pinned?: boolean;
  muted?: boolean;
  hidden?: boolean;
}

export interface SetGroupReply {
  group?: Group;
}

export interface SetGroupRequest {
  group: Id;
  title?: string;
  announcement?: string;
  avatar?: string;
  policy?: GroupPolicy;
  mutedAll?: boolean;
  /** the old one stops working */
  newLink: boolean;
}

export interface SetPasswordReply {
}

export interface SetPasswordRequest {
  oldPassword: string;
  newPassword: string;
}

export interface SetProfileReply {
  profile?: Profile;
}

export interface SetProfileRequest {
  displayName?: string;
  avatar?: string;
  bio?: string;
}

export interface SetRoleReply {
}

/** Makes admins, takes that back, or hands the group over (OWNER, by the owner). */
export interface SetRoleRequest {
  group: Id;
  user: Id;
  role: MemberRole;
}

export interface SetSettingReply {
}

export interface SetSettingRequest {
  /** an empty value removes it */
  setting?: Setting;
}

export interface Setting {
  name: string;
  value: Uint8Array;
}

/** Pushed by the server, and never kept: who is not there misses it. */
export interface Signal {
  typing?: Typing;
}

export interface StatusReply {
  version: string;
  startedMs: number;
  connections: number;
  sessions: number;
  generation: Id;
  term: Id;
  /** false: senders are refused */
  sending: boolean;
  refusedBecause: string;
  /** bytes */
  diskFree: Id;
  diskUsed: Id;
}

export interface StatusRequest {
}

export interface SyncReply {
  /** in order of version */
  changes: Change[];
  /** to be stored with the changes, in one transaction */
  key: Uint8Array;
  /** what key stands for */
  version: Id;
  more: boolean;
  /** the present state of the conversations that changes mention */
  conversations: Conversation[];
  /** set when the key could not be continued */
  reset?: Reset;
}

/** Asks for what is newer than key; presenting the key acknowledges everything that it stands for. */
export interface SyncRequest {
  /** empty: first sync */
  key: Uint8Array;
  /** changes in the answer, 0 for the server's default */
  limit: number;
  /** hold an empty answer this long, 0 answers at once */
  waitMs: number;
  /** none: all */
  types: Type[];
}

/** Somebody is writing. */
export interface Typing {
  conversation: string;
  user: Id;
}

export interface TypingReply {
}

/** Tells the others in a conversation that the caller is writing. It is repeated every few seconds while that is so. */
export interface TypingRequest {
  conversation: string;
}

/** The body of every operation's request. */
export interface Requests {
  Register: RegisterRequest;
  Login: LoginRequest;
  Auth: AuthRequest;
  Logout: LogoutRequest;
  Devices: DevicesRequest;
  Heartbeat: HeartbeatRequest;
  Kick: KickRequest;
  SetPassword: SetPasswordRequest;
  AskLogin: AskLoginRequest;
  AwaitLogin: AwaitLoginRequest;
  ReadLogin: ReadLoginRequest;
  AnswerLogin: AnswerLoginRequest;
  Sync: SyncRequest;
  Ack: AckRequest;
  Backfill: BackfillRequest;
  History: HistoryRequest;
  Conversations: ConversationsRequest;
  MarkRead: MarkReadRequest;
  ClearHistory: ClearHistoryRequest;
  SetConversation: SetConversationRequest;
  Readers: ReadersRequest;
  SetSetting: SetSettingRequest;
  Search: SearchRequest;
  Send: SendRequest;
  Recall: RecallRequest;
  Remove: RemoveRequest;
  Typing: TypingRequest;
  Profiles: ProfilesRequest;
  SetProfile: SetProfileRequest;
  AskContact: AskContactRequest;
  AnswerContact: AnswerContactRequest;
  SetContact: SetContactRequest;
  RemoveContact: RemoveContactRequest;
  Contacts: ContactsRequest;
  CreateGroup: CreateGroupRequest;
  GetGroup: GetGroupRequest;
  Invite: InviteRequest;
  Join: JoinRequest;
  AnswerJoin: AnswerJoinRequest;
  Leave: LeaveRequest;
  RemoveMember: RemoveMemberRequest;
  SetRole: SetRoleRequest;
  SetGroup: SetGroupRequest;
  MuteMember: MuteMemberRequest;
  Dissolve: DissolveRequest;
  CreateAccount: CreateAccountRequest;
  ListAccounts: ListAccountsRequest;
  SetAccount: SetAccountRequest;
  MintToken: MintTokenRequest;
  CreateKey: CreateKeyRequest;
  CreateInvitation: CreateInvitationRequest;
  DemandTLS: DemandTLSRequest;
  Status: StatusRequest;
}

/** The body of every operation's reply. */
export interface Replies {
  Register: LoginReply;
  Login: LoginReply;
  Auth: AuthReply;
  Logout: LogoutReply;
  Devices: DevicesReply;
  Heartbeat: HeartbeatReply;
  Kick: KickReply;
  SetPassword: SetPasswordReply;
  AskLogin: AskLoginReply;
  AwaitLogin: AwaitLoginReply;
  ReadLogin: ReadLoginReply;
  AnswerLogin: AnswerLoginReply;
  Sync: SyncReply;
  Ack: AckReply;
  Backfill: BackfillReply;
  History: HistoryReply;
  Conversations: ConversationsReply;
  MarkRead: MarkReadReply;
  ClearHistory: ClearHistoryReply;
  SetConversation: SetConversationReply;
  Readers: ReadersReply;
  SetSetting: SetSettingReply;
  Search: SearchReply;
  Send: SendReply;
  Recall: RecallReply;
  Remove: RemoveReply;
  Typing: TypingReply;
  Profiles: ProfilesReply;
  SetProfile: SetProfileReply;
  AskContact: AskContactReply;
  AnswerContact: AnswerContactReply;
  SetContact: SetContactReply;
  RemoveContact: RemoveContactReply;
  Contacts: ContactsReply;
  CreateGroup: CreateGroupReply;
  GetGroup: GetGroupReply;
  Invite: InviteReply;
  Join: JoinReply;
  AnswerJoin: AnswerJoinReply;
  Leave: LeaveReply;
  RemoveMember: RemoveMemberReply;
  SetRole: SetRoleReply;
  SetGroup: SetGroupReply;
  MuteMember: MuteMemberReply;
  Dissolve: DissolveReply;
  CreateAccount: CreateAccountReply;
  ListAccounts: ListAccountsReply;
  SetAccount: SetAccountReply;
  MintToken: MintTokenReply;
  CreateKey: CreateKeyReply;
  CreateInvitation: CreateInvitationReply;
  DemandTLS: DemandTLSReply;
  Status: StatusReply;
}
