import { asError } from '../error.js';
import { stale } from './memory.js';
import { type Batch, type Storage, type Table, tables, versionOf } from './storage.js';

const schemaVersion = 1;

/** Opens the storage of a name in IndexedDB. Several may be open at a time; only one should write. */
export async function openIndexedDb(name: string): Promise<Storage> {
  const request = indexedDB.open(name, schemaVersion);
  request.onupgradeneeded = () => {
    for (const table of tables) request.result.createObjectStore(table);
  };
  return new IndexedDbStorage(await result(request));
}

class IndexedDbStorage implements Storage {
  constructor(private readonly db: IDBDatabase) {
    // A page that wants to change the schema or delete the database must not wait for this one.
    db.onversionchange = () => db.close();
  }

  async all(table: Table): Promise<[string, unknown][]> {
    const store = this.read(table);
    const [keys, values] = await Promise.all([result(store.getAllKeys()), result(store.getAll())]);
    return keys.map((key, i) => [key as string, values[i]]);
  }

  async get(table: Table, key: string): Promise<unknown> {
    return result(this.read(table).get(key));
  }

  async range(table: Table, from: string, to: string, limit: number, last = false): Promise<unknown[]> {
    const store = this.read(table);
    const bounds = IDBKeyRange.bound(from, to);
    if (!last) return result(store.getAll(bounds, limit));
    const values: unknown[] = [];
    const request = store.openCursor(bounds, 'prev');
    return new Promise((resolve, reject) => {
      request.onerror = () => reject(asError(request.error, 'Storage'));
      request.onsuccess = () => {
        const cursor = request.result;
        if (cursor === null) return resolve(values.reverse());
        values.push(cursor.value);
        if (values.length === limit) resolve(values.reverse());
        else cursor.continue();
      };
    });
  }

  async write(batch: Batch): Promise<void> {
    const used = new Set<Table>(batch.writes.map((w) => w.table));
    if (batch.expect !== undefined) used.add('meta');
    if (used.size === 0) return;
    const transaction = this.begin([...used], 'readwrite');
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(asError(transaction.error, 'Storage'));
    });
    done.catch(() => undefined); // who waits for it is told; nobody else has to be
    if (batch.expect !== undefined) {
      const held = versionOf(await result(transaction.objectStore('meta').get('sync')));
      if (held !== batch.expect) {
        transaction.abort();
        throw stale(batch.expect, held);
      }
    }
    for (const w of batch.writes) {
      const store = transaction.objectStore(w.table);
      if ('from' in w) store.delete(IDBKeyRange.bound(w.from, w.to));
      else if (w.value === undefined) store.delete(w.key);
      else store.put(w.value, w.key);
    }
    await done;
  }

  async close(): Promise<void> {
    this.db.close();
  }

  private read(table: Table): IDBObjectStore {
    return this.begin([table], 'readonly').objectStore(table);
  }

  private begin(names: Table[], mode: IDBTransactionMode): IDBTransaction {
    try {
      // What was acknowledged to the server must be on the disk.
      return this.db.transaction(names, mode, { durability: mode === 'readwrite' ? 'strict' : 'default' });
    } catch (e) {
      throw asError(e, 'Storage');
    }
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(asError(request.error, 'Storage'));
  });
}
