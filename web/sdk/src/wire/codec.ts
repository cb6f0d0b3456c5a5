import { enums, messages } from './table.js';

/**
 * The codec turns the proto3 JSON of a body into what the SDK's types say, and back: 64-bit numbers stay decimal
 * strings, except times, which become numbers; bytes become a Uint8Array; fields at their default, which JSON leaves
 * out, are there.
 *
 * The kinds of table.ts are: s string, y bytes, b boolean, u 64-bit number, t time in milliseconds, n number, a name:
 * that message, #name: that enumeration; after ? it is unset rather than at its default, after * it is a list.
 */

type Json = Record<string, unknown>;
type Repeat = '' | '?' | '*';

interface Field {
  name: string;
  repeat: Repeat;
  kind: string;
}

const tables = new Map<string, readonly Field[]>();

function fieldsOf(message: string): readonly Field[] {
  let fields = tables.get(message);
  if (fields === undefined) {
    const row = messages[message];
    if (row === undefined) throw new TypeError(`the schema has no message ${message}`);
    fields = row === '' ? [] : row.split(' ').map(parseField);
    tables.set(message, fields);
  }
  return fields;
}

function parseField(text: string): Field {
  const colon = text.indexOf(':');
  const mark = text[colon + 1];
  const repeat: Repeat = mark === '?' || mark === '*' ? mark : '';
  return { name: text.slice(0, colon), repeat, kind: text.slice(colon + 1 + repeat.length) };
}

// Most lists of a page are empty: they share one, which nobody may write to.
const none: readonly never[] = Object.freeze([]);
const noBytes = new Uint8Array(0);

/** Reads the proto3 JSON of a message. A value of the wrong shape is a TypeError; what is unknown is passed over. */
export function decode<T>(message: string, json: unknown): T {
  const from = object(json, message);
  const to: Json = {};
  for (const { name, repeat, kind } of fieldsOf(message)) {
    const value = from[name];
    if (repeat === '*') {
      if (value === undefined || value === null) to[name] = none;
      else if (Array.isArray(value)) to[name] = value.map((v) => decodeValue(kind, v, name));
      else throw new TypeError(`${message}.${name} is no list`);
    } else if (value !== undefined && value !== null) {
      to[name] = decodeValue(kind, value, name);
    } else if (repeat === '') {
      to[name] = initial(kind);
    }
  }
  return to as T;
}

/** Writes a message as proto3 JSON. Fields that are missing or undefined are left out. */
export function encode(message: string, value: object): Json {
  const to: Json = {};
  for (const { name, repeat, kind } of fieldsOf(message)) {
    const v = (value as Json)[name];
    if (v === undefined || v === null) continue;
    if (repeat === '*') {
      if ((v as unknown[]).length > 0) to[name] = (v as unknown[]).map((e) => encodeValue(kind, e));
    } else if (repeat === '?' || !isInitial(kind, v)) {
      to[name] = encodeValue(kind, v);
    }
  }
  return to;
}

function decodeValue(kind: string, value: unknown, name: string): unknown {
  switch (kind) {
    case 's':
      if (typeof value === 'string') return value;
      break;
    case 'b':
      if (typeof value === 'boolean') return value;
      break;
    case 'y':
      if (typeof value === 'string') return fromBase64(value);
      break;
    case 'u':
      // A number can only be exact here below 2^53.
      if (typeof value === 'string' && /^\d+$/.test(value)) return value;
      if (Number.isSafeInteger(value)) return String(value);
      break;
    case 't':
    case 'n': {
      const n = typeof value === 'string' && value !== '' ? Number(value) : value;
      if (typeof n === 'number') return n;
      break;
    }
    default:
      if (!kind.startsWith('#')) return decode(kind, value);
      return enumeration(kind.slice(1), value);
  }
  throw new TypeError(`the field ${name} has a value of the wrong type`);
}

/** enumeration takes a value of a later version for the one that means nothing in particular. */
function enumeration(name: string, value: unknown): string {
  const values = enums[name] ?? none;
  const known = typeof value === 'number' ? values[value] : values.find((v) => v === value);
  return known ?? values[0]!;
}

function initial(kind: string): unknown {
  switch (kind) {
    case 's':
      return '';
    case 'b':
      return false;
    case 'y':
      return noBytes;
    case 'u':
      return '0';
    case 't':
    case 'n':
      return 0;
  }
  return enums[kind.slice(1)]![0];
}

function isInitial(kind: string, value: unknown): boolean {
  return kind === 'y' ? (value as Uint8Array).length === 0 : value === initial(kind);
}

function encodeValue(kind: string, value: unknown): unknown {
  if (kind === 'y') return toBase64(value as Uint8Array);
  if (kind === 't') return String(value);
  if (kind.length === 1 || kind.startsWith('#')) return value;
  return encode(kind, value as object);
}

function object(json: unknown, message: string): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  throw new TypeError(`${message} is no object`);
}

/** The base64 of bytes, with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  // An argument for each byte of a large array would be too many.
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** The bytes of base64, of either alphabet. */
export function fromBase64(text: string): Uint8Array {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
