import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'

/** JSON as the short link takes and gives it, where 64-bit numbers are strings. The server checks the one, tests the other. */
export type Json = Record<string, any>

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Asks the server for an operation by its path, as mark-read. */
export function post(server: string, path: string, token: string, body: Json): Promise<Json> {
  const text = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }
    if (token) headers['Authorization'] = `Bearer ${token}`
    const asked = request(`${server}/v1/${path}`, { method: 'POST', agent, headers }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('error', reject)
      answer.on('end', () => {
        const said = Buffer.concat(pieces).toString()
        if (answer.statusCode === 200) resolve(JSON.parse(said) as Json)
        else reject(new Error(`${path} was answered ${answer.statusCode}: ${said}`))
      })
    })
    asked.on('error', reject)
    asked.end(text)
  })
}

/** Somebody with an account who talks to the server without a browser. */
export class Account {
  private constructor(
    private readonly server: string,
    readonly name: string,
    readonly user: string,
    private readonly ticket: string,
  ) {}

  /** Makes the account, with the password NAME-secret. */
  static async register(server: string, name: string, displayName = name): Promise<Account> {
    const device = { name: 'test', class: 'CLI' }
    const { session } = await post(server, 'register', '', { name, displayName, password: passwordOf(name), device })
    return new Account(server, name, session.user, session.ticket)
  }

  ask(path: string, body: Json = {}): Promise<Json> {
    return post(this.server, path, this.ticket, body)
  }

  /** Sends a text to a conversation, or to somebody by account name. */
  say(to: string, text: string): Promise<Json> {
    return this.send(to, { text })
  }

  send(to: string, content: Json): Promise<Json> {
    const target = to.includes(':') ? { conversation: to } : { name: to }
    return this.ask('send', { ...target, clientId: randomBytes(16).toString('base64'), firstAttemptMs: String(Date.now()), content })
  }

  /** The direct conversation with somebody. */
  with(other: { user: string }): string {
    const [a, b] = [this.user, other.user].sort((x, y) => Number(x) - Number(y))
    return `d:${a}:${b}`
  }

  async befriend(other: Account): Promise<void> {
    await this.ask('ask-contact', { name: other.name })
    await other.ask('answer-contact', { user: this.user, accept: true })
  }

  /** Makes a group with others, and returns its conversation. */
  async group(title: string, ...others: Account[]): Promise<{ id: string; conversation: string }> {
    const clientId = randomBytes(16).toString('base64')
    const { group } = await this.ask('create-group', { title, users: others.map((o) => o.user), clientId })
    return group
  }
}

export function passwordOf(name: string): string {
  return `${name}-secret`
}

/** Does something count times, with at most so many under way at a time. */
export async function many(count: number, atOnce: number, act: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < count) await act(next++)
  }))
}
