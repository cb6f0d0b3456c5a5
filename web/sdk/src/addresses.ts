import type { Options } from './api.js';
import type { Model } from './model.js';
import type { Write } from './storage/storage.js';
import { fetchJson } from './transport/http.js';

/** How many addresses are tried. */
const maxAddresses = 8;

/** A place as GET /v1/addresses lists it. */
interface Address {
  host: string;
  port: number;
  priority: number;
  weight: number;
  transports: string[];
}

/** The list as meta's `addresses`. */
interface Known {
  addresses: Address[];
  untilMs: number;
}

/**
 * Where to try to connect, the best first: where the client was told, then the server's own list, then the built-in ones.
 * A page that was told nothing keeps to its origin: its Content-Security-Policy and the server's check of Origin refuse
 * all others.
 */
export function addressesOf(base: string, options: Options, model: Model): string[] {
  if (options.url === undefined && options.builtinAddresses === undefined) return [base];
  const { addresses = [] } = (model.meta.get('addresses') as Known | undefined) ?? {};
  const url = new URL(base);
  const secure = url.protocol === 'https:';
  const usable = addresses.filter((a) =>
    // A list that came without TLS proves nothing: it must not lead the token to another host.
    secure ? a.transports.includes('wss') : a.host === url.hostname && a.transports.includes('ws'),
  );
  const listed = byPriority(usable).map((a) => `${url.protocol}//${a.host.includes(':') ? `[${a.host}]` : a.host}:${a.port}`);
  const all = [base, ...listed, ...(options.builtinAddresses ?? [])].map((a) => new URL(a).origin);
  return [...new Set(all)].slice(0, maxAddresses);
}

/** Those of the lowest priority first, several of one priority at random by weight. */
function byPriority(addresses: readonly Address[]): Address[] {
  // The smallest of exponentially distributed numbers is each with the probability of its rate (Efraimidis, Spirakis).
  const drawn = addresses.map((a) => ({ a, draw: -Math.log(1 - Math.random()) / Math.max(a.weight, 1e-9) }));
  return drawn.sort((x, y) => x.a.priority - y.a.priority || x.draw - y.draw).map((d) => d.a);
}

/** Asks for the list, unless the one that is known still holds. */
export async function learnAddresses(base: string, model: Model): Promise<Write[]> {
  const known = model.meta.get('addresses') as Known | undefined;
  if (known !== undefined && Date.now() < known.untilMs) return [];
  const json = (await fetchJson({ base }, '/v1/addresses')) as { addresses?: Address[]; ttlMs?: string };
  const value: Known = { addresses: json.addresses ?? [], untilMs: Date.now() + Number(json.ttlMs ?? 3_600_000) };
  return [{ table: 'meta', key: 'addresses', value }];
}
