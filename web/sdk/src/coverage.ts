import { addToId, compareIds, maxId, minId } from './ids.js';
import type { Id } from './wire/types.js';

/** From one ordinal to another, both included. */
export type Range = readonly [from: Id, to: Id];

/**
 * The ranges of ordinals that the store has all messages of, in order and apart from one another. A message that was
 * removed is covered and not there.
 */
export type Coverage = readonly Range[];

/** Covers nothing. */
export const emptyCoverage: Coverage = [];

/** Covers one more range. */
export function cover(c: Coverage, from: Id, to: Id): Coverage {
  const result: Range[] = [];
  for (const r of c) {
    // Ranges that touch become one.
    if (compareIds(addToId(r[1], 1), from) < 0 || compareIds(addToId(to, 1), r[0]) < 0) {
      result.push(r);
    } else {
      from = minId(from, r[0]);
      to = maxId(to, r[1]);
    }
  }
  result.push([from, to]);
  return result.sort((a, b) => compareIds(a[0], b[0]));
}

/** What is missing from a range. */
export function gaps(c: Coverage, from: Id, to: Id): Range[] {
  const missing: Range[] = [];
  for (const r of c) {
    if (compareIds(r[1], from) < 0) continue;
    if (compareIds(r[0], to) > 0) break;
    if (compareIds(from, r[0]) < 0) missing.push([from, addToId(r[0], -1)]);
    from = addToId(r[1], 1);
  }
  if (compareIds(from, to) <= 0) missing.push([from, to]);
  return missing;
}

/** Covers only what is above an ordinal. */
export function above(c: Coverage, ordinal: Id): Coverage {
  return c
    .filter((r) => compareIds(r[1], ordinal) > 0)
    .map((r) => [maxId(r[0], addToId(ordinal, 1)), r[1]] as const);
}

/** How many ordinals are covered. */
export function size(c: Coverage): number {
  return c.reduce((n, r) => n + Number(BigInt(r[1]) - BigInt(r[0])) + 1, 0);
}
