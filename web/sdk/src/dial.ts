import type { Options, Transport } from './api.js';
import { now } from './clock.js';
import { asError, HongyanError } from './error.js';
import type { Session } from './model.js';
import type { Channel, ChannelEvents, Dialer } from './transport/channel.js';
import { dialEvents, dialLongPoll } from './transport/short.js';
import { dialWebSocket } from './transport/websocket.js';

/** How long an attempt by one way goes on before the next way is tried beside it. */
const nextTransportMs = 3000;

/** How long an attempt at one address goes on before the next address is tried beside it. */
const nextAddressMs = 250;

/** How long an attempt may take as a whole. */
const attemptMs = 15_000;

/** How many attempts are kept for a report. */
export const maxAttempts = 64;

const dialers: Record<Transport, Dialer> = { websocket: dialWebSocket, sse: dialEvents, longpoll: dialLongPoll };

/** What became of an attempt to connect, as a report tells it. */
export interface Attempt {
  transport: 'wss' | 'ws' | 'https' | 'http';
  /** HOST:PORT */
  address: string;
  atMs: number;
  tookMs: number;
  stage: 'connect' | 'auth' | 'ok';
  error: string;
}

/** Dialing opens channels by whatever way is open, and remembers what became of every attempt. */
export class Dialing {
  /** Oldest first. */
  readonly attempts: Attempt[] = [];
  private lastGood: Transport | undefined;

  constructor(
    /** Where to try, the best first. */
    private readonly bases: () => readonly string[],
    private readonly options: Pick<Options, 'transports' | 'WebSocket'>,
  ) {}

  /** Whether there is no better transport. */
  isBest(t: Transport): boolean {
    return this.transports[0] === t;
  }

  /** Opens a channel; `better` than that of a transport, if one is given. */
  async dial(session: Session, events: ChannelEvents, signal: AbortSignal, better?: Transport): Promise<Channel> {
    const { transports } = this;
    const tried = better === undefined ? this.inOrder() : transports.slice(0, transports.indexOf(better));
    const ways = tried.flatMap((transport, t) =>
      this.bases().map((base, b) => ({ transport, base, afterMs: t * nextTransportMs + b * nextAddressMs })),
    );
    const channel = await race(ways, signal, (w, s) => this.attempt(w.transport, w.base, session, events, s));
    this.lastGood = channel.transport;
    return channel;
  }

  /** Does something at the first address where it succeeds. */
  async everywhere<T>(work: (base: string) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const base of this.bases()) {
      try {
        return await work(base);
      } catch (e) {
        failure ??= e;
      }
    }
    throw asError(failure);
  }

  private get transports(): readonly Transport[] {
    return this.options.transports ?? ['websocket', 'sse', 'longpoll'];
  }

  /** What worked last comes first: whoever cannot use the best way is not to wait for it every time. */
  private inOrder(): Transport[] {
    const good = this.lastGood;
    const rest = this.transports.filter((t) => t !== good);
    return good === undefined ? rest : [good, ...rest];
  }

  private async attempt(
    transport: Transport,
    base: string,
    session: Session,
    events: ChannelEvents,
    signal: AbortSignal,
  ): Promise<Channel> {
    const atMs = Date.now();
    const began = now();
    const secure = base.startsWith('https:');
    const note = (stage: Attempt['stage'], error: string) => {
      if (this.attempts.length >= maxAttempts) this.attempts.shift();
      const name = transport === 'websocket' ? (secure ? 'wss' : 'ws') : secure ? 'https' : 'http';
      const { hostname, port } = new URL(base);
      const address = `${hostname}:${port || (secure ? 443 : 80)}`;
      this.attempts.push({ transport: name, address, atMs, tookMs: now() - began, stage, error });
    };
    const dial = (token: string) =>
      dialers[transport]({ base, token, events, signal, WebSocket: this.options.WebSocket });
    try {
      const channel = await withTicket(session, dial);
      note('ok', '');
      return channel;
    } catch (e) {
      const error = asError(e);
      if (!signal.aborted) note(error.code === 'Network' ? 'connect' : 'auth', error.message.slice(0, 256));
      throw error;
    }
  }
}

/** Uses the ticket while it lives, and the device token when it does not. */
async function withTicket(session: Session, dial: (token: string) => Promise<Channel>): Promise<Channel> {
  if (session.ticket !== '' && Date.now() < session.ticketExpiresMs) {
    try {
      return await dial(session.ticket);
    } catch (e) {
      if (!['TOKEN_EXPIRED', 'REVOKED', 'UNAUTHENTICATED'].includes(asError(e).code)) throw e;
    }
  }
  return dial(session.deviceToken);
}

/** A way to try, and how long after the first. */
interface Way {
  afterMs: number;
}

/**
 * Tries ways one beside the other, each when its time has come or none before it is under way any more, and keeps the
 * first that succeeds. It fails with what a server said, if one said anything, else with the first failure.
 */
export async function race<W extends Way>(
  ways: readonly W[],
  signal: AbortSignal,
  attempt: (w: W, signal: AbortSignal) => Promise<Channel>,
): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const began = now();
    let next = 0;
    let running = 0;
    let over = false;
    let problem: HongyanError | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const finish = (how: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      how();
    };
    const abort = () => finish(() => (stop.abort(), reject(new HongyanError('Network', 'given up'))));
    const proceed = () => {
      if (over) return;
      clearTimeout(timer);
      while (next < ways.length && (running === 0 || now() >= began + ways[next]!.afterMs)) begin(ways[next++]!);
      if (next < ways.length) timer = setTimeout(proceed, began + ways[next]!.afterMs - now());
      else if (running === 0) finish(() => reject(problem ?? new HongyanError('Network', 'there is no way to try')));
    };
    const begin = (way: W) => {
      running++;
      // The loser is stopped without ending a winner, which lives on under a signal of its own.
      const own = new AbortController();
      const limit = setTimeout(() => own.abort(), attemptMs);
      const quit = () => own.abort();
      stop.signal.addEventListener('abort', quit, { once: true });
      attempt(way, own.signal)
        .then((channel) => {
          if (over) return channel.close();
          stop.signal.removeEventListener('abort', quit);
          finish(() => (stop.abort(), resolve(channel)));
        })
        .catch((e: unknown) => {
          running--;
          const error = asError(e);
          if (problem === undefined || problem.code === 'Network') problem = error;
          // Who the device is does not depend on the way.
          if (error.code === 'UNAUTHENTICATED' || error.code === 'REVOKED') finish(() => (stop.abort(), reject(error)));
          else proceed();
        })
        .finally(() => clearTimeout(limit));
    };
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    else proceed();
  });
}
