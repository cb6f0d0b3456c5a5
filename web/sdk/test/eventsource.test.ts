import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EventSource } from 'eventsource';
import { chromium } from 'playwright-core';
import type { Client } from '../src/index.js';
import { register } from './clients.js';
import { Proxy } from './proxy.js';
import { Server, sleep, until } from './server.js';

const cuts = 50;

let server: Server;
let proxy: Proxy;
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
async function ticketOf(name: string): Promise<string> {
  const answer = await fetch(`${server.url}/v1/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, password: `${name}-secret`, device: { name: 'stream', class: 'WEB' } }),
  });
  return ((await answer.json()) as { session: { ticket: string } }).session.ticket;
}

/** The ordinals of the messages that the data of an event holds. */
function ordinals(data: string): number[] {
  const page = JSON.parse(data) as { changes?: { message?: { ordinal: string } }[] };
  return (page.changes ?? []).flatMap((c) => (c.message ? [Number(c.message.ordinal)] : []));
}

/** Writes to an account while its stream breaks again and again, until somebody has seen so many messages. */
async function writeAndCut(name: string, seen: () => Promise<number>): Promise<number> {
  let written = 0;
  const write = async () => {
    await writer.send({ name }, { text: `message ${written}` }).acknowledged;
    written++;
  };
  for (let i = 0; i < cuts; i++) {
    // Sometimes before, sometimes amid, sometimes after what comes.
    for (let n = Math.floor(Math.random() * 4); n > 0; n--) await write();
    await sleep(Math.random() * 60);
    proxy.cut();
  }
  await write();
  await until('all has come', async () => (await seen()) >= written);
  return written;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test(`npm's eventsource goes on where it was, ${cuts} times`, async () => {
  const token = await ticketOf('by.npm');
  const seen: number[] = [];
  let opened = 0;
  const source = new EventSource(`${proxy.url}/v1/events`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
  });
  source.onopen = () => opened++;
  source.onmessage = (e) => seen.push(...ordinals(String(e.data)));
  try {
    await until('it is open', () => opened > 0);
    const written = await writeAndCut('by.npm', async () => seen.length);
    assert.deepEqual(seen, upTo(written));
    assert.ok(opened > cuts / 2, `it was open ${opened} times`);
  } finally {
    source.close();
  }
});

test(`Chromium's EventSource goes on where it was, ${cuts} times`, async () => {
  const token = await ticketOf('by.chromium');
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  try {
    // The page of the API allows no scripts: this one is the test's.
    const context = await browser.newContext({ bypassCSP: true });
    const page = await context.newPage();
    await page.goto(`${proxy.url}/v1/`);
    await page.evaluate(async (ticket) => {
      const headers = { Authorization: `Bearer ${ticket}` };
      const answer = await fetch('/v1/events/cookie', { method: 'POST', headers });
      if (!answer.ok) throw new Error(`the cookie: ${answer.status} ${await answer.text()}`);
      const source = new EventSource('/v1/events');
      const found = Object.assign(globalThis, { seen: [] as string[], opened: 0 });
      source.onopen = () => found.opened++;
      source.onmessage = (e) => found.seen.push(e.data as string);
    }, token);
    const read = () => page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen);
    const opened = () => page.evaluate(() => (globalThis as unknown as { opened: number }).opened);
    await until('it is open', async () => (await opened()) > 0);
    const written = await writeAndCut('by.chromium', async () => (await read()).flatMap(ordinals).length);
    assert.deepEqual((await read()).flatMap(ordinals), upTo(written));
    assert.ok((await opened()) > cuts / 2, `it was open ${await opened()} times`);
  } finally {
    await browser.close();
  }
});
