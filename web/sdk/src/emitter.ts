import type { Events } from './api.js';
import { Acts } from './acts.js';
import { tell } from './listener.js';

/** Listeners to the events of a client. */
export abstract class Emitter extends Acts {
  private readonly listeners = new Map<keyof Events, Set<(e: never) => void>>();

  /** Calls f at every such event until the function that it returns is called. */
  on<E extends keyof Events>(event: E, f: (e: Events[E]) => void): () => void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set);
    set.add(f as (e: never) => void);
    return () => set.delete(f as (e: never) => void);
  }

  protected emit<E extends keyof Events>(event: E, e: Events[E]): void {
    for (const f of [...(this.listeners.get(event) ?? [])]) tell(f as (e: Events[E]) => void, e);
  }
}
