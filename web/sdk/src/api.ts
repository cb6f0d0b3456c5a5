import type { HongyanError } from './error.js';
import type { Storage } from './storage/storage.js';
import type { Content, Conversation, DeviceClass, Id, Message, SendReply } from './wire/types.js';
import type { Init } from './wire/init.js';

/** A way to reach the server: the long link over WebSocket, or the short link with a stream of events or with long-polls. */
export type Transport = 'websocket' | 'sse' | 'longpoll';

/** How a client is opened. */
export interface Options {
  /** Where the server is, as https://chat.example.com:8080; the origin of the page if it is not given. */
  url?: string;
  /** Where state is kept: IndexedDB in browsers and memory elsewhere if it is not given. */
  storage?: Storage | 'memory';
  /** What people see in the list of devices, at most 64 characters. */
  deviceName?: string;
  /** WEB in browsers and CLI elsewhere if it is not given. */
  deviceClass?: DeviceClass;
  /** What may be tried, the best first; all three if it is not given. */
  transports?: readonly Transport[];
  /** More places to try the server at, as https://other.example.com. */
  builtinAddresses?: readonly string[];
  /** The constructor of WebSockets where the system has none, as Node 20: that of the package ws will do. */
  WebSocket?: new (url: string, protocols: string[]) => SocketLike;
}

/** What is used of a WebSocket. The events are of any type, because those of browsers and of Node's packages differ. */
export interface SocketLike {
  onopen: ((e: any) => void) | null;
  onclose: ((e: any) => void) | null;
  onerror: ((e: any) => void) | null;
  onmessage: ((e: any) => void) | null;
  send(data: string): void;
  close(): void;
}

/** Who is logged in. */
export interface Me {
  user: Id;
  name: string;
  displayName: string;
  avatar: string;
  bio: string;
  device: Id;
}

/** The state of the connection. */
export interface Connection {
  /**
   * offline: the system has no network, or the client is closed. connecting: an attempt is under way. online: requests
   * are answered. waiting: the last attempt failed, and the next one is made at retryAt. loggedout: nobody is logged in.
   */
  phase: 'offline' | 'connecting' | 'online' | 'waiting' | 'loggedout';
  /** Of an online connection. */
  transport?: Transport;
  /** When the phase began, Unix milliseconds. */
  since: number;
  /** When the next attempt is made, Unix milliseconds. */
  retryAt?: number;
  /** What the last attempt failed of, or why nobody is logged in any more. */
  problem?: HongyanError;
  /** There is more on the server than is shown. */
  catchingUp: boolean;
}

/** A message of the store. */
export type StoredMessage = Message & {
  /** Written by this account, on any device. */
  own: boolean;
};

/** A conversation as it is shown: the server's state, and what this device adds. */
export interface ConversationState extends Conversation {
  /** The group of a group's conversation. */
  groupId?: Id;
  /** What was typed and not sent. */
  draft?: string;
  /** Messages in the outbox that are not acknowledged. */
  sending: number;
  /** Messages in the outbox that have failed. */
  failed: number;
}

/** A message of the outbox. */
export interface Outgoing {
  /** 16 random bytes in hexadecimal. */
  clientId: string;
  /** Unset while only the name of the other side is known. */
  conversation?: string;
  content: Init<Content>;
  /** Unix milliseconds by the device's clock. */
  createdMs: number;
  state: 'waiting' | 'sending' | 'failed';
  /** Why it failed. */
  error?: HongyanError;
  /** How often the server said: not now. */
  tries: number;
}

/** What the server said of an accepted message. */
export type Sent = SendReply;

/** An Outgoing just made. Its promise is kept when the message is durable on the server, and broken when it fails. */
export type Sending = Outgoing & { acknowledged: Promise<Sent> };

/** What has changed in local state since the event before. */
export interface ChangeEvent {
  conversations: Set<string>;
  /** By conversation the ordinals between which something changed. */
  messages: Map<string, { from: Id; to: Id }>;
  contacts: boolean;
  groups: Set<Id>;
  /** Conversations whose outbox changed. */
  outbox: Set<string>;
  profiles: Set<Id>;
  settings: boolean;
  devices: boolean;
  /** Everything may be different. */
  reset: boolean;
}

/** The events of a client by name. */
export interface Events {
  connection: Connection;
  session: Me | null;
  /** Local state has changed; once for each page that was applied. */
  change: ChangeEvent;
  /** A message that is new here and now, unlike what a backfill or a reset brings; own: from another device of mine. */
  message: { message: StoredMessage; conversation: ConversationState; own: boolean };
  /** Somebody is writing. */
  typing: { conversation: string; user: Id };
  /** A message has failed. */
  undelivered: { clientId: string; conversation: string; error: HongyanError };
}
