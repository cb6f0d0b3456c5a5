import { pause } from './clock.js';
import { asError, HongyanError, retryable } from './error.js';
import { type Ask, fetchJson } from './transport/http.js';
import { decode, encode } from './wire/codec.js';
import type { Init } from './wire/init.js';
import type { Media } from './wire/types.js';

/** How many parts are on their way at a time. */
const parallel = 3;

/** How often a request is tried before an upload fails. */
const maxTries = 6;

/** How long a part may take. */
const partTimeoutMs = 120_000;

/** Files up to this size say their SHA-256, which takes their whole content into memory at once. */
const maxHashed = 64 << 20;

/** What an upload may be told, and tells. */
export interface UploadOptions {
  name?: string;
  /** As image/jpeg; the type of the blob if it is not given. */
  mime?: string;
  signal?: AbortSignal;
  /** Bytes that are on the server's disk, of all. */
  onProgress?(done: number, all: number): void;
}

interface Begun {
  upload?: string;
  partSize?: string;
  media?: unknown;
}

/**
 * Uploads a file in parts (docs/PROTOCOL.md, "Upload"), and gives the Media that a message carries. Parts that fail are sent
 * again; the same file uploaded again, even after a crash, goes on where it was.
 */
export async function upload(ask: () => Promise<Ask>, file: Blob, o: UploadOptions = {}): Promise<Media> {
  const media: Init<Media> = { name: o.name ?? '', mime: o.mime ?? file.type, size: String(file.size) };
  if (file.size <= maxHashed && crypto.subtle !== undefined) {
    media.sha256 = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  }
  const failed = new AbortController();
  const signal = o.signal === undefined ? failed.signal : AbortSignal.any([o.signal, failed.signal]);
  const call = (path: string, init: RequestInit) => again(() => send(ask, signal, path, init), signal);
  const begun = (await call('', json(encode('Media', media)))) as Begun;
  if (begun.media !== undefined) return decode<Media>('Media', begun.media);
  const path = `/uploads/${encodeURIComponent(begun.upload ?? '')}`;
  const missing = await partsOf(await call(path, {}), file.size, Number(begun.partSize));
  let done = file.size - missing.reduce((n, [from, to]) => n + to - from, 0);
  const work = async () => {
    try {
      for (let part = missing.shift(); part !== undefined; part = missing.shift()) {
        const [from, to] = part;
        // The blob's own type would only be in the way of the bytes.
        const body = file.slice(from, to, 'application/octet-stream');
        await call(`${path}?offset=${from}`, { method: 'PUT', body });
        if (signal.aborted) return;
        o.onProgress?.((done += to - from), file.size);
      }
    } catch (e) {
      failed.abort(); // the other parts are for the next upload
      throw e;
    }
  };
  o.onProgress?.(done, file.size);
  await Promise.all(Array.from({ length: parallel }, work));
  return decode<Media>('Media', await call(`${path}/finish`, { method: 'POST' }));
}

/** The parts that have not come, as offsets from and to. */
async function partsOf(state: unknown, size: number, partSize: number): Promise<[number, number][]> {
  const { received = [] } = state as { received?: { offset?: string; length: string }[] };
  const parts: [number, number][] = [];
  let at = 0;
  const add = (to: number) => {
    for (; at < to; at = Math.min(at + partSize, to)) parts.push([at, Math.min(at + partSize, to)]);
  };
  for (const r of received) {
    const offset = Number(r.offset ?? 0);
    add(offset);
    at = Math.max(at, offset + Number(r.length));
  }
  add(size);
  return parts;
}

async function send(ask: () => Promise<Ask>, signal: AbortSignal, path: string, init: RequestInit) {
  return fetchJson({ ...(await ask()), waitMs: partTimeoutMs, signal }, `/v1/media${path}`, init);
}

/** Tries until it succeeds, fails of something that trying does not mend, or is given up. */
async function again<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    if (signal.aborted) throw new HongyanError('Closed', 'the upload was given up');
    try {
      return await work();
    } catch (e) {
      const error = asError(e);
      const mended = retryable(error.code) || error.code === 'TOKEN_EXPIRED';
      if (!signal.aborted && (!mended || tries === maxTries)) throw error;
      await pause(Math.max(500 * 2 ** tries * (0.5 + Math.random() / 2), error.retryAfterMs ?? 0), signal);
    }
  }
}

function json(body: object): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}
