import { above, type Coverage, size } from './coverage.js';
import { addToId, compareIds } from './ids.js';
import { messageKey, type Write } from './storage/storage.js';
import type { Id } from './wire/types.js';

/** How many messages a store keeps. The server has those that go, and `messages` fetches them again. */
export const maxStoredMessages = 200_000;

/** How many of its newest messages every conversation keeps at least. */
const minKept = 1000;

/** The writes that bring a store below its limit: the oldest messages go, from the conversations that have most. */
export function trim(coverage: ReadonlyMap<string, Coverage>, limit = maxStoredMessages): Write[] {
  const sizes = [...coverage].map(([id, c]) => ({ id, c, n: size(c) }));
  const total = sizes.reduce((sum, s) => sum + s.n, 0);
  if (total <= limit) return [];
  // A tenth more than needed goes, so that this does not happen with every message.
  let excess = total - Math.floor(limit * 0.9);
  const writes: Write[] = [];
  for (const { id, c, n } of sizes.sort((a, b) => b.n - a.n)) {
    const drop = Math.min(excess, n - Math.max(minKept, Math.floor(n / 2)));
    if (drop <= 0) break;
    const cut = nthOf(c, drop);
    writes.push(
      { table: 'messages', from: messageKey(id, '0'), to: messageKey(id, cut) },
      { table: 'coverage', key: id, value: above(c, cut) },
    );
    excess -= drop;
  }
  return writes;
}

/** The n-th ordinal that is covered, counted from 1. */
function nthOf(c: Coverage, n: number): Id {
  for (const r of c) {
    const at = addToId(r[0], n - 1);
    if (compareIds(at, r[1]) <= 0) return at;
    n -= size([r]);
  }
  return c.at(-1)?.[1] ?? '0';
}
