import type { Id } from './wire/types.js';

/** Compares two ids, ordinals or versions as numbers: negative, zero or positive like a sort function's answer. */
export function compareIds(a: Id, b: Id): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The larger of two. */
export function maxId(a: Id, b: Id): Id {
  return compareIds(a, b) < 0 ? b : a;
}

/** The smaller of two. */
export function minId(a: Id, b: Id): Id {
  return compareIds(a, b) < 0 ? a : b;
}

/** The id that lies n above, or below if n is negative; never below 0. */
export function addToId(id: Id, n: number): Id {
  const sum = BigInt(id) + BigInt(n);
  return sum < 0n ? '0' : sum.toString();
}

/** The conversation of two accounts; of one with itself: its notes. */
export function directConversation(a: Id, b: Id): string {
  return `d:${minId(a, b)}:${maxId(a, b)}`;
}

/** The conversation of a group. */
export function groupConversation(group: Id): string {
  return `g:${group}`;
}

/** The other side of a direct conversation of me; undefined for a group's. */
export function peerOf(conversation: string, me: Id): Id | undefined {
  const [kind, a, b] = conversation.split(':');
  return kind === 'd' ? (a === me ? b : a) : undefined;
}

/** The group of a conversation; undefined for a direct one. */
export function groupOf(conversation: string): Id | undefined {
  return conversation.startsWith('g:') ? conversation.slice(2) : undefined;
}

/** A new client id: 16 random bytes in hexadecimal. */
export function newClientId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Bytes in hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const b of bytes) text += b.toString(16).padStart(2, '0');
  return text;
}

/** The bytes of hexadecimal. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
