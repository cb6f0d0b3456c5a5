import type { Options, Transport } from './api.js';
import { HongyanError } from './error.js';
import type { Session } from './model.js';
import type { Channel, ChannelEvents, Dialer } from './transport/channel.js';
import { dialWebSocket } from './transport/websocket.js';

/** Opens a channel by whatever way is open. */
export type Dialing = (session: Session, events: ChannelEvents, signal: AbortSignal) => Promise<Channel>;

const dialers: Partial<Record<Transport, Dialer>> = { websocket: dialWebSocket };

/** Makes a Dialing of the options. */
export function dialing(base: string, options: Options): Dialing {
  return async (session, events, signal) => {
    const dial = (token: string) => dialers.websocket!({ base, token, events, signal, WebSocket: options.WebSocket });
    if (session.ticket !== '') {
      try {
        return await dial(session.ticket);
      } catch (e) {
        if (!(e instanceof HongyanError) || (e.code !== 'TOKEN_EXPIRED' && e.code !== 'REVOKED')) throw e;
      }
    }
    return dial(session.deviceToken);
  };
}
