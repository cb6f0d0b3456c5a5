import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askByCode } from '../src/code.js';
import { open } from '../src/index.js';
import { nodeOptions, register } from './clients.js';
import { hangMs, Server, until } from './server.js';

test('a login by code goes on although who listens to its state throws', async (t) => {
  const server = await Server.start();
  const alice = await register(server.url, 'alice');
  const other = await open({ url: server.url, ...nodeOptions });
  try {
    // What is thrown for nobody to catch would end the test.
    const faults: unknown[] = [];
    const queue = queueMicrotask;
    t.mock.method(globalThis, 'queueMicrotask', (f: () => void) => {
      queue(() => {
        try {
          f();
        } catch (e) {
          faults.push(e);
        }
      });
    });
    const fault = new Error('the page has a fault');
    const { code, done } = await other.loginByCode({
      onState: () => {
        throw fault;
      },
    });
    await alice.readLogin(code);
    await until('it is told', () => faults.length > 0);
    await alice.answerLogin(code, true);
    assert.equal((await done).user, alice.me!.user);
    assert.deepEqual(faults, [fault]);
  } finally {
    await alice.close();
    await other.close();
    await server.remove();
  }
});

test('a login by code is given up at once, even while it waits for its next attempt', { timeout: hangMs }, async (t) => {
  const stop = new AbortController();
  const fetches = t.mock.method(globalThis, 'fetch', async (url: string, { signal }: RequestInit) => {
    signal!.throwIfAborted();
    if (url.endsWith('/ask-login')) return new Response(JSON.stringify({ code: 'c', secret: '', expiresMs: '0' }));
    throw new TypeError('fetch failed');
  });
  t.mock.timers.enable({ apis: ['setTimeout'] }); // the pause does not end by itself
  const { reply } = await askByCode({ base: 'http://server', signal: stop.signal }, { name: 'Node', class: 'CLI' });
  setImmediate(() => {
    assert.equal(fetches.mock.callCount(), 2);
    stop.abort();
  });
  await assert.rejects(reply, { code: 'Network' });
});
