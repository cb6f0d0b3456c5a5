import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { type Client, type Conversation, open, type Options, type SocketLike, type StoredMessage } from '../src/index.js';
import { until } from './server.js';

/** Node 20 has no WebSocket of its own. */
export const nodeOptions: Options = { WebSocket };

/** A frame of the long link as JSON. */
export interface Frame {
  op: number;
  seq: number;
  body: { key?: string };
}

/** WebSockets of which `take` sees what is sent. It says whether the frame goes no further. */
export function watching(take: (frame: Frame, socket: SocketLike) => boolean): NonNullable<Options['WebSocket']> {
  return class {
    constructor(url: string, protocols: string[]) {
      const socket = new WebSocket(url, protocols);
      const send = socket.send.bind(socket);
      socket.send = (data: string) => {
        if (!take(JSON.parse(data) as Frame, socket)) send(data);
      };
      return socket;
    }
  } as unknown as NonNullable<Options['WebSocket']>;
}

/** A promise, and what keeps it. */
export function gate(): { closed: Promise<void>; open: () => void } {
  let open!: () => void;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { closed, open };
}

/** Opens a client with an account of its own, and waits until it is in step. */
export async function register(url: string, name: string, options: Options = {}): Promise<Client> {
  const c = await open({ url, ...nodeOptions, ...options });
  await c.register({ name, password: `${name}-secret` });
  await inStep(c);
  return c;
}

/** Waits until a client is online and has everything. */
export function inStep(c: Client): Promise<void> {
  return until('the client is in step', () => c.connection.phase === 'online' && !c.connection.catchingUp);
}

/** The texts that a client hears from now on. */
export function heard(c: Client): string[] {
  const texts: string[] = [];
  c.on('message', ({ message }) => texts.push(message.content?.text ?? ''));
  return texts;
}

/** All messages of a conversation. */
export async function everything(c: Client, conversation: string): Promise<StoredMessage[]> {
  const all: StoredMessage[] = [];
  const last = Number(c.conversations.get(conversation)?.last ?? 0);
  for (let from = 1; from <= last; from += 200) {
    all.push(...(await c.messages(conversation, { from: String(from), to: String(from + 199) })));
  }
  return all;
}

/** What a client has worked out of its conversations must be what the server says of them. */
export async function assertAsOnServer(c: Client): Promise<void> {
  const { conversations } = await c.request('Conversations', { limit: 200 });
  const parts = (s: Conversation) => ({
    last: s.last, read: s.read, unread: s.unread, title: s.title, pinned: s.pinned, muted: s.muted, hidden: s.hidden,
    delivered: s.delivered, peerRead: s.peerRead, left: s.left, cleared: s.cleared,
  });
  assert.ok(conversations.length > 0);
  for (const s of conversations) assert.deepEqual(parts(c.conversations.get(s.id)!), parts(s), s.id);
}
