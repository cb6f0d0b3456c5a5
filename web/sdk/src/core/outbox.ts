import { HongyanError, retryable } from '../error.js';
import type { Content, Id, SendReply } from '../wire/types.js';
import type { Init } from '../wire/init.js';
import { Backoff, type Random } from './backoff.js';

/** How often in a row the server may answer "not now" before a message fails. A lost connection is no refusal. */
export const maxRefusals = 8;

/** How long after its first attempt a message may be repeated under its id: 7 days less an hour for clocks. */
export const resendWindowMs = (7 * 24 - 1) * 3_600_000;

/** Where a message goes: a conversation, or the direct one with the account of that name. */
export type Target = { conversation: string } | { name: string };

/** What is known of where a message goes. */
export interface Whereto {
  conversation?: string;
  /** Of the account on the other side of a direct conversation. */
  name?: string;
}

/** A message of the outbox. */
export interface OutboxItem {
  /** 16 random bytes in hexadecimal. */
  clientId: string;
  /** Who wrote it. */
  user: Id;
  target: Target;
  content: Init<Content>;
  /** Unix milliseconds by the device's clock. */
  createdMs: number;
  /** Grows from item to item: the order of sending. */
  place: number;
  state: 'waiting' | 'failed';
  /**
   * By the server's clock; 0 as long as it certainly was not sent. It is stored before the first byte leaves and
   * unchanged by retries: the server tells by it whether it would still recognise a repetition.
   */
  firstAttemptMs: number;
  /** How often the server said: not now. */
  refusals: number;
  /** Why it failed. */
  error?: { code: HongyanError['code']; message: string; hint?: string };
}

/** What the driver of Outbox has to do. */
export type OutboxAction =
  /** Store the item over its former self before anything else is done. */
  | { do: 'save'; item: OutboxItem }
  /** Send it: comes back as accepted, refused, or not at all if the connection ends. */
  | { do: 'transmit'; item: OutboxItem }
  /** It is durable on the server: drop it and store the message that it has become. */
  | { do: 'sent'; item: OutboxItem; reply: SendReply }
  /** A person has to know. */
  | { do: 'failed'; item: OutboxItem; error: HongyanError }
  /** The message was not judged: get another connection. */
  | { do: 'drop'; error: HongyanError };

/** What waits for one conversation: its items in order, the first possibly on its way. */
interface Lane {
  items: OutboxItem[];
  flying: boolean;
  retryAt: number;
  retry: Backoff;
}

/**
 * Outbox sends what waits, in order and one at a time in each conversation, and repeats every message under its own id
 * until it is answered. Like Sync it owns nothing that can fail.
 */
export class Outbox {
  private readonly lanes = new Map<string, Lane>();
  /** The conversations of names, as answers have told them. */
  private readonly named = new Map<string, string>();
  private online = false;
  /** The server's clock less the device's. */
  private skew = 0;

  constructor(private readonly random: Random) {}

  /** The device is authenticated on a new connection, whose server's clock showed serverMs. */
  connected(now: number, serverMs: number): OutboxAction[] {
    this.online = true;
    this.skew = serverMs - now;
    for (const lane of this.lanes.values()) lane.flying = false;
    return this.tick(now);
  }

  /** The connection is gone. What was on its way may have arrived or not. */
  disconnected(): void {
    this.online = false;
    for (const lane of this.lanes.values()) lane.flying = false;
  }

  /** Takes a stored item that waits, behind those already there. */
  add(now: number, item: OutboxItem, to: Whereto = item.target): OutboxAction[] {
    const { name, conversation = this.named.get(name ?? '') } = to;
    if (conversation !== undefined && name !== undefined) this.merge(laneOfName(name), conversation);
    const key = conversation ?? laneOfName(name!);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { items: [], flying: false, retryAt: 0, retry: new Backoff(1000, 30_000, this.random) };
      this.lanes.set(key, lane);
    }
    lane.items.push(item);
    return this.next(now, lane);
  }

  /** An item of a lane has become a message of a conversation. */
  private found(name: string, { target }: OutboxItem, conversation: string): void {
    if ('name' in target) this.named.set(target.name, conversation);
    if (name !== conversation) this.merge(name, conversation);
  }

  /** What waits for an account of a name waits for the conversation with it from now on, in the order it was written. */
  private merge(name: string, conversation: string): void {
    const lane = this.lanes.get(name);
    if (lane === undefined) return;
    this.lanes.delete(name);
    const other = this.lanes.get(conversation);
    this.lanes.set(conversation, lane);
    if (other === undefined) return;
    const both = [...lane.items, ...other.items].sort((a, b) => a.place - b.place);
    // One that is on its way stays first, so that its answer is taken. If another is too, it goes out again after it.
    const first = lane.flying ? lane.items[0]! : other.flying ? other.items[0]! : both[0]!;
    lane.items = [first, ...both.filter((i) => i !== first)];
    lane.flying ||= other.flying;
    lane.retryAt = Math.max(lane.retryAt, other.retryAt);
  }

  /** Takes an item out that the log has brought as a message of a conversation. */
  remove(now: number, clientId: string, conversation: string): OutboxAction[] {
    for (const [name, lane] of this.lanes) {
      const item = lane.items.find((i) => i.clientId === clientId);
      if (item === undefined) continue;
      this.found(name, item, conversation);
      return this.takeOut(now, conversation, lane, lane.items.indexOf(item));
    }
    return [];
  }

  /** The acknowledgement of an item on its way. */
  accepted(now: number, clientId: string, reply: SendReply): OutboxAction[] {
    const [name, lane] = this.flying(clientId);
    if (lane === undefined) return [];
    const item = lane.items[0]!;
    this.found(name, item, reply.conversation);
    return [{ do: 'sent', item, reply }, ...this.takeOut(now, reply.conversation, lane, 0)];
  }

  /** The refusal of an item on its way. */
  refused(now: number, clientId: string, error: HongyanError): OutboxAction[] {
    const [name, lane] = this.flying(clientId);
    if (lane === undefined) return [];
    lane.flying = false;
    let item = lane.items[0]!;
    if (aboutConnection(error.code)) {
      this.online = false;
      return [{ do: 'drop', error }];
    }
    const again = retryable(error.code) || error.code === 'CLOCK_SKEW';
    if (again && item.refusals < maxRefusals) {
      item = { ...item, refusals: item.refusals + 1 };
      const actions: OutboxAction[] = [{ do: 'save', item }];
      if (error.code === 'CLOCK_SKEW') {
        // The stamp lies in the server's future, so no attempt with it was ever accepted: a new one is safe. A new
        // connection tells the time to make it from.
        item.firstAttemptMs = 0;
        this.online = false;
        actions.push({ do: 'drop', error });
      }
      lane.items[0] = item;
      lane.retryAt = now + Math.max(lane.retry.next(), error.retryAfterMs ?? 0);
      return actions;
    }
    const { code, message, hint } = error;
    item = { ...item, state: 'failed', error: { code, message, ...(hint ? { hint } : {}) } };
    return [{ do: 'save', item }, { do: 'failed', item, error }, ...this.takeOut(now, name, lane, 0)];
  }

  /** wakeAt has come. */
  tick(now: number): OutboxAction[] {
    return [...this.lanes.values()].flatMap((lane) => this.next(now, lane));
  }

  /** When to call tick; undefined: never. */
  get wakeAt(): number | undefined {
    if (!this.online) return undefined;
    const times = [...this.lanes.values()].filter((l) => !l.flying && l.items.length > 0).map((l) => l.retryAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Whether the item has been transmitted on this connection and is unanswered. */
  isFlying(clientId: string): boolean {
    return this.flying(clientId)[1] !== undefined;
  }

  /**
   * A failed item that waits again under the same id. That is safe if the server certainly never accepted it or would
   * still recognise it; otherwise a HongyanError says why only a new message helps.
   */
  renewed(now: number, item: OutboxItem): OutboxItem {
    const age = item.firstAttemptMs === 0 ? 0 : now + this.skew - item.firstAttemptMs;
    const code = item.error?.code ?? 'INTERNAL';
    if (code === 'TOO_LATE' || (retryable(code) && age > resendWindowMs)) {
      throw new HongyanError('TOO_LATE', 'it is unknown whether the message arrived long ago', {
        hint: 'look at the conversation; if it is not there, send it as a new message',
      });
    }
    if (code === 'CONFLICT') {
      throw new HongyanError('CONFLICT', 'the id of the message was used for another one', {
        hint: 'send it as a new message',
      });
    }
    const { error: _, ...rest } = item;
    return { ...rest, state: 'waiting', refusals: 0, firstAttemptMs: age > resendWindowMs ? 0 : item.firstAttemptMs };
  }

  private flying(clientId: string): [string, Lane | undefined] {
    for (const [name, lane] of this.lanes) {
      if (lane.flying && lane.items[0]?.clientId === clientId) return [name, lane];
    }
    return ['', undefined];
  }

  private takeOut(now: number, name: string, lane: Lane, at: number): OutboxAction[] {
    lane.items.splice(at, 1);
    if (at === 0) {
      lane.flying = false;
      lane.retryAt = 0;
      lane.retry.reset();
    }
    if (lane.items.length === 0) this.lanes.delete(name);
    return this.next(now, lane);
  }

  private next(now: number, lane: Lane): OutboxAction[] {
    let item = lane.items[0];
    if (!this.online || lane.flying || item === undefined || now < lane.retryAt) return [];
    const actions: OutboxAction[] = [];
    if (item.firstAttemptMs === 0) {
      item = { ...item, firstAttemptMs: Math.round(now + this.skew) };
      lane.items[0] = item;
      actions.push({ do: 'save', item });
    }
    lane.flying = true;
    return [...actions, { do: 'transmit', item }];
  }
}

/** The lane of what waits for an account whose conversation is not known. */
function laneOfName(name: string): string {
  return `name:${name}`;
}

/** Whether a refusal is about who is asking and how, not about what was asked. */
function aboutConnection(code: HongyanError['code']): boolean {
  return code === 'UNAUTHENTICATED' || code === 'TOKEN_EXPIRED' || code === 'REVOKED' || code === 'TLS_REQUIRED';
}
