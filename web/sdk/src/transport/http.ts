import { asError, HongyanError } from '../error.js';
import type { Init } from '../wire/init.js';
import type { OperationName } from '../wire/table.js';
import type { Code, Replies, Requests } from '../wire/types.js';
import { enums } from '../wire/table.js';
import { answerTimeoutMs, checkSize, decodeReply, encodeRequest, timedOut } from './channel.js';

/** What a body may have, in bytes. */
const maxBody = 1 << 20;
const maxBodyWithoutToken = 4 << 10;

/** How a request goes over the short link. */
export interface Ask {
  base: string;
  token?: string;
  /** How long the server may wait before it answers. */
  waitMs?: number;
  signal?: AbortSignal;
}

/** Asks for an operation by POST. A HongyanError says what the server refused, or that no answer came. */
export async function post<N extends OperationName>(ask: Ask, name: N, body: Init<Requests[N]>): Promise<Replies[N]> {
  const text = encodeRequest(name, body);
  checkSize(name, text, ask.token ? maxBody : maxBodyWithoutToken);
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetchJson(ask, pathOf(name), { method: 'POST', headers, body: text });
  return decodeReply(name, answer);
}

/** The path of an operation: its name in lower case, the words joined by hyphens. */
export function pathOf(name: string): string {
  return '/v1/' + name.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();
}

/** Fetches JSON. Refusals come as problems (RFC 9457). */
export async function fetchJson(ask: Ask, path: string, init: RequestInit = {}): Promise<unknown> {
  const limit = AbortSignal.timeout(answerTimeoutMs + (ask.waitMs ?? 0));
  try {
    const answer = await fetchFrom(ask, path, { ...init, signal: ask.signal ? AbortSignal.any([ask.signal, limit]) : limit });
    return await answer.json();
  } catch (e) {
    if (limit.aborted && !ask.signal?.aborted) throw timedOut(path);
    throw asError(e);
  }
}

/** Begins to fetch, and returns the answer if it is a good one. */
export async function fetchFrom(ask: Ask, path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (ask.token) headers.set('Authorization', `Bearer ${ask.token}`);
  // The token is all that says who asks: no cookies, and nothing from a cache.
  const answer = await fetch(ask.base + path, { ...init, headers, cache: 'no-store', credentials: 'omit' });
  if (answer.ok) return answer;
  throw await refusal(answer);
}

/** The error that an answer stands for. One that is no problem of ours comes from something in between. */
async function refusal(answer: Response): Promise<HongyanError> {
  const problem = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const said = `the answer was ${answer.status} ${answer.statusText}`;
  // What is too large for a proxy stays so: to send it again and again would help nobody.
  return problemError(problem) ?? new HongyanError(answer.status === 413 ? 'TOO_LARGE' : 'Network', said);
}

/** The error of a problem's JSON; undefined if it is none of ours. */
export function problemError(p: Record<string, unknown>): HongyanError | undefined {
  if (typeof p['code'] !== 'string') return undefined;
  const code = (enums['Code']!.includes(p['code']) ? p['code'] : 'INTERNAL') as Code;
  return new HongyanError(code, String(p['detail'] ?? p['title'] ?? code), {
    ...(p['hint'] ? { hint: String(p['hint']) } : {}),
    ...(p['retryAfterMs'] ? { retryAfterMs: Number(p['retryAfterMs']) } : {}),
  });
}
