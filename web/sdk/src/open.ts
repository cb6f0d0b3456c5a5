import type { Options } from './api.js';
import { Client } from './client.js';
import { Dialing } from './dial.js';
import { HongyanError } from './error.js';
import type { Told } from './engine.js';
import { Leader } from './leader.js';
import { Model } from './model.js';
import { openIndexedDb } from './storage/indexeddb.js';
import { MemoryStorage } from './storage/memory.js';
import type { Storage } from './storage/storage.js';

/** Opens the client of this browser profile or process: whoever was logged in is so again. */
export async function open(options: Options = {}): Promise<Client> {
  const base = baseOf(options.url);
  const storage = await storageOf(options, base);
  const model = new Model();
  let client: Client | undefined;
  const tell = <K extends keyof Told>(kind: K, what: Told[K]) => {
    if (client) client.told(kind, what);
    else if (kind === 'wrote') model.apply((what as Told['wrote']).writes);
  };
  const leader = new Leader(model, storage, new Dialing(() => [base], options), tell);
  const stopListening = listenToSystem(leader);
  await leader.start();
  client = new Client({
    base,
    options,
    model,
    storage,
    leader,
    connection: () => leader.connection,
    async close() {
      stopListening();
      await leader.close();
      await storage.close();
    },
  });
  return client;
}

function baseOf(url: string | undefined): string {
  const text = url ?? globalThis.location?.origin;
  if (text === undefined) throw new HongyanError('INVALID', 'no url is given, and there is no page to take it from');
  return new URL(text).origin;
}

async function storageOf(options: Options, base: string): Promise<Storage> {
  if (options.storage === 'memory') return new MemoryStorage();
  if (options.storage !== undefined) return options.storage;
  return typeof indexedDB === 'undefined' ? new MemoryStorage() : openIndexedDb(`hongyan ${base}`);
}

/** Tells the leader what the browser knows of the network, and when a page is looked at again. */
function listenToSystem(leader: Leader): () => void {
  if (typeof addEventListener === 'undefined' || typeof document === 'undefined') return () => undefined;
  const online = () => void leader.networkChanged(true).catch(() => undefined);
  const offline = () => void leader.networkChanged(false).catch(() => undefined);
  const visible = () => document.visibilityState === 'visible' && online();
  addEventListener('online', online);
  addEventListener('offline', offline);
  document.addEventListener('visibilitychange', visible);
  return () => {
    removeEventListener('online', online);
    removeEventListener('offline', offline);
    document.removeEventListener('visibilitychange', visible);
  };
}
