// The messages of one conversation by ordinal, as far as they are needed: pages come from the client as somebody
// scrolls there, and the farthest go again.
import type { ConversationState, StoredMessage } from '@hongyan/sdk'
import { signal } from '@preact/signals'
import { client, onChange } from '../state/client'

const pageSize = 100
const pagesKept = 30
const ahead = 1 // pages on each side that somebody may scroll to next
const requestsAtOnce = 2
// A page that could not be had is asked for again when somebody looks, but not at once.
const retryAfter = 3000

/** Bounds of what an account sees of a conversation; last below first: nothing. */
export interface Span {
  first: number
  last: number
}

export function spanOf(c: ConversationState): Span {
  const last = Number(c.left) > 0 ? Math.min(Number(c.left), Number(c.last)) : Number(c.last)
  return { first: Math.max(Number(c.joined), Number(c.cleared)) + 1, last }
}

/** Outdated: something has changed since it was asked for. Stale: something has changed since it came. */
type Page = 'loading' | 'outdated' | 'here' | 'stale'

export class Timeline {
  /** Rises when there is something new to read with get. */
  readonly version = signal(0)
  private readonly messages = new Map<number, StoredMessage>()
  private readonly pages = new Map<number, Page>()
  private readonly failedAt = new Map<number, number>()
  private wanted: number[] = []
  private running = 0
  private closed = false
  private readonly stop: () => void

  constructor(readonly conversation: string) {
    this.stop = onChange((c) => {
      const range = c.reset ? { from: '1', to: String(Number.MAX_SAFE_INTEGER) } : c.messages.get(conversation)
      if (range) this.changed(Number(range.from), Number(range.to))
    })
  }

  close(): void {
    this.closed = true
    this.stop()
  }

  /** A message that is here; 'gone' if it is known not to be any more; undefined if it has to be fetched first. */
  get(ordinal: number): StoredMessage | 'gone' | undefined {
    const m = this.messages.get(ordinal)
    if (m) return m
    const page = this.pages.get(pageOf(ordinal))
    return page === 'here' ? 'gone' : undefined
  }

  /** Makes the messages of a range come, if they are not here, and then their neighbours. */
  want(from: number, to: number): void {
    const wanted: number[] = []
    const now = Date.now()
    const middle = pageOf((from + to) / 2)
    for (let page = Math.max(0, pageOf(from) - ahead); page <= pageOf(to) + ahead; page++) {
      const state = this.pages.get(page)
      if (state === 'here' || isComing(state) || now - (this.failedAt.get(page) ?? 0) < retryAfter) continue
      wanted.push(page)
      if (state === undefined) this.takeCached(page)
    }
    // The nearest is asked for first, and what was wanted before and is out of sight not any more.
    this.wanted = wanted.sort((a, b) => Math.abs(b - middle) - Math.abs(a - middle))
    this.next()
    this.forget((from + to) / 2)
  }

  private takeCached(page: number): void {
    const { from, to } = bounds(page)
    for (const m of client().cachedMessages(this.conversation, { from: String(from), to: String(to) })) {
      this.messages.set(Number(m.ordinal), m)
    }
  }

  private next(): void {
    while (this.running < requestsAtOnce && this.wanted.length > 0) {
      const page = this.wanted.pop()!
      this.running++
      void this.load(page).finally(() => {
        this.running--
        if (!this.closed) this.next()
      })
    }
  }

  private async load(page: number): Promise<void> {
    this.pages.set(page, 'loading')
    const { from, to } = bounds(page)
    try {
      const { list, whole } = await messages(this.conversation, { from: String(from), to: String(to) })
      if (this.closed) return
      const outdated = this.pages.get(page) === 'outdated'
      if (!outdated) for (let o = from; o <= to; o++) this.messages.delete(o)
      for (const m of list) this.messages.set(Number(m.ordinal), m)
      this.failedAt.delete(page)
      if (outdated) {
        // What came may lack the change, or be older than what memory has.
        this.takeCached(page)
        this.pages.set(page, 'stale')
        this.wanted.push(page)
      } else if (whole) this.pages.set(page, 'here')
      else this.later(page)
    } catch {
      this.later(page)
    }
    this.bump()
  }

  /** What is not here may be on the server: it is asked for again. */
  private later(page: number): void {
    this.pages.delete(page)
    this.failedAt.set(page, Date.now())
    setTimeout(() => !this.closed && this.bump(), retryAfter + 50)
  }

  private changed(from: number, to: number): void {
    for (const [page, state] of this.pages) {
      const b = bounds(page)
      if (b.to < from || b.from > to) continue
      // Read anew: what memory does not have may be gone, and only the store knows. But one answer at a time: of two on
      // their way the older might come last.
      this.pages.set(page, isComing(state) ? 'outdated' : 'stale')
      this.takeCached(page)
    }
    for (let page = pageOf(from); page <= Math.min(pageOf(to), pageOf(from) + 1); page++) {
      if (!this.pages.has(page)) this.takeCached(page)
    }
    this.bump()
  }

  private forget(center: number): void {
    if (this.pages.size <= pagesKept) return
    const far = [...this.pages.keys()]
      .filter((p) => !isComing(this.pages.get(p)))
      .sort((a, b) => Math.abs(b * pageSize - center) - Math.abs(a * pageSize - center))
    for (const page of far.slice(0, this.pages.size - pagesKept)) {
      this.pages.delete(page)
      const { from, to } = bounds(page)
      for (let o = from; o <= to; o++) this.messages.delete(o)
    }
  }

  private bump(): void {
    this.version.value = this.version.peek() + 1
  }
}

/** The messages of a range, or, if some cannot be fetched, those that are stored. */
async function messages(conversation: string, range: { from: string; to: string }): Promise<{ list: StoredMessage[]; whole: boolean }> {
  try {
    return { list: await client().messages(conversation, range), whole: true }
  } catch {
    return { list: await client().storedMessages(conversation, range), whole: false }
  }
}

function isComing(state: Page | undefined): boolean {
  return state === 'loading' || state === 'outdated'
}

function pageOf(ordinal: number): number {
  return Math.floor((ordinal - 1) / pageSize)
}

function bounds(page: number): { from: number; to: number } {
  return { from: page * pageSize + 1, to: (page + 1) * pageSize }
}
