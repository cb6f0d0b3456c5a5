import { after, before } from 'node:test';
import type { Client } from '../src/index.js';
import { register } from './clients.js';
import { Proxy } from './proxy.js';
import { Server, sleep, until } from './server.js';

/** How often a stream is broken. */
export const cuts = 50;

export let server: Server;
export let proxy: Proxy;
let writer: Client;

before(async () => {
  server = await Server.start();
  proxy = await Proxy.start(server.port);
  // Nobody wants to wait 2 s fifty times.
  proxy.rules.rewrite = (text) => text.replace('retry: 2000', 'retry: 0010');
  writer = await register(server.url, 'writer');
});

after(async () => {
  await writer.close();
  proxy.close();
  await server.remove();
});

/** The ticket of a new account. */
export async function ticketOf(name: string): Promise<string> {
  const answer = await fetch(`${server.url}/v1/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, password: `${name}-secret`, device: { name: 'stream', class: 'WEB' } }),
  });
  return ((await answer.json()) as { session: { ticket: string } }).session.ticket;
}

/** The ordinals of the messages that the data of an event holds. */
export function ordinals(data: string): number[] {
  const page = JSON.parse(data) as { changes?: { message?: { ordinal: string } }[] };
  return (page.changes ?? []).flatMap((c) => (c.message ? [Number(c.message.ordinal)] : []));
}

/**
 * Writes to an account while its stream breaks again and again, until somebody has seen so many messages. Every second time
 * it breaks when all that was written has come, and otherwise at any moment at which there is a connection.
 */
export async function writeAndCut(name: string, seen: () => Promise<number>): Promise<number> {
  let written = 0;
  const write = async () => {
    await writer.send({ name }, { text: `message ${written}` }).acknowledged;
    written++;
  };
  for (let i = 0; i < cuts; i++) {
    for (let n = Math.floor(Math.random() * 4); n > 0; n--) await write();
    if (i % 2 === 0) {
      await write();
      await until('what was written has come', async () => (await seen()) >= written);
    }
    await until('there is a connection', () => proxy.connected);
    await sleep(Math.random() * 60);
    proxy.cut();
  }
  await write();
  await until('all has come', async () => (await seen()) >= written);
  return written;
}

/** 1 to n. */
export const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
