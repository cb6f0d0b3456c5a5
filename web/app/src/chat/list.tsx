import type { ConversationState, Outgoing } from '@hongyan/sdk'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { Icon } from '../ui/icon'
import { Scroll } from './scroll'
import { OutgoingRow, Row } from './row'
import { rowsOf } from './rows'
import { spanOf, type Timeline } from './timeline'

// With fewer unread messages than this, the first of them is hardly out of sight.
const worthJump = 10

interface MessageListProps {
  conversation: ConversationState
  timeline: Timeline
  outbox: readonly Outgoing[]
  /** The first message that was unread when the conversation was opened; 0: none. */
  unreadFrom: number
  /** Where to go, from a search or a quote; each new object goes there once. */
  target: { ordinal: number } | undefined
}

/** The messages of a conversation. Only those in sight are rendered, whatever their number. */
export function MessageList({ conversation: c, timeline, outbox, unreadFrom, target }: MessageListProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const span = spanOf(c)
  const scroll = useMemo(() => new Scroll(span, unreadFrom > 0 ? unreadFrom : undefined), [timeline])
  const [, render] = useState(0)
  const [flash, setFlash] = useState(0)
  const [unreadAtFirst] = useState(c.unread)
  const [jumped, setJumped] = useState(false)
  scroll.setSpan(span)
  void timeline.version.value
  const range = scroll.range()
  useEffect(() => timeline.want(range.from, range.to), [range.from, range.to, timeline.version.value])

  useLayoutEffect(() => scroll.attach(scroller.current!, () => render((n) => n + 1)), [scroll])
  useLayoutEffect(() => {
    if (!target) return
    scroll.goTo(target.ordinal)
    setFlash(target.ordinal)
    const timer = setTimeout(() => setFlash(0), 2000)
    return () => clearTimeout(timer)
  }, [target])
  // One's own new message is always shown.
  const newest = outbox.at(-1)?.clientId
  const sent = useRef(newest)
  if (newest !== undefined && newest !== sent.current) scroll.goToEnd()
  sent.current = newest
  useLayoutEffect(() => scroll.settle())

  const marked = useRef(0)
  const read = () => {
    const seen = scroll.lastSeen()
    if (seen <= Math.max(Number(c.read), marked.current) || document.hidden || !document.hasFocus()) return
    marked.current = seen
    client().markRead(c.id, String(seen))
  }
  useEffect(read)
  useEffect(() => {
    addEventListener('focus', read)
    document.addEventListener('visibilitychange', read)
    return () => {
      removeEventListener('focus', read)
      document.removeEventListener('visibilitychange', read)
    }
  })

  const unseen = Math.max(0, span.last - Math.max(scroll.lastSeen(), Number(c.read)))
  const rows = rowsOf(timeline, range, span, unreadFrom)
  return (
    <div class="message-area">
      <div
        ref={scroller}
        class="messages"
        id="messages"
        tabIndex={0}
        role="feed"
        aria-label={t('messages')}
        aria-busy={rows.some((r) => r.message === undefined)}
        onKeyDown={(e) => moveFocus(e, scroll)}
      >
        <div class="messages-space" data-space="before" />
        {rows.map((row) => (
          <Row key={row.ordinal} {...row} conversation={c} flash={flash === row.ordinal} start={row.ordinal === span.first} of={span.last} />
        ))}
        <div class="messages-space" data-space="after" />
        {outbox.map((o) => <OutgoingRow key={o.clientId} message={o} />)}
        <div class="messages-end" />
      </div>
      {unreadAtFirst >= worthJump && !jumped && scroll.above(unreadFrom) && (
        <button type="button" class="jump up" onClick={() => {
          setJumped(true)
          scroll.goTo(unreadFrom)
        }}>
          <Icon name="up" size={16} />
          {t('toUnread', { n: unreadAtFirst })}
        </button>
      )}
      {!scroll.atEnd && (
        <button type="button" class="jump down" onClick={() => scroll.goToEnd()} aria-label={t('toBottom')} title={t('toBottom')}>
          {unseen > 0 && c.unread > 0 && <span class="badge">{c.unread > 99 ? '99+' : c.unread}</span>}
          <Icon name="down" size={22} />
        </button>
      )}
    </div>
  )
}

/** Arrow keys walk through the messages in sight; the browser scrolls what gets the focus into view. */
function moveFocus(e: KeyboardEvent, scroll: Scroll): void {
  if (e.key === 'End' && e.ctrlKey) return scroll.goToEnd()
  if ((e.key !== 'ArrowDown' && e.key !== 'ArrowUp') || e.altKey || e.ctrlKey || e.metaKey) return
  const list = e.currentTarget as HTMLElement
  const items = [...list.querySelectorAll<HTMLElement>('[data-message]')]
  if (items.length === 0) return
  const at = items.findIndex((el) => el.contains(document.activeElement))
  const next = at < 0 ? items.length - 1 : at + (e.key === 'ArrowDown' ? 1 : -1)
  if (next < 0 || next >= items.length) return
  e.preventDefault()
  items[next]!.focus({ preventScroll: true })
  items[next]!.scrollIntoView({ block: 'nearest' })
}
