/// <reference types="node" />
import { constants, open, readFile, rename, rm, mkdir, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { asError, HongyanError } from './error.js';
import { MemoryStorage } from './storage/memory.js';
import { type Batch, type Storage, tables, type Write } from './storage/storage.js';

/** The log is written anew when it is longer than this and than four times what was left of it the last time. */
const minCompaction = 4 << 20;

/** Each record is its length, the CRC-32 of its body, both of four bytes, and the body: writes, by v8.serialize. */
const headSize = 8;

/**
 * Opens the storage of a program in a folder, which it makes if it is missing. One process may have it open at a time.
 * A batch is on the disk when its promise is kept; one that a crash has cut off is not there at all. Everything is in
 * memory as well: it is meant for bots and tests, not for millions of messages.
 */
export async function fileStorage(folder: string): Promise<Storage> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const lock = join(folder, 'lock');
    await takeLock(lock);
    const storage = new FileStorage(join(folder, 'log'), lock);
    await storage.load();
    return storage;
  } catch (e) {
    throw asError(e, 'Storage');
  }
}

/** Makes the lock file, over that of a process that is no more. */
async function takeLock(path: string): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
      const holder = Number(await readFile(path, 'utf8').catch(() => ''));
      if (isAlive(holder)) {
        throw new HongyanError('Storage', `the process ${holder} has it open`, { hint: 'use another folder' });
      }
      await rm(path, { force: true });
    }
  }
  throw new HongyanError('Storage', 'somebody else has just opened it');
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'EPERM';
  }
}

class FileStorage extends MemoryStorage {
  private file!: FileHandle;
  private length = 0;
  private compacted = 0;
  private tail: Promise<void> = Promise.resolve();
  private failure: HongyanError | undefined;

  constructor(
    private readonly path: string,
    private readonly lock: string,
  ) {
    super();
  }

  async load(): Promise<void> {
    this.file = await open(this.path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const log = await this.file.readFile();
    let at = 0;
    for (let body = recordAt(log, at); body !== undefined; body = recordAt(log, at)) {
      this.apply({ writes: deserialize(body) as Write[] });
      at += headSize + body.length;
    }
    // What comes after is the batch that a crash has cut off.
    await this.file.truncate(at);
    await syncFolder(this.path);
    this.length = at;
  }

  override write(batch: Batch): Promise<void> {
    const done = this.tail.then(() => this.append(batch));
    this.tail = done.catch(() => undefined);
    return done;
  }

  private async append(batch: Batch): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.check(batch);
    try {
      const bytes = record(batch.writes);
      await this.file.write(bytes, 0, bytes.length, this.length);
      await this.file.datasync();
      this.length += bytes.length;
    } catch (e) {
      // What the file holds now is unknown: only a load can tell.
      this.failure = asError(e, 'Storage');
      throw this.failure;
    }
    this.apply(batch);
    if (this.length > minCompaction && this.length > 4 * this.compacted) await this.compact();
  }

  /** Writes what is left of the log to a new one, which takes the place of the old one. */
  private async compact(): Promise<void> {
    const next = `${this.path}.new`;
    const file = await open(next, 'w+', 0o600);
    let length = 0;
    for (const table of tables) {
      const entries = await this.all(table);
      for (let i = 0; i < entries.length; i += 1000) {
        const bytes = record(entries.slice(i, i + 1000).map(([key, value]) => ({ table, key, value })));
        await file.write(bytes, 0, bytes.length, length);
        length += bytes.length;
      }
    }
    await file.sync();
    await rename(next, this.path);
    await syncFolder(this.path);
    await this.file.close();
    this.file = file;
    this.length = this.compacted = length;
  }

  override async close(): Promise<void> {
    await this.tail;
    this.failure = new HongyanError('Closed', 'the storage is closed');
    await this.file.close();
    await rm(this.lock, { force: true });
  }
}

/** Makes the name of a file durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY);
  await folder.sync();
  await folder.close();
}

function record(writes: readonly Write[]): Buffer {
  const body = serialize(writes);
  const head = Buffer.alloc(headSize);
  head.writeUInt32BE(body.length, 0);
  head.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

/** The body of the record at an offset; undefined if it is not whole. */
function recordAt(log: Buffer, at: number): Buffer | undefined {
  if (at + headSize > log.length) return undefined;
  const length = log.readUInt32BE(at);
  const body = log.subarray(at + headSize, at + headSize + length);
  return body.length === length && crc32(body) === log.readUInt32BE(at + 4) ? body : undefined;
}
