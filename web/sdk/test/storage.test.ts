import 'fake-indexeddb/auto';
import { forceCloseDatabase } from 'fake-indexeddb';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { appendFile, mkdir, mkdtemp, open as openFile, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { HongyanError } from '../src/error.js';
import { fileStorage } from '../src/node.js';
import { openIndexedDb } from '../src/storage/indexeddb.js';
import { MemoryStorage } from '../src/storage/memory.js';
import { messageKey, type Storage } from '../src/storage/storage.js';

const folder = await mkdtemp(join(tmpdir(), 'hongyan-store-'));
test.after(() => rm(folder, { recursive: true }));

const kinds: Record<string, () => Promise<Storage>> = {
  memory: async () => new MemoryStorage(),
  IndexedDB: () => openIndexedDb('storage'),
  file: () => fileStorage(join(folder, 'a')),
};

for (const [kind, open] of Object.entries(kinds)) {
  test(`${kind}: a batch is stored as a whole or not at all`, async () => {
    const s = await open();
    const sync = (version: string) => ({ table: 'meta', key: 'sync', value: { version } }) as const;
    await s.write({ writes: [sync('5'), { table: 'drafts', key: 'a', value: 'x' }], expect: '0' });
    await assert.rejects(s.write({ writes: [sync('7'), { table: 'drafts', key: 'a', value: 'y' }], expect: '4' }), {
      code: 'Storage',
    });
    assert.deepEqual(await s.get('meta', 'sync'), { version: '5' });
    assert.equal(await s.get('drafts', 'a'), 'x');
    await s.write({ writes: [sync('7'), { table: 'drafts', key: 'a' }], expect: '5' });
    assert.equal(await s.get('drafts', 'a'), undefined);
    await s.close();
  });

  test(`${kind}: keys are in order, and ranges hold both ends`, async () => {
    const s = await open();
    const ordinals = ['1', '2', '9', '10', '11', '99', '100', '9007199254740993', '18446744073709551615'];
    const shuffled = [...ordinals].sort(() => Math.random() - 0.5);
    const bytes = new Uint8Array([0, 255, 7]);
    await s.write({
      writes: [
        ...shuffled.map((n) => ({ table: 'messages', key: messageKey('d:1:2', n), value: { n, bytes } }) as const),
        { table: 'messages', key: messageKey('d:1:22', '5'), value: { n: 'other' } },
      ],
    });
    const at = (n: string) => messageKey('d:1:2', n);
    const values = async (...a: [string, string, number, boolean?]) =>
      (await s.range('messages', ...a)).map((v) => (v as { n: string }).n);
    assert.deepEqual(await values(at('0'), at('99999999999999999999'), 100), ordinals);
    assert.deepEqual(await values(at('2'), at('11'), 100), ['2', '9', '10', '11']);
    assert.deepEqual(await values(at('2'), at('100'), 2), ['2', '9']);
    assert.deepEqual(await values(at('2'), at('100'), 2, true), ['99', '100']);
    assert.deepEqual((await s.get('messages', at('9')) as { bytes: Uint8Array }).bytes, bytes);
    await s.write({ writes: [{ table: 'messages', from: at('0'), to: at('99') }] });
    assert.deepEqual(await values(at('0'), at('99999999999999999999'), 100), ordinals.slice(6));
    assert.equal((await s.all('messages')).length, 4);
    await s.close();
  });
}

for (const kind of ['IndexedDB', 'file']) {
  test(`${kind}: a batch with a value that cannot be stored leaves nothing behind, and the next one is stored`, async () => {
    const s = await kinds[kind]!();
    const put = (key: string, value: unknown) => ({ table: 'drafts', key, value }) as const;
    await assert.rejects(s.write({ writes: [put('m', 'x'), put('n', () => 1)] }), { code: 'Storage' });
    await s.write({ writes: [put('o', 'x')] });
    const held = await s.all('drafts');
    assert.deepEqual(held.filter(([key]) => key >= 'm'), [['o', 'x']]);
    await s.close();
  });
}

test('IndexedDB: a database that was deleted under it is made anew', async () => {
  const s = await openIndexedDb('deleted');
  await s.write({ writes: [{ table: 'drafts', key: 'a', value: 'x' }] });
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('deleted');
    request.onsuccess = resolve;
    request.onerror = reject;
  });
  assert.equal(await s.get('drafts', 'a'), undefined);
  await s.write({ writes: [{ table: 'drafts', key: 'b', value: 'y' }] });
  assert.equal(await s.get('drafts', 'b'), 'y');
  await s.close();
});

/** The databases that are opened from now on, and a way to have the next attempts fail. */
function watchOpening(t: TestContext) {
  const opened: IDBDatabase[] = [];
  let failing = 0;
  const open = indexedDB.open.bind(indexedDB);
  t.mock.method(indexedDB, 'open', (name: string, version: number) => {
    if (failing-- > 0) throw new DOMException('Internal error opening backing store', 'UnknownError');
    const request = open(name, version);
    request.addEventListener('success', () => opened.push(request.result));
    return request;
  });
  return { opened, fail: (times: number) => (failing = times) };
}

test('IndexedDB: a database that cannot be opened at the moment is opened later', async (t) => {
  const { opened, fail } = watchOpening(t);
  const s = await openIndexedDb('later');
  await s.write({ writes: [{ table: 'drafts', key: 'a', value: 'x' }] });
  fail(1);
  forceCloseDatabase(opened[0] as never); // as a browser does whose disk fails
  await assert.rejects(s.get('drafts', 'a'), { code: 'Storage' });
  assert.equal(await s.get('drafts', 'a'), 'x');
  await s.close();
});

test('IndexedDB: a connection that died without a word is replaced by one other, until the storage is closed', async (t) => {
  const { opened } = watchOpening(t);
  const s = await openIndexedDb('silent');
  await s.write({ writes: [{ table: 'drafts', key: 'a', value: 'x' }] });
  opened[0]!.close();
  assert.deepEqual(await Promise.all(['a', 'a', 'a'].map((key) => s.get('drafts', key))), ['x', 'x', 'x']);
  await s.close();
  await assert.rejects(s.get('drafts', 'a'), { code: 'Storage' });
  assert.equal(opened.length, 2);
});

test('IndexedDB: a page with a newer schema does not wait for an older one, which cannot use it any more', async () => {
  const s = await openIndexedDb('newer');
  const newer = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('newer', 1000);
    request.onsuccess = () => resolve(request.result);
    request.onblocked = reject;
  });
  await assert.rejects(s.get('drafts', 'a'), { code: 'Storage' });
  newer.close();
  await s.close();
});

test('IndexedDB: a batch that the browser aborts is not stored, and the next one may be', async (t) => {
  const s = await openIndexedDb('aborted');
  const drafts = (value: string) => ({ writes: [{ table: 'drafts', key: 'a', value } as const] });
  const abort = (store: IDBObjectStore, why: string) =>
    (store.transaction as unknown as { _abort(name: string): void })._abort(why);
  const { put, get } = IDBObjectStore.prototype;
  // That there is no room turns out at the commit, when every request has succeeded.
  t.mock.method(IDBObjectStore.prototype, 'put', function (this: IDBObjectStore, ...a: Parameters<typeof put>) {
    const request = put.apply(this, a);
    request.onsuccess = () => abort(this, 'QuotaExceededError');
    return request;
  });
  await assert.rejects(s.write(drafts('x')), (e: HongyanError) => {
    return e.code === 'Storage' && (e.cause as DOMException).name === 'QuotaExceededError';
  });
  t.mock.restoreAll();
  t.mock.method(IDBObjectStore.prototype, 'get', function (this: IDBObjectStore, key: string) {
    const request = get.call(this, key);
    abort(this, 'UnknownError');
    return request;
  });
  await assert.rejects(s.write({ ...drafts('x'), expect: '0' }), { code: 'Storage' });
  t.mock.restoreAll();
  assert.equal(await s.get('drafts', 'a'), undefined);
  await s.write(drafts('y'));
  assert.equal(await s.get('drafts', 'a'), 'y');
  await s.close();
});

test('file: what a crash has cut off or spoilt is not there, and what came before is', async () => {
  const path = join(folder, 'b');
  const put = (s: Storage, n: number) => s.write({ writes: [{ table: 'drafts', key: `k${n}`, value: 'x'.repeat(n) }] });
  const whole = await fileStorage(path);
  for (let n = 0; n < 20; n++) await put(whole, n);
  await whole.close();
  const log = await readFile(join(path, 'log'));
  for (let cut = log.length - 1; cut > log.length - 200; cut -= 7) {
    await writeFile(join(path, 'log'), log.subarray(0, cut));
    if (cut % 2 === 0) await appendFile(join(path, 'log'), 'garbage');
    const s = await fileStorage(path);
    const keys = (await s.all('drafts')).length;
    assert.ok(keys < 20 && keys > 10);
    await put(s, 100);
    await s.close();
    const again = await fileStorage(path);
    assert.equal((await again.all('drafts')).length, keys + 1);
    await again.close();
  }
});

test('file: a folder is open once, and the log does not grow without end', async () => {
  const path = join(folder, 'c');
  const s = await fileStorage(path);
  await assert.rejects(fileStorage(path), { code: 'Storage' });
  const value = 'x'.repeat(1 << 20);
  for (let n = 0; n < 30; n++) await s.write({ writes: [{ table: 'drafts', key: `k${n % 2}`, value: value + n }] });
  assert.ok((await stat(join(path, 'log'))).size < 12 << 20);
  await s.close();
  const again = await fileStorage(path);
  assert.deepEqual((await again.all('drafts')).map(([k, v]) => [k, (v as string).slice(1 << 20)]), [['k0', '28'], ['k1', '29']]);
  await again.close();
});

/** A batch with a draft of so many bytes. */
function draft(key: string, bytes: number) {
  return { writes: [{ table: 'drafts', key, value: 'x'.repeat(bytes) } as const] };
}

/** The keys of the drafts that are in a folder. */
async function draftsIn(path: string): Promise<string[]> {
  const s = await fileStorage(path);
  const all = await s.all('drafts');
  await s.close();
  return all.map(([key]) => key);
}

test('file: a batch that the disk has no room for is not stored, and smaller ones after it are', async () => {
  const path = join(folder, 'd');
  const program = `
    import { fileStorage } from ${JSON.stringify(new URL('../src/node.js', import.meta.url).href)};
    process.on('SIGXFSZ', () => undefined); // that the limit is met is to be an error
    const s = await fileStorage(${JSON.stringify(path)});
    const kept = [];
    for (const key of ['a', 'b', 'large', 'c', 'larger', 'd']) {
      const value = 'x'.repeat(key.startsWith('large') ? 100_000 : 1000);
      const failure = await s.write({ writes: [{ table: 'drafts', key, value }] }).catch((e) => e);
      if (failure === undefined) kept.push(key);
      else if (failure.code !== 'Storage') throw failure;
    }
    await s.close();
    console.log(JSON.stringify(kept));`;
  // Files of at most 32 KiB or 64 KiB, as shells differ in the unit: the system writes up to there.
  const limited = ['-c', 'ulimit -f 64 && exec "$0" "$@"', process.execPath, '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)('sh', limited);
  assert.deepEqual(JSON.parse(stdout), ['a', 'b', 'c', 'd']);
  assert.deepEqual(await draftsIn(path), ['a', 'b', 'c', 'd']);
});

/** The prototype of all open files, for faults of the disk. */
async function filePrototype(): Promise<FileHandle> {
  const file = await openFile(folder);
  await file.close();
  return Object.getPrototypeOf(file) as FileHandle;
}

test('file: what could not be made durable is not there later, and the storage works again with the disk', async (t) => {
  const path = join(folder, 'e');
  const s = await fileStorage(path);
  await s.write(draft('a', 10));
  const { size } = await stat(join(path, 'log'));
  t.mock.method(await filePrototype(), 'datasync', async () => Promise.reject(new Error('EIO: i/o error, fdatasync')));
  await assert.rejects(s.write(draft('b', 10)), { code: 'Storage' });
  assert.equal((await stat(join(path, 'log'))).size, size);
  await assert.rejects(s.write(draft('c', 5)), { code: 'Storage' });
  t.mock.restoreAll();
  assert.equal(await s.get('drafts', 'b'), undefined);
  await s.write(draft('d', 1));
  await s.close();
  assert.deepEqual(await draftsIn(path), ['a', 'd']);
});

test('file: a compaction that fails takes no batch with it, and is tried again when the log has grown', async () => {
  const path = join(folder, 'f');
  const s = await fileStorage(path);
  await mkdir(join(path, 'log.new')); // in the way of the new log
  const size = async () => (await stat(join(path, 'log'))).size;
  for (let n = 0; n < 6; n++) await s.write(draft('a', 1 << 20));
  assert.ok((await size()) > 6 << 20);
  await rmdir(join(path, 'log.new'));
  await s.write(draft('b', 1));
  assert.ok((await size()) > 6 << 20, 'it was tried again at once');
  for (let n = 0; n < 4; n++) await s.write(draft('c', 1 << 20));
  assert.ok((await size()) < 6 << 20, 'it was not tried again');
  await s.close();
  assert.deepEqual(await draftsIn(path), ['a', 'b', 'c']);
});

test('file: what is written after a compaction whose last step fails is not lost', async (t) => {
  const path = join(folder, 'g');
  const s = await fileStorage(path);
  for (let n = 0; n < 3; n++) await s.write(draft('a', 1 << 20));
  const files = await filePrototype();
  const { sync } = files;
  t.mock.method(files, 'sync', async function (this: FileHandle) {
    if ((await this.stat()).isDirectory()) throw new Error('EIO: i/o error, fsync');
    await sync.call(this);
  });
  await s.write(draft('b', 1 << 20));
  // Until the log's new name is durable, a crash may bring back the old log, which has nothing more.
  await assert.rejects(s.write(draft('c', 1)), { code: 'Storage' });
  t.mock.restoreAll();
  await s.write(draft('d', 1));
  await s.close();
  assert.ok((await stat(join(path, 'log'))).size < 3 << 20, 'it was compacted');
  assert.deepEqual(await draftsIn(path), ['a', 'b', 'd']);
});

test('file: a folder whose log cannot be read is opened when it can', async () => {
  const path = join(folder, 'unreadable');
  await mkdir(join(path, 'log'), { recursive: true });
  await assert.rejects(fileStorage(path), { code: 'Storage' });
  await rmdir(join(path, 'log'));
  await (await fileStorage(path)).close();
});
