// Where somebody is in a long conversation. Rows above the view may turn out higher or lower than thought, or arrive late:
// the row at the upper edge stays where it is on the screen all the same.
import { Heights } from './heights'
import type { Span } from './timeline'

const estimate = 46
const overscan = 600 // pixels beyond each edge
const rowsAtOnce = 160
const nearEnd = 40
const slack = 5 // rows

export class Scroll {
  private heights: Heights
  private base: number
  private el: HTMLElement | undefined
  private render: () => void = () => {}
  /** The row that stays in its place, and how far below the upper edge it begins. */
  private anchor: { ordinal: number; offset: number }
  private stick: boolean
  private readonly known = new Set<number>() // rows that were measured with their message in them
  private shown = { from: 1, to: 0 }
  private seen = 0
  private viewport = 800
  private position = 0 // where the view was settled last; anywhere else is a person's scrolling

  constructor(private span: Span, unreadFrom: number | undefined) {
    this.base = span.first
    this.heights = new Heights(Math.max(0, span.last - span.first + 1), estimate)
    this.stick = unreadFrom === undefined
    this.anchor = { ordinal: unreadFrom ?? span.last, offset: 120 }
  }

  /** Whether the newest message is in sight. */
  get atEnd(): boolean {
    return this.stick
  }

  setSpan(span: Span): void {
    if (span.first !== this.base || span.last < this.span.last) {
      // The history was cleared, or a store made anew.
      this.base = span.first
      this.known.clear()
      this.heights = new Heights(Math.max(0, span.last - span.first + 1), estimate)
      this.anchor = { ordinal: Math.max(span.first, Math.min(this.anchor.ordinal, span.last)), offset: this.anchor.offset }
    }
    this.span = span
    this.heights.grow(span.last - span.first + 1)
  }

  /** The ordinals to render; whoever asks renders them. */
  range(): { from: number; to: number } {
    return (this.shown = this.wanted())
  }

  private wanted(): { from: number; to: number } {
    if (this.heights.count === 0) return { from: this.base, to: this.base - 1 }
    const top = this.top()
    const from = this.heights.at(Math.max(0, top - overscan))
    const to = Math.min(this.heights.at(top + this.viewport + overscan), from + rowsAtOnce)
    return { from: this.base + from, to: this.base + to }
  }

  /** The highest ordinal that has been in sight since the conversation was opened. */
  lastSeen(): number {
    return this.seen
  }

  /** Whether a message lies above what is in sight. */
  above(ordinal: number): boolean {
    return this.heights.above(ordinal - this.base + 1) < this.top()
  }

  private top(): number {
    if (this.stick) return Math.max(0, this.heights.total - this.viewport)
    return Math.max(0, this.heights.above(this.anchor.ordinal - this.base) - this.anchor.offset)
  }

  attach(el: HTMLElement, render: () => void): () => void {
    this.el = el
    this.render = render
    this.viewport = el.clientHeight
    const scrolled = () => this.scrolled()
    el.addEventListener('scroll', scrolled, { passive: true })
    // Pictures that arrive, fonts, a window that changes: whatever moves rows is settled before it is painted.
    const observer = new ResizeObserver(() => this.settle())
    observer.observe(el)
    const rows = new MutationObserver(() => observeRows(el, observer))
    rows.observe(el, { childList: true })
    observeRows(el, observer)
    this.settle()
    return () => {
      el.removeEventListener('scroll', scrolled)
      observer.disconnect()
      rows.disconnect()
      this.el = undefined
    }
  }

  /** Goes to a message, in the upper part of the view. */
  goTo(ordinal: number): void {
    this.stick = false
    this.anchor = { ordinal: Math.max(this.span.first, Math.min(ordinal, this.span.last)), offset: this.viewport / 3 }
    this.render()
  }

  goToEnd(): void {
    this.stick = true
    if (this.el) this.render()
  }

  /** Measures the rows that are rendered, and puts everything where it belongs. */
  settle(): void {
    const el = this.el
    if (!el) return
    this.track(el)
    this.viewport = el.clientHeight
    for (const row of el.querySelectorAll<HTMLElement>('[data-ordinal]')) {
      const ordinal = Number(row.dataset.ordinal)
      this.heights.set(ordinal - this.base, row.getBoundingClientRect().height)
      if (row.dataset.loaded !== undefined) this.known.add(ordinal)
    }
    const before = this.heights.above(this.shown.from - this.base)
    const after = this.heights.total - this.heights.above(this.shown.to - this.base + 1)
    space(el, 'before', before)
    space(el, 'after', after)
    const end = el.scrollHeight - el.clientHeight
    const top = this.stick ? end : Math.min(this.top(), end)
    if (Math.abs(el.scrollTop - top) >= 1) el.scrollTop = top
    this.position = el.scrollTop
    if (!this.stick && this.shown.to === this.span.last && this.isNearEnd(el)) {
      this.stick = true
      this.render()
    }
    this.look(el)
    // What was measured may leave a part of the view without rows.
    const wanted = this.wanted()
    if (wanted.from < this.shown.from || wanted.to > this.shown.to) this.render()
  }

  private scrolled(): void {
    const el = this.el
    if (!el || !this.track(el)) return
    this.look(el)
    const { from, to } = this.shown
    const wanted = this.wanted()
    // A few rows more or less at an edge are not worth rendering anew, except at the ends.
    const near = (a: number, b: number, end: number) => a === b || (Math.abs(a - b) < slack && a !== end)
    if (!near(wanted.from, from, this.base) || !near(wanted.to, to, this.span.last)) this.render()
  }

  /**
   * Takes over where the person has scrolled to, by the heights that were laid out then. The event that tells of it may
   * come later than the next layout, which must not undo it.
   */
  private track(el: HTMLElement): boolean {
    const top = el.scrollTop
    if (Math.abs(top - this.position) < 1) return false
    this.position = top
    const end = this.isNearEnd(el)
    if (end !== this.stick) {
      this.stick = end
      this.render()
    }
    const at = this.steady(top, el.clientHeight)
    this.anchor = { ordinal: this.base + at, offset: this.heights.above(at) - top }
    return true
  }

  /** The uppermost row in sight whose height is known: one that is still to come would push the others when it does. */
  private steady(top: number, height: number): number {
    const first = this.heights.at(top)
    const last = this.heights.at(top + height)
    for (let i = first; i <= last; i++) if (this.known.has(this.base + i)) return i
    return first
  }

  private isNearEnd(el: HTMLElement): boolean {
    return el.scrollHeight - el.clientHeight - el.scrollTop < nearEnd
  }

  private look(el: HTMLElement): void {
    if (this.heights.count === 0) return
    const bottom = this.base + this.heights.at(el.scrollTop + el.clientHeight - 12)
    const seen = this.stick ? this.span.last : Math.min(bottom, this.shown.to)
    this.seen = Math.max(this.seen, seen)
  }
}

function observeRows(el: HTMLElement, observer: ResizeObserver): void {
  for (const child of el.children) observer.observe(child)
}

function space(el: HTMLElement, name: string, height: number): void {
  const s = el.querySelector<HTMLElement>(`[data-space=${name}]`)
  if (s) s.style.height = `${height}px`
}
