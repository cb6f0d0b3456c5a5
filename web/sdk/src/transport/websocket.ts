import type { SocketLike } from '../api.js';
import { HongyanError } from '../error.js';
import { decode } from '../wire/codec.js';
import type { Init } from '../wire/init.js';
import { operations, type OperationName } from '../wire/table.js';
import type { AuthReply, Close, Notify, Replies, Requests } from '../wire/types.js';
import {
  answerTimeoutMs, asPushed, type Channel, checkSize, decodeRefusal, decodeReply, type Dial, encodeRequest, endingOf,
  timedOut, UnderWay,
} from './channel.js';

const replyOffset = 1_000_000_000;
const opNotify = 30;
const opClose = 31;
const opSignal = 32;

interface Frame {
  op: number;
  seq: number;
  body?: unknown;
}

interface Waiting {
  resolve(body: unknown): void;
  reject(e: HongyanError): void;
  timer: ReturnType<typeof setTimeout>;
}

/** Opens the long link over WebSocket, with the subprotocol of JSON, and says who is there. */
export async function dialWebSocket(d: Dial): Promise<Channel> {
  const Socket = d.WebSocket ?? (globalThis as unknown as Pick<Dial, 'WebSocket'>).WebSocket;
  if (Socket === undefined) throw new HongyanError('Network', 'this system has no WebSocket');
  const url = d.base.replace(/^http/, 'ws') + '/v1/link';
  const socket = new Socket(url, ['hongyan.v1.json']);
  const abort = () => socket.close();
  d.signal.addEventListener('abort', abort);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onclose = () => reject(new HongyanError('Network', 'the WebSocket was refused'));
      socket.onerror = () => reject(new HongyanError('Network', 'the WebSocket was refused'));
      if (d.signal.aborted) reject(new HongyanError('Network', 'given up'));
    });
    const link = new WebSocketChannel(socket, d);
    const session = await link.request('Auth', { token: d.token });
    // The end can come together with the answer, before anybody is told of either.
    if (link.over) throw new HongyanError('Network', 'the link ended');
    link.session = session;
    return link;
  } catch (e) {
    socket.onopen = socket.onclose = socket.onerror = socket.onmessage = null;
    // A socket that is not open yet reports the end of it as an error to whoever listens, or to the system.
    socket.onerror = () => undefined;
    socket.close();
    throw e;
  } finally {
    d.signal.removeEventListener('abort', abort);
  }
}

class WebSocketChannel implements Channel {
  readonly transport = 'websocket';
  readonly beats = true;
  session!: AuthReply;
  private sequence = 0;
  private readonly waiting = new Map<number, Waiting>();
  private readonly underWay = new UnderWay();
  over = false;

  constructor(
    private readonly socket: SocketLike,
    private readonly d: Dial,
  ) {
    socket.onmessage = (e: { data: unknown }) => this.received(e.data);
    socket.onclose = socket.onerror = () => this.end({ error: new HongyanError('Network', 'the link ended') });
  }

  async request<N extends OperationName>(name: N, body: Init<Requests[N]>, waitMs = 0): Promise<Replies[N]> {
    if (this.over) throw new HongyanError('Network', 'the link has ended');
    const json = encodeRequest(name, body);
    const seq = ++this.sequence;
    const text = `{"op":${operations[name][0]},"seq":${seq},"body":${json}}`;
    checkSize(name, text, this.session?.hints?.maxFrame || Infinity);
    const answer = new Promise<unknown>((resolve, reject) => {
      this.socket.send(text);
      const timer = setTimeout(() => this.end({ error: timedOut(name) }), answerTimeoutMs + waitMs);
      this.waiting.set(seq, { resolve, reject, timer });
    });
    return decodeReply(name, await this.underWay.add(answer));
  }

  close(): void {
    this.over = true;
    this.quit(new HongyanError('Network', 'the link was closed'));
  }

  async retire(): Promise<void> {
    await this.underWay.settled();
    this.close();
  }

  private received(data: unknown): void {
    if (this.over) return;
    try {
      this.take(JSON.parse(String(data)) as Frame);
    } catch (e) {
      this.end({ error: new HongyanError('Network', 'the server sent what cannot be read', { cause: e }), slowly: true });
    }
  }

  private take(f: Frame): void {
    const body = f.body ?? {};
    if (f.op === opNotify) return void this.d.events.pushed(asPushed(decode<Notify>('Notify', body)));
    if (f.op === opSignal) return this.d.events.signal(body);
    if (f.op === opClose) return this.end(endingOf(decode<Close>('Close', body)));
    const asked = this.waiting.get(f.seq);
    if (asked === undefined) return;
    this.waiting.delete(f.seq);
    clearTimeout(asked.timer);
    if (f.op === replyOffset) asked.reject(decodeRefusal(body));
    else asked.resolve(body);
  }

  private end(e: Parameters<Dial['events']['ended']>[0]): void {
    if (this.over) return;
    this.over = true;
    this.quit(e.error ?? new HongyanError('Network', 'the link ended'));
    if (this.session !== undefined) this.d.events.ended(e);
  }

  private quit(error: HongyanError): void {
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.onerror = () => undefined;
    this.socket.close();
    for (const w of this.waiting.values()) {
      clearTimeout(w.timer);
      w.reject(error);
    }
    this.waiting.clear();
  }
}
