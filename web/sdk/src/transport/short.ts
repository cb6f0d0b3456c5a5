import type { Transport } from '../api.js';
import { pause } from '../clock.js';
import type { Ending } from '../core/link.js';
import { asError, HongyanError } from '../error.js';
import { decode } from '../wire/codec.js';
import type { Init } from '../wire/init.js';
import type { OperationName } from '../wire/table.js';
import type { AuthReply, Replies, Requests, SyncReply } from '../wire/types.js';
import { answerTimeoutMs, asPushedPage, type Channel, type Dial, timedOut, UnderWay } from './channel.js';
import { fetchFrom, fetchJson, post, problemError } from './http.js';
import { EventReader, type ServerEvent } from './sse.js';

/** After so much silence a stream is dead: the server says something every 20 s. */
const silenceMs = 30_000;

/** How long the server holds a poll. */
const pollMs = 25_000;

/** How long the next poll waits when the one before has brought what could not be applied yet. */
const pausePollMs = 300;

/** How long it waits when the server has not taken the key. */
const pauseRefusedMs = 3000;

/** What a server may have against a key. A pull finds it out too, in a way that is provided for. */
const aboutKey: readonly string[] = ['KEY_INVALID', 'KEY_AHEAD', 'INVALID'];

/** Opens the short link with a stream of events. It counts as open when something has come through it. */
export async function dialEvents(d: Dial): Promise<Channel> {
  const channel = new ShortChannel('sse', d);
  try {
    await channel.authenticate();
    await channel.openStream();
    return channel;
  } catch (e) {
    channel.close();
    throw e;
  }
}

/** Opens the short link with long-polls. */
export async function dialLongPoll(d: Dial): Promise<Channel> {
  const channel = new ShortChannel('longpoll', d);
  await channel.authenticate();
  void channel.poll();
  return channel;
}

class ShortChannel implements Channel {
  readonly beats = false;
  session!: AuthReply;
  private readonly stop = new AbortController();
  private readonly underWay = new UnderWay();
  private over = false;

  constructor(
    readonly transport: Transport,
    private readonly d: Dial,
  ) {
    const abort = () => this.close();
    d.signal.addEventListener('abort', abort, { once: true, signal: this.stop.signal });
    if (d.signal.aborted) this.close();
  }

  async authenticate(): Promise<void> {
    this.session = await post({ base: this.d.base, signal: this.stop.signal }, 'Auth', { token: this.d.token });
  }

  async request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs = 0): Promise<Replies[N]> {
    try {
      return await this.underWay.add(post({ ...this.asking, waitMs }, name, body));
    } catch (e) {
      const error = asError(e);
      // A ticket that has expired, or a device that has ended: the next connection tells which.
      if (['TOKEN_EXPIRED', 'UNAUTHENTICATED', 'REVOKED'].includes(error.code)) this.end({ error });
      throw error;
    }
  }

  close(): void {
    this.over = true;
    this.stop.abort(new HongyanError('Network', 'the link was closed'));
  }

  async retire(): Promise<void> {
    this.over = true;
    await this.underWay.settled();
    this.close();
  }

  private get asking() {
    return { base: this.d.base, token: this.session.ticket, signal: this.stop.signal };
  }

  private end(e: Ending): void {
    if (this.over) return;
    this.close();
    this.d.events.ended(e);
  }

  // --- the stream of events ---

  async openStream(): Promise<void> {
    const at = this.d.events.resume();
    const stream = await this.stream(at.key).catch((e: unknown) => {
      if (aboutKey.includes(asError(e).code)) return this.stream('');
      throw asError(e);
    });
    const reader = stream.getReader();
    const first = await this.read(reader, answerTimeoutMs);
    void this.follow(reader, first, at.version);
  }

  private async stream(key: string): Promise<ReadableStream<string>> {
    const limit = setTimeout(() => this.close(), answerTimeoutMs);
    try {
      const headers: Record<string, string> = key === '' ? {} : { 'Last-Event-ID': key };
      const answer = await fetchFrom(this.asking, '/v1/events', { headers, signal: this.stop.signal });
      if (answer.body === null) throw new HongyanError('Network', 'the answer has no body');
      return answer.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>);
    } finally {
      clearTimeout(limit);
    }
  }

  /** Reads the next piece of the stream; silence is an error. */
  private async read(reader: ReadableStreamDefaultReader<string>, patienceMs: number): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(timedOut('/v1/events')), patienceMs);
    });
    try {
      const { done, value } = await Promise.race([reader.read(), silence]);
      if (done) throw new HongyanError('Network', 'the stream has ended');
      return value;
    } catch (e) {
      reader.cancel().catch(() => undefined);
      throw asError(e);
    } finally {
      clearTimeout(timer);
    }
  }

  private async follow(reader: ReadableStreamDefaultReader<string>, first: string, version: string): Promise<void> {
    try {
      const events = new EventReader();
      for (let piece = first; !this.over; piece = await this.read(reader, silenceMs)) {
        for (const e of events.feed(piece)) version = await this.happened(e, version);
      }
    } catch (e) {
      this.end({ error: asError(e) });
    }
  }

  /** Takes an event of a stream that stands at a version, and returns where it stands then. */
  private async happened(e: ServerEvent, version: string): Promise<string> {
    if (this.over) return version;
    const json = JSON.parse(e.data) as Record<string, unknown>;
    if (e.name === 'signal') {
      this.d.events.signal(json);
    } else if (e.name === 'problem') {
      const error = problemError(json) ?? new HongyanError('UNAVAILABLE', 'the server has ended the stream');
      this.end({ error, reconnectAfterMs: error.retryAfterMs ?? 0 });
    } else if (e.name === 'message') {
      const page = decode<SyncReply>('SyncReply', json);
      await this.d.events.pushed(asPushedPage(page, version));
      return page.version;
    }
    return version;
  }

  // --- long-polls ---

  async poll(): Promise<void> {
    try {
      while (!this.over) {
        const { key, version } = this.d.events.resume();
        if (key === '') await pause(pausePollMs, this.stop.signal);
        else await this.pollOnce(key, version);
      }
    } catch (e) {
      const error = asError(e);
      this.end({ error, reconnectAfterMs: error.retryAfterMs ?? 0 });
    }
  }

  private async pollOnce(key: string, version: string): Promise<void> {
    const path = `/v1/sync?key=${encodeURIComponent(key)}&waitMs=${pollMs}`;
    let page: SyncReply;
    try {
      page = decode<SyncReply>('SyncReply', await fetchJson({ ...this.asking, waitMs: pollMs }, path));
    } catch (e) {
      if (!aboutKey.includes(asError(e).code)) throw e;
      await this.d.events.pushed({ version, previous: version, changes: [], key: '', broken: true });
      return pause(pauseRefusedMs, this.stop.signal);
    }
    if (this.over || (page.version === version && page.reset === undefined)) return;
    await this.d.events.pushed(asPushedPage(page, version));
    if (this.d.events.resume().version === version) await pause(pausePollMs, this.stop.signal);
  }
}
