import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import './list.css'
import { AddContactDialog } from '../contacts/add'
import { CreateGroupDialog } from '../group/create'
import { JoinDialog } from '../group/join'
import { t } from '../i18n'
import { offerNotifications, turnOnNotifications } from '../main/notify'
import { openSearch } from '../search/dialog'
import { conversationList } from '../state/people'
import { notificationsAsked } from '../state/preferences'
import { openConversation } from '../state/route'
import { Button, IconButton } from '../ui/button'
import { Icon } from '../ui/icon'
import { arrowKeys, Empty } from '../ui/list'
import { showMenu } from '../ui/menu'
import { ConversationRow } from './row'

// All rows have one height, so the list can be of any length and only what is seen is rendered.
const rowHeight = 68
const overscan = 6

type Open = 'contact' | 'group' | 'join' | null

export function ConversationPane() {
  const [dialog, setDialog] = useState<Open>(null)
  const close = () => setDialog(null)
  const add = (at: HTMLElement) =>
    showMenu(t('newChat'), at, [
      { label: t('addContact'), icon: 'personAdd', act: () => setDialog('contact') },
      { label: t('newGroup'), icon: 'people', act: () => setDialog('group') },
      { label: t('joinGroup'), icon: 'link', act: () => setDialog('join') },
    ])
  return (
    <section class="pane list" aria-label={t('conversations')}>
      <header class="pane-head">
        <h1>{t('chats')}</h1>
        <IconButton icon="plus" label={t('newChat')} aria-haspopup="menu" onClick={(e) => add(e.currentTarget)} />
      </header>
      <div class="list-search">
        <button type="button" class="search-button" onClick={() => openSearch()}>
          <Icon name="search" size={17} />
          <span>{t('filterConversations')}</span>
          <kbd class="wide-only">Ctrl K</kbd>
        </button>
      </div>
      {offerNotifications.value && <NotificationOffer />}
      <Rows onAdd={() => setDialog('contact')} />
      {dialog === 'contact' && <AddContactDialog onClose={close} />}
      {dialog === 'group' && <CreateGroupDialog onClose={close} />}
      {dialog === 'join' && <JoinDialog onClose={close} />}
    </section>
  )
}

function Rows({ onAdd }: { onAdd(): void }) {
  const list = conversationList.value
  const scroller = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState({ top: 0, height: 800 })
  const selected = openConversation.value
  const measure = () => {
    const el = scroller.current
    if (el) setSeen({ top: el.scrollTop, height: el.clientHeight })
  }
  useLayoutEffect(measure, [list.length === 0])
  useEffect(() => {
    addEventListener('resize', measure)
    return () => removeEventListener('resize', measure)
  }, [])
  useEffect(() => {
    const el = scroller.current
    const at = list.findIndex((c) => c.id === selected)
    if (!el || at < 0) return
    const top = at * rowHeight
    if (top < el.scrollTop) el.scrollTop = top
    else if (top + rowHeight > el.scrollTop + el.clientHeight) el.scrollTop = top + rowHeight - el.clientHeight
  }, [selected])

  if (list.length === 0) {
    return (
      <div class="pane-body">
        <Empty icon="chat" title={t('noConversations')} text={t('noConversationsText')}>
          <Button kind="primary" icon="personAdd" onClick={onAdd}>{t('addContact')}</Button>
        </Empty>
      </div>
    )
  }
  const from = Math.max(0, Math.floor(seen.top / rowHeight) - overscan)
  const to = Math.min(list.length, Math.ceil((seen.top + seen.height) / rowHeight) + overscan)
  return (
    <div ref={scroller} class="pane-body conversations" onScroll={measure} onKeyDown={arrowKeys('.row')}>
      <ul aria-label={t('conversations')} style={{ height: `${list.length * rowHeight}px` }}>
        {list.slice(from, to).map((c, i) => (
          <li key={c.id} style={{ top: `${(from + i) * rowHeight}px` }} aria-setsize={list.length} aria-posinset={from + i + 1}>
            <ConversationRow conversation={c} selected={c.id === selected} />
          </li>
        ))}
      </ul>
    </div>
  )
}

function NotificationOffer() {
  return (
    <div class="offer" role="status">
      <Icon name="bell" size={20} />
      <p>{t('notificationsOffer')}</p>
      <Button kind="primary" onClick={() => void turnOnNotifications()}>{t('notificationsTurnOn')}</Button>
      <IconButton icon="close" label={t('notNow')} onClick={() => {
        notificationsAsked.value = true
        offerNotifications.value = false
      }} />
    </div>
  )
}
