import type { ConversationState } from '@hongyan/sdk'
import { excerptOf, excerptOfContent } from '../chat/excerpt'
import { sendState, SendMark } from '../chat/marks'
import { t } from '../i18n'
import { fullTime, shortTime } from '../i18n/time'
import { client, me } from '../state/client'
import { faceOf, nameOf } from '../state/people'
import { href, openConversation, go } from '../state/route'
import { typingIn } from '../state/typing'
import { Avatar } from '../ui/avatar'
import { Icon } from '../ui/icon'
import { Badge } from '../ui/list'
import { showMenu } from '../ui/menu'
import { confirm } from '../ui/dialog'
import { attempt } from '../ui/toast'

/** One conversation of the list. */
export function ConversationRow({ conversation: c, selected }: { conversation: ConversationState; selected: boolean }) {
  const face = faceOf(c)
  const waiting = client().outbox(c.id).at(-1)
  const time = waiting?.createdMs ?? c.lastMessage?.timeMs ?? 0
  const own = c.lastMessage?.from === me.value?.user && c.lastMessage?.state === 'PRESENT' && !c.lastMessage.content?.notice
  const menu = (at: HTMLElement | { x: number; y: number }) => showMenu(face.name, at, actionsOf(c))
  return (
    <a
      class="row conversation"
      href={href({ page: 'chats', conversation: c.id })}
      aria-current={selected || undefined}
      onContextMenu={(e) => {
        e.preventDefault()
        menu(e.button === 2 ? { x: e.clientX, y: e.clientY } : e.currentTarget)
      }}
    >
      <Avatar id={face.id} name={face.name} image={face.image} size={44} />
      <span class="row-text">
        <span class="conversation-line">
          <bdi class="cut conversation-name">{face.name}</bdi>
          {c.muted && <Mark icon="mute" label={t('muted')} />}
          {c.failed > 0 ? <Mark icon="alert" label={t('notSent')} danger />
            : waiting ? <SendMark state="waiting" />
            : own && c.lastMessage && <SendMark state={sendState(c, c.lastMessage)} />}
          {time > 0 && <time dateTime={new Date(time).toISOString()} title={fullTime(time)}>{shortTime(time)}</time>}
        </span>
        <span class="conversation-line">
          <Preview conversation={c} />
          {c.pinned && c.unread === 0 && <Mark icon="pin" label={t('pinned')} />}
          <Badge count={c.unread} quiet={c.muted} label={c.unread >= 1000 ? t('unreadMany') : t('unreadCount', { n: c.unread })} />
        </span>
      </span>
    </a>
  )
}

function Preview({ conversation: c }: { conversation: ConversationState }) {
  const writing = typingIn(c.id)
  if (writing.length > 0) return <span class="cut preview typing">{t('typing')}</span>
  if (c.draft && c.id !== openConversation.value) {
    return (
      <span class="cut preview">
        <span class="draft">[{t('draft')}]</span> <bdi>{c.draft.slice(0, 200)}</bdi>
      </span>
    )
  }
  const waiting = client().outbox(c.id).at(-1)
  if (waiting) return <bdi class="cut preview">{excerptOfContent(waiting.content)}</bdi>
  const m = c.lastMessage
  if (!m) return <span class="cut preview" />
  const self = me.value?.user ?? ''
  const mentioned = c.unread > 0 && m.from !== self && (m.content?.mentionAll || m.content?.mentions.includes(self))
  const named = c.groupId && m.state === 'PRESENT' && !m.content?.notice && m.from !== self
  return (
    <span class="cut preview">
      {mentioned && <span class="draft">{t('mentionedYou')} </span>}
      {named && <><bdi>{nameOf(m.from, m.fromName)}</bdi>: </>}
      <bdi>{excerptOf(m)}</bdi>
    </span>
  )
}

function Mark({ icon, label, danger }: { icon: 'mute' | 'pin' | 'alert'; label: string; danger?: boolean }) {
  return (
    <span class={danger ? 'mark danger' : 'mark'} role="img" aria-label={label}>
      <Icon name={icon} size={15} />
    </span>
  )
}

/** What can be done with a conversation as a whole. */
function actionsOf(c: ConversationState) {
  const set = (p: Parameters<ReturnType<typeof client>['setConversation']>[1]) => void attempt(() => client().setConversation(c.id, p))
  return [
    { label: c.pinned ? t('unpin') : t('pin'), icon: 'pin' as const, act: () => set({ pinned: !c.pinned }) },
    { label: c.muted ? t('unmuteConversation') : t('muteConversation'), icon: 'mute' as const, act: () => set({ muted: !c.muted }) },
    ...(c.unread > 0 ? [{ label: t('markAllRead'), icon: 'check' as const, act: () => client().markRead(c.id, c.last) }] : []),
    {
      label: t('hideConversation'), icon: 'archive' as const,
      act: () => {
        set({ hidden: true })
        if (openConversation.peek() === c.id) go({ page: 'chats' })
      },
    },
    null,
    {
      label: t('clearHistory'), icon: 'trash' as const, danger: true,
      act: async () => {
        if (await confirm({ title: t('clearHistory'), text: t('clearHistoryText'), action: t('clearHistory'), danger: true })) {
          void attempt(() => client().clearHistory(c.id))
        }
      },
    },
  ]
}
