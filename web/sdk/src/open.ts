import type { Options } from './api.js';
import { addressesOf, learnAddresses } from './addresses.js';
import { Client } from './client.js';
import { Dialing } from './dial.js';
import type { Told } from './engine.js';
import { HongyanError } from './error.js';
import { Leader } from './leader.js';
import { Model } from './model.js';
import { openIndexedDb } from './storage/indexeddb.js';
import { MemoryStorage } from './storage/memory.js';
import type { Storage } from './storage/storage.js';
import { listenToSystem } from './system.js';
import { Tabs, type TabSystem } from './tabs.js';

/**
 * Opens the client of this browser profile or process: whoever was logged in is so again. The tabs of a browser share one
 * connection and one store.
 */
export async function open(options: Options = {}): Promise<Client> {
  const base = baseOf(options.url);
  const name = `hongyan ${base}`;
  const storage = await storageOf(options, name);
  return openOn(base, storage, tabSystem(options), options);
}

/** @internal Opens a client on a storage; without a system of tabs it is alone. */
export async function openOn(
  base: string,
  storage: Storage,
  system: TabSystem | undefined,
  options: Options,
): Promise<Client> {
  const model = new Model();
  let client: Client | undefined;
  const told = <K extends keyof Told>(kind: K, what: Told[K]) => {
    if (client !== undefined) client.told(kind, what);
    else if (kind === 'wrote') model.apply((what as Told['wrote']).writes);
  };
  const lead = (tell: <K extends keyof Told>(kind: K, what: Told[K]) => void) => {
    const dial = new Dialing(() => addressesOf(base, options, model), options);
    return new Leader(model, storage, dial, tell, () => learnAddresses(base, model));
  };
  const tabs = new Tabs(`hongyan ${base}`, system ?? alone(), { model, storage, lead, told });
  await tabs.join();
  const stopListening = listenToSystem(tabs.calls);
  client = new Client({
    base,
    options,
    model,
    storage,
    leader: tabs.calls,
    connection: () => tabs.connection,
    async close() {
      stopListening();
      await tabs.close();
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

async function storageOf(options: Options, name: string): Promise<Storage> {
  if (options.storage === 'memory') return new MemoryStorage();
  if (options.storage !== undefined) return options.storage;
  // Without locks, as on a page without TLS, two tabs would write at a time.
  const shared = typeof indexedDB !== 'undefined' && globalThis.navigator?.locks !== undefined;
  return shared ? openIndexedDb(name) : new MemoryStorage();
}

/** Locks and channels of the browser, if its tabs share a store. */
function tabSystem(options: Options): TabSystem | undefined {
  const { locks } = globalThis.navigator ?? {};
  const shared = options.storage === undefined && typeof indexedDB !== 'undefined' && locks !== undefined;
  return shared ? { locks, channel: (name) => new BroadcastChannel(name) } : undefined;
}

/** The system of a client that shares nothing: it leads at once, and nobody listens. */
function alone(): TabSystem {
  const locks = { request: (_name: string, _options: unknown, lead: () => Promise<void>) => lead() };
  const channel = { postMessage: () => undefined, close: () => undefined, onmessage: null };
  return { locks: locks as unknown as TabSystem['locks'], channel: () => channel as unknown as BroadcastChannel };
}
