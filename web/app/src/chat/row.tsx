import type { ConversationState, Outgoing, StoredMessage } from '@hongyan/sdk'
import { memo } from 'preact/compat'
import { t } from '../i18n'
import { clock, dayName, fullTime } from '../i18n/time'
import { messageOf } from '../state/problem'
import { nameOf, pictureOf } from '../state/people'
import { go } from '../state/route'
import { Avatar, hueOf } from '../ui/avatar'
import { Icon } from '../ui/icon'
import { showMessageMenu, showOutgoingMenu } from './actions'
import { Body, QuoteLine } from './content'
import { excerptOf } from './excerpt'
import { sendState, SendMark } from './marks'
import { isBubble, type RowData } from './rows'

interface RowProps extends RowData {
  conversation: ConversationState
  flash: boolean
  /** The oldest message that this account may see. */
  start: boolean
  /** Ordinal of the conversation's newest message. */
  of: number
}

function RowOf({ ordinal, message: m, day, unread, first, last, conversation: c, flash, start, of }: RowProps) {
  const begin = start && <p class="history-start">{t('historyStart')}</p>
  if (m === 'gone') {
    return <div data-ordinal={ordinal} data-loaded class="message-row">{begin}{unread && <UnreadLine />}</div>
  }
  return (
    <div data-ordinal={ordinal} data-loaded={m ? '' : undefined} class="message-row" aria-hidden={m ? undefined : true}>
      {begin}
      {day && m && <div class="day"><span>{dayName(m.timeMs)}</span></div>}
      {unread && <UnreadLine />}
      {m === undefined ? (
        <div class="bubble-line"><div class="placeholder" data-wide={ordinal % 3} /></div>
      ) : isBubble(m) ? (
        <BubbleLine message={m} conversation={c} first={first} last={last} flash={flash} of={of} />
      ) : (
        <div class="notice" data-message tabIndex={-1} role="article" aria-posinset={ordinal} aria-setsize={of}>
          <span dir="auto" title={m.timeMs ? fullTime(m.timeMs) : undefined}>{excerptOf(m)}</span>
        </div>
      )}
    </div>
  )
}

/** One row; rendered again only when something in it is different. */
export const Row = memo(RowOf, (a, b) => {
  const am = a.message
  const bm = b.message
  return (
    am === bm && a.day === b.day && a.unread === b.unread && a.first === b.first && a.last === b.last && a.flash === b.flash && a.start === b.start &&
    a.ordinal === b.ordinal && (typeof am !== 'object' || !am.own || sendState(a.conversation, am) === sendState(b.conversation, am))
  )
})

function UnreadLine() {
  return <div class="unread-line"><span>{t('unreadLine')}</span></div>
}

interface BubbleLineProps {
  message: StoredMessage
  conversation: ConversationState
  first: boolean
  last: boolean
  flash: boolean
  of: number
}

function BubbleLine({ message: m, conversation: c, first, last, flash, of }: BubbleLineProps) {
  const name = nameOf(m.from, m.fromName)
  const named = c.groupId !== undefined && !m.own
  const menu = (at: HTMLElement | { x: number; y: number }) => showMessageMenu(c, m, at)
  const classes = ['bubble-line', m.own ? 'own' : '', first ? 'first' : '', last ? 'last' : '', flash ? 'flash' : '']
  return (
    <div
      class={classes.filter(Boolean).join(' ')}
      data-message
      tabIndex={-1}
      role="article"
      aria-posinset={Number(m.ordinal)}
      aria-setsize={of}
      aria-label={`${m.own ? t('you') : name}, ${clock(m.timeMs)}`}
      onContextMenu={(e) => {
        if (getSelection()?.toString()) return // the browser's own menu copies it
        e.preventDefault()
        menu({ x: e.clientX, y: e.clientY })
      }}
      onKeyDown={(e) => {
        if (e.key !== 'Enter' || e.target !== e.currentTarget) return
        e.preventDefault()
        menu(e.currentTarget)
      }}
    >
      {named && (
        <span class="bubble-face">
          {last && (
            <button type="button" tabIndex={-1} aria-label={name} onClick={() => go({ page: 'contacts', user: m.from })}>
              <Avatar id={m.from} name={name} image={pictureOf(m.from)} size={34} />
            </button>
          )}
        </span>
      )}
      <div class="bubble">
        {named && first && <bdi class="cut bubble-name" style={{ color: `oklch(var(--person-name) ${hueOf(m.from)})` }}>{name}</bdi>}
        {m.content!.forward && (
          <div class="forwarded cut">{t('forwarded', { name: nameOf(m.content!.forward.from, m.content!.forward.fromName) })}</div>
        )}
        {m.content!.quote && <QuoteLine conversation={c.id} quote={m.content!.quote} />}
        <Body content={m.content!} />
        <span class="bubble-meta" title={fullTime(m.timeMs)}>
          <time dateTime={new Date(m.timeMs).toISOString()}>{clock(m.timeMs)}</time>
          {m.own && <SendMark state={sendState(c, m)} />}
        </span>
      </div>
      <button type="button" class="bubble-more" tabIndex={-1} aria-label={t('messageActions')} aria-haspopup="menu" onClick={(e) => menu(e.currentTarget)}>
        <Icon name="more" size={18} />
      </button>
    </div>
  )
}

/** A message that is not on the server yet, or has failed. */
export function OutgoingRow({ message: o }: { message: Outgoing }) {
  const failed = o.state === 'failed'
  const reason = o.error ? messageOf(o.error) : t('problem.other')
  return (
    <div class="message-row">
      <div class="bubble-line own first last" data-message tabIndex={-1} role="article" aria-label={t('you')}
        onKeyDown={(e) => e.key === 'Enter' && e.target === e.currentTarget && showOutgoingMenu(o, e.currentTarget)}
        onContextMenu={(e) => {
          e.preventDefault()
          showOutgoingMenu(o, { x: e.clientX, y: e.clientY })
        }}
      >
        <div class="bubble">
          {o.content.quote && <QuoteLine conversation={o.conversation ?? ''} quote={o.content.quote} />}
          <Body content={o.content} />
          <span class="bubble-meta">
            <time dateTime={new Date(o.createdMs).toISOString()}>{clock(o.createdMs)}</time>
            {!failed && <SendMark state={o.state === 'sending' ? 'sending' : 'waiting'} />}
          </span>
        </div>
        {failed && (
          <button type="button" class="failed-mark" aria-label={t('failedMark')} aria-haspopup="menu" title={t('failed', { reason })}
            onClick={(e) => showOutgoingMenu(o, e.currentTarget)}>
            !
          </button>
        )}
      </div>
      {failed && <p class="failed-reason" role="status">{t('failed', { reason })}</p>}
    </div>
  )
}
