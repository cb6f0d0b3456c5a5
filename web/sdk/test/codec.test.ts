import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { cover, type Coverage, gaps, size } from '../src/coverage.js';
import { addToId, compareIds, maxId } from '../src/ids.js';
import { messageKey } from '../src/storage/storage.js';
import { trim } from '../src/trim.js';
import { EventReader } from '../src/transport/sse.js';
import { decode, encode, fromBase64, toBase64 } from '../src/wire/codec.js';
import { enums, operations } from '../src/wire/table.js';

interface Vector {
  operation: string;
  op: number;
  message: string;
  json: unknown;
}

const bodies = new URL('../../../../wire/testdata/bodies.json', import.meta.url);
const names: Record<string, string> = { Error: 'Refusal' };

test('every body is read and written without loss', async () => {
  const { vectors } = JSON.parse(await readFile(bodies, 'utf8')) as { vectors: Vector[] };
  assert.ok(vectors.length > 80);
  for (const v of vectors) {
    const name = names[v.message] ?? v.message;
    assert.deepEqual(encode(name, decode<object>(name, v.json)), v.json, v.operation);
  }
});

test('the table of operations is that of the vectors', async () => {
  const { vectors } = JSON.parse(await readFile(bodies, 'utf8')) as { vectors: Vector[] };
  const byOp = new Map(vectors.map((v) => [v.op, v.message]));
  for (const [name, [op, request, reply]] of Object.entries(operations)) {
    assert.equal(byOp.get(op), request, name);
    assert.equal(byOp.get(op + 1_000_000_000), reply, name);
  }
});

test('what is missing is at its default, and what is unknown is passed over', () => {
  const m = decode<Record<string, unknown>>('Message', { id: '9007199254740993', later: 1, state: 'OF_LATER' });
  assert.equal(m['id'], '9007199254740993');
  assert.equal(m['ordinal'], '0');
  assert.equal(m['timeMs'], 0);
  assert.deepEqual(m['clientId'], new Uint8Array(0));
  assert.equal(m['content'], undefined);
  assert.equal(m['state'], enums['MessageState']![0]);
  assert.ok(!('later' in m));
  assert.throws(() => decode('Message', { id: 'x' }), TypeError);
  assert.throws(() => decode('Message', []), TypeError);
  assert.throws(() => decode('Message', { content: 7 }), TypeError);
});

test('base64 of any length', () => {
  for (let n = 0; n < 300; n += 7) {
    const bytes = crypto.getRandomValues(new Uint8Array(n));
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  }
});

test('ids are compared as numbers, beyond what a number holds', () => {
  const sorted = ['0', '9', '10', '9007199254740992', '9007199254740993', '9223372036854775807'];
  assert.deepEqual([...sorted].reverse().sort(compareIds), sorted);
  assert.equal(maxId('9', '10'), '10');
  assert.equal(addToId('9007199254740992', 1), '9007199254740993');
  assert.equal(addToId('3', -5), '0');
});

test('coverage knows what is missing, whatever comes in which order', () => {
  for (let round = 0; round < 200; round++) {
    const held = new Set<number>();
    let c: Coverage = [];
    for (let i = 0; i < 12; i++) {
      const from = 1 + Math.floor(Math.random() * 40);
      const to = from + Math.floor(Math.random() * 8);
      for (let n = from; n <= to; n++) held.add(n);
      c = cover(c, String(from), String(to));
    }
    const missing = new Set<number>();
    for (const [from, to] of gaps(c, '1', '60')) for (let n = Number(from); n <= Number(to); n++) missing.add(n);
    for (let n = 1; n <= 60; n++) assert.equal(missing.has(n), !held.has(n), `${n} of ${JSON.stringify(c)}`);
    assert.equal(size(c), held.size);
  }
});

test('a store above its limit loses the oldest messages of the largest conversations', () => {
  const coverage = new Map<string, Coverage>([
    ['g:1', [['1', '4000'], ['9001', '11000']]],
    ['g:2', [['1', '1500']]],
    ['d:1:2', [['10', '20']]],
  ]);
  assert.deepEqual(trim(coverage, 10_000), []);
  const writes = trim(coverage, 5000);
  const left = new Map(coverage);
  for (const w of writes) if (w.table === 'coverage' && 'key' in w) left.set(w.key, w.value as Coverage);
  assert.deepEqual(left.get('g:1'), [['3001', '4000'], ['9001', '11000']]);
  assert.deepEqual(left.get('g:2'), [['12', '1500']]);
  assert.deepEqual(left.get('d:1:2'), [['10', '20']]);
  assert.deepEqual(writes[0], { table: 'messages', from: messageKey('g:1', '0'), to: messageKey('g:1', '3000') });
});

test('a stream of events is read the same at any split', () => {
  const text = ': hello\nretry: 2000\n\nid: a\ndata: {"x":1}\r\n\r\nevent: signal\rdata:one\rdata: two\r\r\nid: b\ndata\n\n:\n\nevent: x\n\ndata: last\n\n';
  const whole = new EventReader().feed(text);
  assert.deepEqual(whole, [
    { name: 'message', data: '{"x":1}', id: 'a' },
    { name: 'signal', data: 'one\ntwo', id: 'a' },
    { name: 'message', data: '', id: 'b' },
    { name: 'message', data: 'last', id: 'b' },
  ]);
  for (let i = 0; i <= text.length; i++) {
    for (let j = i; j <= text.length; j += 3) {
      const r = new EventReader();
      const events = [text.slice(0, i), text.slice(i, j), text.slice(j)].flatMap((p) => r.feed(p));
      assert.deepEqual(events, whole);
    }
  }
});
