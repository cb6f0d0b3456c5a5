/// <reference types="node" />
import { constants, open, readFile, rename, rm, mkdir, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { asError, HongyanError } from './error.js';
import { MemoryStorage } from './storage/memory.js';
import { type Batch, type Storage, tables, type Write } from './storage/storage.js';

/**
 * The log is written anew when it is longer than this and than four times what was left of it the last time; if that
 * fails, again when it has grown by as much.
 */
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
    try {
      const storage = new FileStorage(join(folder, 'log'), lock);
      await storage.load();
      return storage;
    } catch (e) {
      await rm(lock, { force: true }); // or this process could not try again
      throw e;
    }
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
  /** How much of the file is what was stored. */
  private length = 0;
  /** Whether the file holds nothing more, and a crash would find it under its name. */
  private settled = false;
  private compactAt = minCompaction;
  private tail: Promise<void> = Promise.resolve();
  private closed = false;

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
    this.length = at;
    await this.settle();
  }

  override write(batch: Batch): Promise<void> {
    const done = this.tail.then(() => this.append(batch));
    this.tail = done.catch(() => undefined);
    return done;
  }

  private async append(batch: Batch): Promise<void> {
    if (this.closed) throw new HongyanError('Closed', 'the storage is closed');
    this.check(batch);
    try {
      const bytes = record(batch.writes);
      if (!this.settled) await this.settle();
      await writeAll(this.file, bytes, this.length);
      await this.file.datasync();
      this.length += bytes.length;
    } catch (e) {
      // A load must not find what the failure has left there. If it cannot be cut off now, the next write tries again.
      await this.settle().catch(() => undefined);
      throw asError(e, 'Storage');
    }
    this.apply(batch);
    // The batch is stored, whatever becomes of the compaction.
    if (this.length > this.compactAt) await this.compact().catch(() => undefined);
  }

  /** Cuts off what was not stored, and makes the rest and its name durable. */
  private async settle(): Promise<void> {
    this.settled = false;
    await this.file.truncate(this.length);
    await this.file.datasync();
    await syncFolder(this.path);
    this.settled = true;
  }

  /** Writes what is left of the log to a new one, which takes the place of the old one. */
  private async compact(): Promise<void> {
    this.compactAt = this.length + minCompaction; // if it fails now
    const next = `${this.path}.new`;
    const file = await open(next, 'w+', 0o600);
    let length = 0;
    try {
      for (const table of tables) {
        const entries = await this.all(table);
        for (let i = 0; i < entries.length; i += 1000) {
          const bytes = record(entries.slice(i, i + 1000).map(([key, value]) => ({ table, key, value })));
          await writeAll(file, bytes, length);
          length += bytes.length;
        }
      }
      await file.sync();
      await rename(next, this.path);
    } catch (e) {
      await file.close();
      await rm(next, { force: true });
      throw e;
    }
    // From here on it is the log, even if what follows fails: the old one has no name any more.
    const old = this.file;
    this.file = file;
    this.length = length;
    this.compactAt = Math.max(minCompaction, 4 * length);
    try {
      await this.settle();
    } finally {
      await old.close();
    }
  }

  override async close(): Promise<void> {
    await this.tail;
    this.closed = true;
    await this.file.close();
    await rm(this.lock, { force: true });
  }
}

/** Writes all bytes at an offset. The system may take fewer at a time, as when the disk becomes full. */
async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

/** Makes the name of a file durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
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
