// From messages to rows: where a day begins, which bubbles belong together.
import type { StoredMessage } from '@hongyan/sdk'
import { dayOf } from '../i18n/time'
import type { Span, Timeline } from './timeline'

// Messages of one sender within this time stand together.
const together = 5 * 60_000

export interface RowData {
  ordinal: number
  /** Undefined: not here yet. 'gone': deleted, takes no place. */
  message: StoredMessage | 'gone' | undefined
  day: boolean
  unread: boolean
  /** First and last of a group of bubbles. */
  first: boolean
  last: boolean
}

/** The rows of a range. */
export function rowsOf(timeline: Pick<Timeline, 'get'>, range: { from: number; to: number }, span: Span, unreadFrom: number): RowData[] {
  const rows: RowData[] = []
  for (let o = range.from; o <= range.to; o++) {
    const message = timeline.get(o)
    if (message === undefined || message === 'gone') {
      rows.push({ ordinal: o, message, day: false, unread: o === unreadFrom, first: false, last: false })
      continue
    }
    const previous = neighbour(timeline, o, -1, span)
    const next = neighbour(timeline, o, 1, span)
    // Of many that are no longer kept, one line says so.
    if (message.state === 'EXPIRED' && previous?.state === 'EXPIRED') {
      rows.push({ ordinal: o, message: 'gone', day: false, unread: o === unreadFrom, first: false, last: false })
      continue
    }
    // While the row above is still to come, nothing is said that its coming would most often take back: rows would move.
    const open = previous === undefined && o > span.first && timeline.get(o - 1) === undefined
    const day = message.timeMs > 0 && !open && (!previous || dayOf(previous.timeMs) !== dayOf(message.timeMs))
    const unread = o === unreadFrom
    rows.push({
      ordinal: o, message, day, unread,
      first: day || unread || (!open && !joins(previous, message)),
      last: !joins(message, next) || (next !== undefined && dayOf(next.timeMs) !== dayOf(message.timeMs)) || o + 1 === unreadFrom,
    })
  }
  return rows
}

function neighbour(timeline: Pick<Timeline, 'get'>, o: number, step: 1 | -1, span: Span): StoredMessage | undefined {
  // Deleted ones are looked past, but not for long.
  for (let at = o + step, tries = 0; at >= span.first && at <= span.last && tries < 20; at += step, tries++) {
    const m = timeline.get(at)
    if (m !== 'gone') return m
  }
  return undefined
}

function joins(a: StoredMessage | undefined, b: StoredMessage | undefined): boolean {
  return a !== undefined && b !== undefined && isBubble(a) && isBubble(b) && a.from === b.from && b.timeMs - a.timeMs < together
}

/** Whether a message is a bubble rather than a line in the middle. */
export function isBubble(m: StoredMessage): boolean {
  return m.state === 'PRESENT' && m.content !== undefined && m.content.notice === undefined
}
