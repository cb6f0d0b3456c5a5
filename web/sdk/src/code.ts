import { pause } from './clock.js';
import { HongyanError } from './error.js';
import { tell } from './listener.js';
import { type Ask, post } from './transport/http.js';
import type { AwaitLoginReply, DeviceClass, LoginReply, Profile } from './wire/types.js';

/** How long the server holds a question for the state of a login by code. */
const waitMs = 25_000;

/** How far a login by code is; by: whose device has read the code. */
export interface CodeState {
  state: 'waiting' | 'scanned';
  profile?: Profile;
}

/** A login by code under way. */
export interface CodeLogin {
  code: string;
  /** To be shown as a QR code. */
  url: string;
  /** When the code ends, Unix milliseconds by the server's clock. */
  expiresMs: number;
  reply: Promise<LoginReply>;
}

/**
 * Asks for a login that another device confirms, and waits for it (docs/PROTOCOL.md, "Login by code") until it is over or
 * the signal of `ask` gives it up.
 */
export async function askByCode(
  ask: Ask,
  device: { name: string; class: DeviceClass },
  onState: (s: CodeState) => void = () => undefined,
): Promise<CodeLogin> {
  const { code, secret, expiresMs } = await post(ask, 'AskLogin', { device });
  return { code, url: `${ask.base}/#/login/${code}`, expiresMs, reply: awaitLogin(ask, secret, onState) };
}

async function awaitLogin(ask: Ask, secret: string, onState: (s: CodeState) => void): Promise<LoginReply> {
  let known: AwaitLoginReply['state'] = 'WAITING';
  for (let failures = 0; ; ) {
    try {
      const reply: AwaitLoginReply = await post({ ...ask, waitMs }, 'AwaitLogin', { secret, known, waitMs });
      failures = 0;
      if (reply.state === 'ACCEPTED' && reply.login) return reply.login;
      if (reply.state === 'DECLINED') throw new HongyanError('FORBIDDEN', 'the other device has declined');
      if (reply.state !== known) tell(onState, { state: 'scanned', ...(reply.by ? { profile: reply.by } : {}) });
      known = reply.state;
    } catch (e) {
      // A network that fails for a moment is no reason to show another code.
      if ((e as HongyanError).code !== 'Network' || ask.signal?.aborted || ++failures > 5) throw e;
      await pause(1000 * failures, ask.signal);
    }
  }
}
