import type { Id } from '../wire/types.js';

/**
 * What the tables hold, by key:
 * meta: small things by name, and by readKey the read marks that the server has not been told; conversations by id;
 * messages by messageKey; coverage: by conversation the ranges of ordinals that messages holds all of; contacts, groups
 * and profiles by id; settings by name; outbox by client id; drafts by conversation.
 */
export const tables = [
  'meta',
  'conversations',
  'messages',
  'coverage',
  'contacts',
  'groups',
  'settings',
  'profiles',
  'outbox',
  'drafts',
] as const;

/** The name of a table. */
export type Table = (typeof tables)[number];

/** Puts a value, deletes a key (value undefined), or deletes all keys from `from` to `to`, both included. */
export type Write = { table: Table; key: string; value?: unknown } | { table: Table; from: string; to: string };

/** A transaction. */
export interface Batch {
  writes: readonly Write[];
  /** Unless the version of meta's `sync` is this, nothing is written. Undefined: it does not matter. */
  expect?: Id;
}

/**
 * Storage keeps a client's state. Keys are ordered as strings. Values are plain data: objects, arrays, strings, numbers,
 * booleans and Uint8Array. All methods reject with a HongyanError of code Storage.
 */
export interface Storage {
  /** All entries of a table, in order of key. */
  all(table: Table): Promise<[string, unknown][]>;
  /** The value of a key; undefined if there is none. */
  get(table: Table, key: string): Promise<unknown>;
  /** At most `limit` values with keys from `from` to `to`, in order of key; `last`: the last ones, still in order. */
  range(table: Table, from: string, to: string, limit: number, last?: boolean): Promise<unknown[]>;
  /** Writes all or nothing. It is durable, as far as the system can tell, when the promise is kept. */
  write(batch: Batch): Promise<void>;
  /** Waits for what is under way, and lets go of everything. */
  close(): Promise<void>;
}

/** Sorts after every key. */
export const lastKey = '\uffff';

/** What the keys of untold read marks begin with, before the id of their conversation. */
export const readKey = 'read:';

/** The key of a message: keys of a conversation are in order of ordinal. */
export function messageKey(conversation: string, ordinal: Id): string {
  // The length before the digits makes the order of strings that of numbers.
  return `${conversation}/${String.fromCharCode(96 + ordinal.length)}${ordinal}`;
}

/** The version that a `sync` record of meta holds. */
export function versionOf(sync: unknown): Id {
  return (sync as { version: Id } | undefined)?.version ?? '0';
}

/** The writes that delete all but the place of the last write. */
export function everything(): Write[] {
  const whole = tables.filter((t) => t !== 'meta').map((table): Write => ({ table, from: '', to: lastKey }));
  const small = ['session', 'sync', 'devices', 'addresses'].map((key): Write => ({ table: 'meta', key }));
  return [...whole, ...small, { table: 'meta', from: readKey, to: readKey + lastKey }];
}
