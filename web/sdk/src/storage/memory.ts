import { HongyanError } from '../error.js';
import { type Batch, type Storage, type Table, tables, versionOf } from './storage.js';

/** A table in memory whose keys are sorted when somebody asks for an order. */
class SortedMap {
  readonly values = new Map<string, unknown>();
  private sorted: string[] | undefined = [];

  set(key: string, value: unknown): void {
    if (!this.values.has(key) && this.sorted !== undefined) {
      // Keys mostly come in order: only another one costs a sort.
      if (this.sorted.length === 0 || this.sorted[this.sorted.length - 1]! < key) this.sorted.push(key);
      else this.sorted = undefined;
    }
    this.values.set(key, value);
  }

  delete(key: string): void {
    if (this.values.delete(key)) this.sorted = undefined;
  }

  deleteRange(from: string, to: string): void {
    for (const key of this.between(from, to)) this.values.delete(key);
    this.sorted = undefined;
  }

  between(from: string, to: string): string[] {
    this.sorted ??= [...this.values.keys()].sort();
    return this.sorted.slice(lowerBound(this.sorted, from, false), lowerBound(this.sorted, to, true));
  }
}

/** The place of the first key that is not below key, or, after, that is above it. */
function lowerBound(keys: readonly string[], key: string, after: boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const k = keys[middle]!;
    if (k < key || (after && k === key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A storage that forgets everything with the process. */
export class MemoryStorage implements Storage {
  protected readonly tables = new Map<Table, SortedMap>(tables.map((t) => [t, new SortedMap()]));

  async all(table: Table): Promise<[string, unknown][]> {
    const map = this.table(table);
    return map.between('', '\uffff').map((key) => [key, map.values.get(key)]);
  }

  async get(table: Table, key: string): Promise<unknown> {
    return this.table(table).values.get(key);
  }

  async range(table: Table, from: string, to: string, limit: number, last = false): Promise<unknown[]> {
    const map = this.table(table);
    const keys = map.between(from, to);
    return (last ? keys.slice(-limit) : keys.slice(0, limit)).map((key) => map.values.get(key));
  }

  async write(batch: Batch): Promise<void> {
    this.check(batch);
    this.apply(batch);
  }

  async close(): Promise<void> {}

  protected check(batch: Batch): void {
    const held = versionOf(this.table('meta').values.get('sync'));
    if (batch.expect !== undefined && batch.expect !== held) throw stale(batch.expect, held);
  }

  protected apply(batch: Batch): void {
    for (const w of batch.writes) {
      const map = this.table(w.table);
      if ('from' in w) map.deleteRange(w.from, w.to);
      else if (w.value === undefined) map.delete(w.key);
      else map.set(w.key, w.value);
    }
  }

  private table(name: Table): SortedMap {
    return this.tables.get(name)!;
  }
}

/** The error of a batch whose version is not the stored one. */
export function stale(expected: string, held: string): HongyanError {
  return new HongyanError('Storage', `the stored version is ${held}, not ${expected}: somebody else has written`);
}
