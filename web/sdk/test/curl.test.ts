import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { until } from './server.js';
import { cuts, ordinals, proxy, ticketOf, upTo, writeAndCut } from './streams.js';

/** Runs curl to its end, giving away what it prints as it comes. Its exit status says nothing here: lines are cut. */
function curl(args: readonly string[], print: (text: string) => void, signal?: AbortSignal): Promise<void> {
  return new Promise((done, failed) => {
    const program = spawn('curl', ['--silent', '--no-buffer', '--max-time', '60', ...args], signal ? { signal } : {});
    program.stdout.setEncoding('utf8').on('data', print);
    program.on('error', (e) => (signal?.aborted ? done() : failed(e)));
    program.on('close', () => done());
  });
}

test(`curl follows a stream and goes on where it was, ${cuts} times`, async () => {
  const token = await ticketOf('by.curl');
  const seen: number[] = [];
  const end = new AbortController();
  let last = '';
  let runs = 0;
  const follow = async () => {
    while (!end.signal.aborted) {
      let held = '';
      const args = ['-H', `Authorization: Bearer ${token}`, ...(last ? ['-H', `Last-Event-ID: ${last}`] : []), `${proxy.url}/v1/events`];
      runs++;
      await curl(
        args,
        (text) => {
          const events = (held + text).split('\n\n');
          held = events.pop() ?? ''; // not whole yet, and lost with the connection
          for (const event of events) {
            const field = (name: string) => event.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1];
            if (field('event') !== undefined) continue;
            seen.push(...ordinals(field('data') ?? '{}'));
            last = field('id') ?? last;
          }
        },
        end.signal,
      );
    }
  };
  const following = follow();
  try {
    await until('it has a place in the log', async () => last !== '');
    const written = await writeAndCut('by.curl', async () => seen.length);
    assert.deepEqual(seen, upTo(written));
    assert.ok(runs > cuts / 2, `it ran ${runs} times`);
  } finally {
    end.abort();
    await following;
  }
});

test(`curl polls through ${cuts} breaks`, async () => {
  const token = await ticketOf('by.poll');
  const seen: number[] = [];
  const end = new AbortController();
  let key = '';
  const poll = async () => {
    while (!end.signal.aborted) {
      let text = '';
      const query = new URLSearchParams({ key, waitMs: '20000' });
      await curl(['-H', `Authorization: Bearer ${token}`, `${proxy.url}/v1/sync?${query}`], (t) => (text += t), end.signal);
      let page: { key: string };
      try {
        page = JSON.parse(text) as { key: string };
      } catch {
        continue; // cut off: asked again with the same key
      }
      seen.push(...ordinals(text));
      key = page.key;
    }
  };
  const polling = poll();
  try {
    await until('it has a place in the log', async () => key !== '');
    const written = await writeAndCut('by.poll', async () => seen.length);
    assert.deepEqual(seen, upTo(written));
  } finally {
    end.abort();
    await polling;
  }
});
