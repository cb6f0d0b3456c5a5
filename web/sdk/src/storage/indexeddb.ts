import { asError } from '../error.js';
import { stale } from './memory.js';
import { type Batch, type Storage, type Table, tables, versionOf } from './storage.js';

const schemaVersion = 1;

/** Opens the storage of a name in IndexedDB. Several may be open at a time; only one should write. */
export async function openIndexedDb(name: string): Promise<Storage> {
  const storage = new IndexedDbStorage(name);
  await storage.ready;
  return storage;
}

class IndexedDbStorage implements Storage {
  /** The open database; another one after the browser has closed it, as when a person clears the data of the site. */
  ready: Promise<IDBDatabase>;
  private closed = false;

  constructor(private readonly name: string) {
    this.ready = this.open();
  }

  private async open(): Promise<IDBDatabase> {
    const request = indexedDB.open(this.name, schemaVersion);
    request.onupgradeneeded = () => {
      for (const table of tables) request.result.createObjectStore(table);
    };
    const db = await result(request);
    // A page that wants to change the schema or delete the database must not wait for this one.
    db.onversionchange = () => db.close();
    return db;
  }

  async all(table: Table): Promise<[string, unknown][]> {
    const store = await this.read(table);
    const [keys, values] = await Promise.all([result(store.getAllKeys()), result(store.getAll())]);
    return keys.map((key, i) => [key as string, values[i]]);
  }

  async get(table: Table, key: string): Promise<unknown> {
    return result((await this.read(table)).get(key));
  }

  async range(table: Table, from: string, to: string, limit: number, last = false): Promise<unknown[]> {
    const store = await this.read(table);
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
    const transaction = await this.begin([...used], 'readwrite');
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(asError(transaction.error ?? 'the transaction was aborted', 'Storage'));
    });
    done.catch(() => undefined); // who waits for it is told; nobody else has to be
    try {
      if (batch.expect !== undefined) {
        const held = versionOf(await result(transaction.objectStore('meta').get('sync')));
        if (held !== batch.expect) throw stale(batch.expect, held);
      }
      for (const w of batch.writes) {
        const store = transaction.objectStore(w.table);
        if ('from' in w) store.delete(IDBKeyRange.bound(w.from, w.to));
        else if (w.value === undefined) store.delete(w.key);
        else store.put(w.value, w.key);
      }
    } catch (e) {
      abort(transaction); // or what was put before it would be stored alone
      throw asError(e, 'Storage');
    }
    await done;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.ready.then((db) => db.close(), () => undefined); // what could not be opened needs no closing
  }

  private async read(table: Table): Promise<IDBObjectStore> {
    return (await this.begin([table], 'readonly')).objectStore(table);
  }

  /** Begins a transaction. What is closed by then, or could not be opened the last time, is opened anew, once. */
  private async begin(names: Table[], mode: IDBTransactionMode): Promise<IDBTransaction> {
    for (let first = true; ; first = false) {
      const { ready } = this;
      try {
        // What is acknowledged to the server must be on the disk.
        return (await ready).transaction(names, mode, { durability: mode === 'readwrite' ? 'strict' : 'default' });
      } catch (e) {
        if (!first || this.closed) throw asError(e, 'Storage');
        // Of several that fail at a time, one opens it for all.
        if (this.ready === ready) this.ready = this.open();
      }
    }
  }
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended by itself.
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(asError(request.error, 'Storage'));
  });
}
