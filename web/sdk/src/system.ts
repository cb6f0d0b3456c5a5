import type { Calls } from './leader.js';

/** Tells the leader what the browser knows of the network, and when a page is looked at again, until it is stopped. */
export function listenToSystem(leader: Calls): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const stop = new AbortController();
  const { signal } = stop;
  const tell = (online: boolean) => void leader.networkChanged(online).catch(() => undefined);
  addEventListener('online', () => tell(true), { signal });
  addEventListener('offline', () => tell(false), { signal });
  // A page that comes back from the back/forward cache has lost what it had.
  addEventListener('pageshow', (e) => e.persisted && tell(true), { signal });
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && tell(true), { signal });
  return () => stop.abort();
}

/** What a report says of the network: wifi, cellular, 4g … as far as the browser knows. */
export function networkName(): string {
  const { connection } = (globalThis.navigator ?? {}) as { connection?: { type?: string; effectiveType?: string } };
  return connection?.type ?? connection?.effectiveType ?? '';
}

/** The program and the system, for a report. */
export function systemName(): string {
  const { process } = globalThis as { process?: { version?: string; platform?: string } };
  if (typeof document === 'undefined') return `hongyan-ts node ${process?.version ?? ''} ${process?.platform ?? ''}`.trim();
  return `hongyan-ts ${navigator.userAgent}`.slice(0, 256);
}
