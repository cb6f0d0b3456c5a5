import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { register } from './clients.js';
import { Proxy } from './proxy.js';
import { Server, sleep } from './server.js';

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
