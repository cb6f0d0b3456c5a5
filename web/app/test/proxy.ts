import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** What somebody wants, as far as a box in the network can tell: operation is all else below /v1/, page all else. */
export type Kind = 'websocket' | 'events' | 'poll' | 'operation' | 'page'

/** What a Proxy does to a kind: lets it through, answers 403, or breaks the connection. */
type Rule = 'pass' | 'refuse' | 'break'

/**
 * A box between a browser and the server that an ill-minded network might have: it refuses WebSocket and streams, cuts what
 * is open, and holds back bytes without a word. Kinds are told apart by method, path and the wish to upgrade.
 */
export class Proxy {
  private readonly rules: Record<Kind, Rule> = { websocket: 'pass', events: 'pass', poll: 'pass', operation: 'pass', page: 'pass' }
  /** The browser's ends of what is under way. */
  private readonly open = new Map<Socket, Kind>()
  private readonly flows = new Set<Duplex>()
  private readonly begun: Record<Kind, number> = { websocket: 0, events: 0, poll: 0, operation: 0, page: 0 }
  private stalled = false

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {}

  /** Begins to listen on a free port of loopback for a server at such an address as http://127.0.0.1:7878. */
  static start(url: string): Promise<Proxy> {
    const { hostname, port } = new URL(url)
    const server = createServer()
    const proxy = new Proxy(server, { host: hostname, port: Number(port) })
    server.on('request', (asked: IncomingMessage, answer: ServerResponse) => proxy.exchange(asked, answer))
    server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => proxy.upgrade(asked, socket, head))
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(proxy)))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Answers 403 to new ones, and cuts those that are open. */
  refuse(...kinds: Kind[]): void {
    this.rule('refuse', kinds)
  }

  /** Breaks the connections of new ones, and cuts those that are open. Without a kind: of all. */
  break(...kinds: Kind[]): void {
    this.rule('break', kinds)
  }

  pass(...kinds: Kind[]): void {
    this.rule('pass', kinds)
  }

  private rule(rule: Rule, kinds: Kind[]): void {
    for (const kind of kinds.length > 0 ? kinds : (Object.keys(this.rules) as Kind[])) {
      this.rules[kind] = rule
      if (rule !== 'pass') this.cut(kind)
    }
  }

  /** Cuts what is open, of a kind or of all. */
  cut(kind?: Kind): void {
    for (const [socket, its] of this.open) if (kind === undefined || its === kind) socket.destroy()
  }

  /** Moves no byte of what is open until flow, and answers nothing new. Connections stay. */
  stall(): void {
    this.stalled = true
    for (const flow of this.flows) flow.pause()
  }

  flow(): void {
    this.stalled = false
    for (const flow of this.flows) flow.resume()
  }

  /** How many of a kind are under way. */
  count(kind: Kind): number {
    return [...this.open.values()].filter((its) => its === kind).length
  }

  /** How many of a kind have been let through since the start. */
  total(kind: Kind): number {
    return this.begun[kind]
  }

  async close(): Promise<void> {
    this.cut()
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private exchange(asked: IncomingMessage, answer: ServerResponse): void {
    const kind = kindOf(asked)
    if (this.rules[kind] === 'break') return void asked.socket.destroy()
    if (this.rules[kind] === 'refuse') return void answer.writeHead(403, { 'Content-Length': 0 }).end()
    this.begin(asked.socket, kind)
    answer.on('close', () => this.open.delete(asked.socket))
    const { method, url, rawHeaders: headers } = asked
    const onward = request({ ...this.target, method, path: url, headers, agent: false }, (reply) => {
      answer.writeHead(reply.statusCode!, reply.rawHeaders)
      this.relay(reply, answer)
      // What the server broke off is broken off here as well, instead of ended.
      reply.on('close', () => reply.complete || asked.socket.destroy())
    })
    onward.on('error', () => asked.socket.destroy())
    answer.on('close', () => onward.destroy())
    asked.pipe(onward)
  }

  private upgrade(asked: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    if (this.rules.websocket === 'break') return void socket.destroy()
    if (this.rules.websocket === 'refuse') {
      return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    }
    this.begin(socket, 'websocket')
    socket.on('close', () => this.open.delete(socket))
    const onward = connect(this.target, () => {
      const lines = [`${asked.method} ${asked.url} HTTP/1.1`]
      for (let i = 0; i < asked.rawHeaders.length; i += 2) lines.push(`${asked.rawHeaders[i]}: ${asked.rawHeaders[i + 1]}`)
      onward.write(lines.join('\r\n') + '\r\n\r\n')
      onward.write(head)
      this.relay(socket, onward)
      this.relay(onward, socket)
    })
  }

  private begin(socket: Socket, kind: Kind): void {
    this.begun[kind]++
    this.open.set(socket, kind)
  }

  /** Moves bytes one way. What is cut on one side is cut on the other. */
  private relay(from: Duplex | IncomingMessage, to: Duplex | ServerResponse): void {
    const source = from as Duplex
    this.flows.add(source)
    source.on('data', (bytes: Buffer) => to.write(bytes))
    source.on('end', () => to.end())
    source.on('error', () => to.destroy())
    source.on('close', () => {
      this.flows.delete(source)
      if (!source.readableEnded) to.destroy()
    })
    if (this.stalled) source.pause()
  }
}

function kindOf({ method, url = '' }: IncomingMessage): Kind {
  const path = url.replace(/\?.*/, '')
  if (method === 'GET' && path === '/v1/events') return 'events'
  if (!path.startsWith('/v1/')) return 'page'
  return path === '/v1/sync' ? 'poll' : 'operation'
}
