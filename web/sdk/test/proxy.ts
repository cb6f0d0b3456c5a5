import { connect, createServer, type Server as TcpServer, type Socket } from 'node:net';

/** What a proxy does to the requests that it sees. */
export interface Rules {
  /** Answers an upgrade to WebSocket with 403. */
  blockWebSocket: boolean;
  /** Keeps what is streamed until the stream ends, as proxies do that buffer answers. */
  bufferEvents: boolean;
  /** Changes what the server says, by as many bytes as it takes away. */
  rewrite?: (text: string) => string;
}

/** A TCP proxy before a server that gets in the way as networks do. It reads no more than the head of each request. */
export class Proxy {
  readonly rules: Rules = { blockWebSocket: false, bufferEvents: false };
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly listener: TcpServer,
    private readonly target: number,
  ) {}

  static start(target: number): Promise<Proxy> {
    return new Promise((resolve) => {
      const listener = createServer((s) => proxy.take(s));
      const proxy = new Proxy(listener, target);
      listener.listen(0, '127.0.0.1', () => resolve(proxy));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.listener.address() as { port: number }).port}`;
  }

  get connected(): boolean {
    return this.sockets.size > 0;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const s of this.sockets) s.destroy();
  }

  close(): void {
    this.listener.close();
    this.cut();
  }

  private take(client: Socket): void {
    const server = connect(this.target, '127.0.0.1');
    for (const s of [client, server]) {
      this.sockets.add(s);
      s.on('error', () => undefined).on('close', () => {
        this.sockets.delete(s);
        client.destroy();
        server.destroy();
      });
    }
    let held = false;
    client.on('data', (d) => {
      const head = d.toString('latin1');
      if (this.rules.blockWebSocket && /^GET \/v1\/link/.test(head)) {
        client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      if (/^(GET|POST) /.test(head)) held = this.rules.bufferEvents && head.startsWith('GET /v1/events');
      server.write(d);
    });
    server.on('data', (d) => {
      if (held) return;
      const { rewrite } = this.rules;
      client.write(rewrite ? Buffer.from(rewrite(d.toString('latin1')), 'latin1') : d);
    });
  }
}
