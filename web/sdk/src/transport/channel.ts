import type { Options, Transport } from '../api.js';
import type { Ending } from '../core/link.js';
import type { Page, Pushed } from '../core/sync.js';
import { asError, fromRefusal, HongyanError } from '../error.js';
import { decode, encode, toBase64 } from '../wire/codec.js';
import type { Init } from '../wire/init.js';
import { operations, type OperationName } from '../wire/table.js';
import type { AuthReply, Close, Id, Notify, Refusal, Replies, Requests, SyncReply } from '../wire/types.js';

/** How long an answer may take, besides what the request asks the server to wait. */
export const answerTimeoutMs = 8000;

/** Something of the moment, which no log keeps, as JSON. */
export type SignalBody = unknown;

/** What a channel tells and asks its owner. Nothing comes after ended. */
export interface ChannelEvents {
  /** How far the device is: the key that may be shown to the server, empty if there is none, and its version. */
  resume(): { key: string; version: Id };
  /** Brings changes. The promise is kept when they have been dealt with. */
  pushed(p: Pushed): Promise<void>;
  signal(s: SignalBody): void;
  ended(e: Ending): void;
}

/** An authenticated way to the server. */
export interface Channel {
  readonly transport: Transport;
  readonly session: AuthReply;
  /** Whether it needs heartbeats. */
  readonly beats: boolean;
  /** Asks for an operation. A HongyanError says what the server refused, or that no answer came. */
  request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs?: number): Promise<Replies[N]>;
  /** Ends it, without a word to its owner. */
  close(): void;
  /** Ends it when the requests under way are answered, each within its own time. Nothing new is to be asked. */
  retire(): Promise<void>;
}

/** Where and as whom to connect. */
export interface Dial {
  /** As https://chat.example.com:8080. */
  base: string;
  /** What Auth takes. */
  token: string;
  events: ChannelEvents;
  /** Gives up. */
  signal: AbortSignal;
  WebSocket?: Options['WebSocket'] | undefined;
}

/** Opens a channel. */
export type Dialer = (d: Dial) => Promise<Channel>;

/** The JSON of a request's body. What cannot be written is INVALID, as it would be to the server. */
export function encodeRequest<N extends OperationName>(name: N, body: Init<Requests[N]>): string {
  try {
    return JSON.stringify(encode(operations[name][1], body));
  } catch (e) {
    throw new HongyanError('INVALID', `the ${name} cannot be written as JSON: ${asError(e).message}`, { cause: e });
  }
}

/** Refuses what is over a limit of the server, as it would; but it ends a WebSocket that brings too much. */
export function checkSize(name: OperationName, text: string, limit: number): void {
  const size = new TextEncoder().encode(text).length;
  if (size > limit) throw new HongyanError('TOO_LARGE', `the ${name} has ${size} bytes, the limit is ${limit}`);
}

/** The reply in JSON. */
export function decodeReply<N extends OperationName>(name: N, json: unknown): Replies[N] {
  return decode<Replies[N]>(operations[name][2], json);
}

/** The error that JSON of a refusal stands for. */
export function decodeRefusal(json: unknown): HongyanError {
  return fromRefusal(decode<Refusal>('Refusal', json));
}

/** A notification as Sync takes it. */
export function asPushed(n: Notify): Pushed {
  return { version: n.version, previous: n.previous, changes: n.changes, key: toBase64(n.key) };
}

/** A page of Sync as Sync takes it from a stream that stood at a version. */
export function asPushedPage(r: SyncReply, previous: Id): Pushed {
  const { version, changes, conversations } = r;
  return { version, previous, changes, conversations, key: toBase64(r.key), broken: r.reset !== undefined };
}

/** A page of Sync as the answer to a pull. */
export function asPage(r: SyncReply): Page {
  const { reset, key, ...rest } = r;
  return {
    ...rest,
    key: toBase64(key),
    ...(reset ? { reset: { ...reset, backfill: toBase64(reset.backfill) } } : {}),
  };
}

/** How a connection ended whose server said Close. */
export function endingOf(c: Close): Ending {
  const code = c.final ? 'REVOKED' : c.reason === 'TLS_REQUIRED' ? 'TLS_REQUIRED' : 'UNAVAILABLE';
  return {
    error: new HongyanError(code, c.message || `the server closed the link: ${c.reason}`, {
      retryAfterMs: c.reconnectAfterMs,
    }),
    reconnectAfterMs: c.reconnectAfterMs,
    slowly: c.reason === 'PROTOCOL_ERROR',
    final: c.final,
  };
}

/** The requests that are under way. */
export class UnderWay {
  private readonly all = new Set<Promise<unknown>>();

  add<T>(request: Promise<T>): Promise<T> {
    const settled = () => void this.all.delete(request);
    this.all.add(request);
    request.then(settled, settled);
    return request;
  }

  /** Waits until there is none, also of those that were just about to be made. */
  async settled(): Promise<void> {
    do await Promise.allSettled(this.all);
    while (this.all.size > 0);
  }
}

/** The error of no answer. */
export function timedOut(what: string): HongyanError {
  return new HongyanError('Network', `${what}: no answer in time`);
}
