import type { Code, Refusal } from './wire/types.js';

/** What went wrong besides the server's own codes: no way to the server, no room or right to store, a closed client. */
export type LocalCode = 'Network' | 'Storage' | 'Closed';

/**
 * Every error of the SDK. Decide by `code`: a code of docs/PROTOCOL.md for what the server refused, or a local one.
 * `message` and `hint` are for people; `retryAfterMs` says not before when to try again.
 */
export class HongyanError extends Error {
  readonly code: Code | LocalCode;
  readonly hint?: string;
  readonly retryAfterMs?: number;

  constructor(code: Code | LocalCode, message: string, more: { hint?: string; retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'HongyanError';
    this.code = code;
    if (more.hint) this.hint = more.hint;
    if (more.retryAfterMs) this.retryAfterMs = more.retryAfterMs;
  }
}

/** The error that a refusal of the server stands for. */
export function fromRefusal(r: Refusal): HongyanError {
  return new HongyanError(r.code === 'CODE_UNSPECIFIED' ? 'INTERNAL' : r.code, r.message, r);
}

/** Any failure as a HongyanError. */
export function asError(e: unknown, code: LocalCode = 'Network'): HongyanError {
  if (e instanceof HongyanError) return e;
  return new HongyanError(code, e instanceof Error ? e.message : String(e), { cause: e });
}

/** The error of what only somebody who is logged in can do. */
export function notLoggedIn(): HongyanError {
  return new HongyanError('UNAUTHENTICATED', 'nobody is logged in');
}

/** Whether the same request may be made again, with the same ids. */
export function retryable(code: Code | LocalCode): boolean {
  switch (code) {
    case 'INTERNAL':
    case 'THROTTLED':
    case 'BUSY':
    case 'STORAGE_LOW':
    case 'UNAVAILABLE':
    case 'Network':
      return true;
  }
  return false;
}
