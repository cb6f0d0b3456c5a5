import type { ConversationState, Message } from '@hongyan/sdk'
import { t } from '../i18n'

/** What a sender may know of a message. */
type SendState = 'waiting' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed'

/** How far one's own message has come. In a group nobody's mark stands for all: the menu tells who has read it. */
export function sendState(c: ConversationState, m: Message): SendState {
  if (c.groupId) return 'sent'
  const o = Number(m.ordinal)
  return o <= Number(c.peerRead) ? 'read' : o <= Number(c.delivered) ? 'delivered' : 'sent'
}

const words = {
  waiting: 'stateWaiting', sending: 'stateSending', sent: 'stateSent', delivered: 'stateDelivered', read: 'stateRead',
  failed: 'stateFailed',
} as const

/** The mark behind one's own message: a clock, one tick, two ticks, two coloured ticks. */
export function SendMark({ state }: { state: SendState }) {
  const label = t(words[state])
  return (
    <span class="send-mark" data-state={state} role="img" aria-label={label} title={label}>
      <svg class="icon" width="17" height="14" viewBox="0 0 20 16" aria-hidden="true">
        {state === 'waiting' || state === 'sending' ? (
          <path d="M10 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM10 4.5V8l2.5 1.5" />
        ) : state === 'failed' ? (
          <path d="M10 2v7.5M10 13.5v.1" />
        ) : state === 'sent' ? (
          <path d="M5 8.5l3.5 3.5L15.5 4" />
        ) : (
          <path d="M1.5 8.5L5 12 12 4M9 11.2l.8.8L17.5 4" />
        )}
      </svg>
    </span>
  )
}
