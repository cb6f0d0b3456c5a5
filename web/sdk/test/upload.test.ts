import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { upload } from '../src/upload.js';
import { register } from './clients.js';
import { Proxy } from './proxy.js';
import { hangMs, Server, sleep, until } from './server.js';

test('a file arrives whole through a network that breaks, and is there at once the second time', async () => {
  const server = await Server.start('--http.advertise', '127.0.0.1:9');
  const proxy = await Proxy.start(server.port);
  const alice = await register(proxy.url, 'alice');
  try {
    const bytes = crypto.getRandomValues(new Uint8Array(65536));
    const file = new Blob(Array.from({ length: 200 }, () => bytes), { type: 'application/x-test' });
    const progress: number[] = [];
    let cutting = true;
    const cut = (async () => {
      for (let i = 0; i < 3 && cutting; i++) {
        await sleep(150);
        proxy.cut();
      }
    })();
    const media = await alice.upload(file, { name: 'reeds.bin', onProgress: (n) => progress.push(n) });
    cutting = false;
    await cut;
    assert.equal(media.size, String(file.size));
    assert.equal(media.name, 'reeds.bin');
    assert.equal(progress.at(-1), file.size);
    const hash = createHash('sha256').update(new Uint8Array(await file.arrayBuffer())).digest();
    assert.deepEqual(Buffer.from(media.sha256), hash);
    const answer = await fetch(alice.mediaUrl(media.ref).replace(proxy.url, server.url));
    assert.equal(createHash('sha256').update(new Uint8Array(await answer.arrayBuffer())).digest('hex'), hash.toString('hex'));
    const again = await alice.upload(file, { name: 'reeds.bin' });
    assert.equal(again.ref, media.ref);
    const stop = AbortSignal.abort();
    await assert.rejects(alice.upload(new Blob(['x']), { signal: stop }), { code: 'Closed' });
  } finally {
    await alice.close();
    proxy.close();
    await server.remove();
  }
});

/** A server that begins every upload, in parts of a byte, and leaves it to `put` how one of them is answered. */
async function uploadServer(t: TestContext, put: (offset: number, response: ServerResponse) => void) {
  const server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url!, 'http://server');
    if (request.method === 'PUT') put(Number(url.searchParams.get('offset')), response);
    else response.end(JSON.stringify(url.pathname === '/v1/media' ? { upload: 'u', partSize: '1' } : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return async () => ({ base, token: 't' });
}

test('an upload that has failed begins and tells nothing more, and gives up what is on its way', async (t) => {
  const asked: number[] = [];
  const progress: number[] = [];
  let late: ServerResponse | undefined;
  let givenUp = false;
  const refuse = (response: ServerResponse) => response.writeHead(403).end(JSON.stringify({ code: 'FORBIDDEN' }));
  const ask = await uploadServer(t, (offset, response) => {
    asked.push(offset);
    if (offset === 0) response.once('close', () => (givenUp = true));
    else if (offset === 2) late = response;
    else if (offset !== 4) response.end('{}');
    else void until('the first have come', () => asked.length === 5).then(() => refuse(response));
  });
  const file = new Blob(['x'.repeat(100)]);
  await assert.rejects(upload(ask, file, { onProgress: (n) => progress.push(n) }), { code: 'FORBIDDEN' });
  late?.end('{}');
  await sleep(100);
  assert.deepEqual(asked.sort(), [0, 1, 2, 3, 4]);
  assert.deepEqual(progress, [0, 1, 2]);
  await until('the part that was on its way is given up', () => givenUp);
});

test('an upload is given up at once, even while it waits for its next attempt', { timeout: hangMs }, async (t) => {
  const stop = new AbortController();
  let asked = 0;
  const ask = await uploadServer(t, (_, response) => {
    asked++;
    response.writeHead(503).end(JSON.stringify({ code: 'BUSY', retryAfterMs: String(10 * hangMs) }));
    response.once('close', () => setTimeout(() => stop.abort(), 50));
  });
  await assert.rejects(upload(ask, new Blob(['x']), { signal: stop.signal }), { code: 'Closed' });
  assert.equal(asked, 1);
});
