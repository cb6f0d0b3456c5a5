import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventSource } from 'eventsource';
import { chromium } from 'playwright-core';
import { until } from './server.js';
import { cuts, ordinals, proxy, ticketOf, upTo, writeAndCut } from './streams.js';

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
