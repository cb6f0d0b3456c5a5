import type { ConversationState } from '@hongyan/sdk'
import { useEffect, useMemo, useState } from 'preact/hooks'
import './chat.css'
import './bubble.css'
import { ContactActs } from '../contacts/acts'
import { ContactDetails } from '../contacts/details'
import { GroupDetails } from '../group/details'
import { t } from '../i18n'
import { spoken } from '../main/notify'
import { openSearch } from '../search/dialog'
import { client, connection, follow } from '../state/client'
import { conversationOf, faceOf, nameOf, peerIn } from '../state/people'
import { goUp } from '../state/route'
import { typingIn } from '../state/typing'
import { Avatar } from '../ui/avatar'
import { IconButton } from '../ui/button'
import { ConversationSwitches } from '../list/switches'
import { Empty, Section } from '../ui/list'
import { Composer } from './composer'
import { ForwardDialog } from './forward'
import { MessageList } from './list'
import { loadMembers } from './mention'
import { ReadersDialog } from './readers'
import { Timeline } from './timeline'
import { filesOf, sendFiles } from './uploads'

/** An open conversation: its head, its messages, and where one writes. */
export function ChatPane({ id, at }: { id: string; at: string | undefined }) {
  const c = conversationOf(id)
  const timeline = useMemo(() => new Timeline(id), [id])
  const [details, setDetails] = useState(false)
  const [dropping, setDropping] = useState(false)
  const [unreadFrom] = useState(() => (c ? firstUnread(c) : 0))
  const target = useMemo(() => (at && /^\d+$/.test(at) ? { ordinal: Number(at) } : undefined), [at])
  useEffect(() => () => timeline.close(), [timeline])
  useEffect(() => {
    if (c?.groupId && Number(c.left) === 0) {
      loadMembers(c.groupId).catch(() => {
        // Without the members nobody is suggested for mentions; the next opening tries again.
      })
    }
  }, [c?.groupId])
  if (!c) return <Empty icon="chat" title={connection.value.catchingUp ? t('catchingUp') : t('problem.NOT_FOUND')} />
  const face = faceOf(c)
  return (
    <div class={details ? 'chat with-details' : 'chat'}>
      <div
        class="chat-main"
        data-drop={dropping || undefined}
        data-hint={t('dropFiles')}
        onDragOver={(e) => {
          if (!e.dataTransfer?.types.includes('Files')) return
          e.preventDefault()
          setDropping(true)
        }}
        onDragLeave={(e) => {
          if (!e.currentTarget.contains(e.relatedTarget as Node | null)) setDropping(false)
        }}
        onDrop={(e) => {
          e.preventDefault()
          setDropping(false)
          sendFiles(id, filesOf(e.dataTransfer))
        }}
      >
        <header class="pane-head chat-head">
          <IconButton class="phone-only" icon="back" label={t('back')} onClick={() => goUp({ page: 'chats' })} />
          <button type="button" class="chat-title" aria-expanded={details} onClick={() => setDetails(!details)}>
            <Avatar id={face.id} name={face.name} image={face.image} size={38} />
            <span class="row-text">
              <h1 class="cut"><bdi>{face.name}</bdi></h1>
              <Subtitle id={id} groupId={c.groupId} />
            </span>
          </button>
          <IconButton icon="search" label={t('searchHere')} onClick={() => openSearch(id)} />
          <IconButton icon="info" label={c.groupId ? t('groupInfo') : t('contactInfo')} aria-expanded={details} onClick={() => setDetails(!details)} />
        </header>
        <MessageList conversation={c} timeline={timeline} outbox={outboxOf(id)} unreadFrom={unreadFrom} target={target} />
        <Foot id={id} name={face.name} />
        <div class="visually-hidden" aria-live="polite">{spoken.value}</div>
      </div>
      {details && (
        <aside class="details" aria-label={c.groupId ? t('groupInfo') : t('contactInfo')}
          onKeyDown={(e) => e.key === 'Escape' && setDetails(false)}>
          <header class="pane-head">
            <h2>{c.groupId ? t('groupInfo') : t('contactInfo')}</h2>
            <IconButton icon="close" label={t('close')} onClick={() => setDetails(false)} />
          </header>
          <div class="pane-body">
            {c.groupId ? (
              <GroupDetails group={c.groupId} conversation={c} />
            ) : (
              <>
                <ContactDetails user={peerIn(id)} />
                <Section><ConversationSwitches conversation={c} /></Section>
                <ContactActs user={peerIn(id)} />
              </>
            )}
          </div>
        </aside>
      )}
      <ForwardDialog />
      <ReadersDialog />
    </div>
  )
}

// How far the first unread message of somebody else is looked for behind one's own.
const lookAhead = 100

/** The ordinal above which a line says "unread"; 0 for none. One's own messages and doings are not news. */
function firstUnread(c: ConversationState): number {
  if (c.unread === 0) return 0
  const from = Math.max(Number(c.read), Number(c.joined), Number(c.cleared)) + 1
  const near = client().cachedMessages(c.id, { from: String(from), to: String(from + lookAhead - 1) })
  return Number(near.find((m) => !m.own)?.ordinal ?? from)
}

function outboxOf(id: string) {
  follow('conversations')
  return client().outbox(id)
}

/** Below the name: who is writing, or how many members. */
function Subtitle({ id, groupId }: { id: string; groupId: string | undefined }) {
  const writing = typingIn(id)
  if (writing.length > 0) {
    const names = writing.slice(0, 3).map((u) => nameOf(u)).join(t('listComma'))
    return <span class="chat-sub cut active">{groupId ? t('typingNames', { names, n: writing.length }) : t('typing')}</span>
  }
  follow('groups')
  const group = groupId ? client().groups.get(groupId) : undefined
  const peer = groupId ? undefined : client().profileOf(peerIn(id))
  return <span class="chat-sub cut">{group ? t('memberCount', { n: group.memberCount }) : peer ? `@${peer.name}` : ''}</span>
}

/** The composer, or why there is none. */
function Foot({ id, name }: { id: string; name: string }) {
  const c = conversationOf(id)!
  follow('contacts')
  follow('groups')
  const group = c.groupId ? client().groups.get(c.groupId) : undefined
  const why =
    group?.dissolved ? t('composerDissolved')
    : Number(c.left) > 0 ? t('composerLeft')
    : group?.mutedAll && group.role === 'MEMBER' ? t('composerMuted')
    : !c.groupId && client().contacts.get(peerIn(id))?.blocked ? t('composerBlocked')
    : undefined
  return why ? <p class="composer-off">{why}</p> : <Composer key={id} conversation={c} name={name} />
}
