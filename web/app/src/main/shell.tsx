import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { ChatPane } from '../chat/pane'
import { ContactsPane } from '../contacts/pane'
import { ContactCard } from '../contacts/card'
import { t } from '../i18n'
import { ConversationPane } from '../list/pane'
import { SearchDialog, openSearch, searchOpen } from '../search/dialog'
import { SettingsPane } from '../settings/pane'
import { connection, me } from '../state/client'
import { conversationList, requestList, unreadTotal } from '../state/people'
import { go, href, openConversation, route, type Route } from '../state/route'
import { Avatar } from '../ui/avatar'
import { Icon, type IconName } from '../ui/icon'
import { Badge, Empty } from '../ui/list'
import { JoinDialog } from '../group/join'

/** The panes: navigation, list, and what is open. On a phone one at a time. */
export function Shell() {
  useEffect(() => {
    addEventListener('keydown', shortcuts)
    return () => removeEventListener('keydown', shortcuts)
  }, [])
  const r = route.value
  const inside = (r.page === 'chats' && r.conversation) || (r.page === 'contacts' && r.user)
  return (
    <div class={inside ? 'shell inside' : 'shell'}>
      <Navigation />
      {r.page === 'settings' ? (
        <SettingsPane />
      ) : (
        <main class="panes">
          {r.page === 'contacts' ? <ContactsPane open={r.user} /> : <ConversationPane />}
          <div class="pane main">
            {r.page === 'contacts' ? (
              r.user ? <ContactCard key={r.user} user={r.user} /> : <Nothing icon="people" title={t('noContactOpen')} />
            ) : r.page === 'chats' && r.conversation ? (
              <ChatPane key={r.conversation} id={r.conversation} at={r.at} />
            ) : (
              <Nothing icon="chat" title={t('noConversationOpen')} />
            )}
          </div>
        </main>
      )}
      {searchOpen.value && <SearchDialog />}
      {r.page === 'join' && <JoinDialog link={r.link} onClose={() => go({ page: 'chats' }, true)} />}
    </div>
  )
}

function Nothing({ icon, title }: { icon: IconName; title: string }) {
  return <Empty icon={icon} title={title} text={t('noConversationOpenText')} />
}

function Navigation() {
  const self = me.value
  const phase = connection.value.phase
  return (
    <nav class="rail" aria-label={t('navigation')}>
      {self && (
        <a class="rail-me" href={href({ page: 'settings' })} aria-label={`${t('profile')}: ${self.displayName || self.name}`}>
          <Avatar id={self.user} name={self.displayName || self.name} image={self.avatar} size={40} />
          <span class="presence" data-online={phase === 'online'} title={phase === 'online' ? t('online') : t('connecting')} />
        </a>
      )}
      <Tab to={{ page: 'chats' }} icon="chat" label={t('chats')}>
        <Badge count={unreadTotal.value} label={t('unreadCount', { n: unreadTotal.value })} />
      </Tab>
      <Tab to={{ page: 'contacts' }} icon="people" label={t('contacts')}>
        <Badge count={requestList.value.length} label={t('contactRequests')} />
      </Tab>
      <Tab to={{ page: 'settings' }} icon="settings" label={t('settings')} />
    </nav>
  )
}

function Tab({ to, icon, label, children }: { to: Route; icon: IconName; label: string; children?: ComponentChildren }) {
  return (
    <a class="tab" href={href(to)} aria-current={route.value.page === to.page ? 'page' : undefined}>
      <Icon name={icon} size={24} />
      <span class="tab-label">{label}</span>
      {children}
    </a>
  )
}

/** Keys that work everywhere: Ctrl+K searches, Alt and an arrow changes the conversation. */
function shortcuts(e: KeyboardEvent): void {
  if (e.isComposing) return
  if ((e.ctrlKey || e.metaKey) && !e.shiftKey && !e.altKey && e.key.toLowerCase() === 'k') {
    e.preventDefault()
    openSearch()
  } else if (e.altKey && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
    e.preventDefault()
    const list = conversationList.value
    const at = list.findIndex((c) => c.id === openConversation.value)
    const next = list[at < 0 ? 0 : at + (e.key === 'ArrowDown' ? 1 : -1)]
    if (next) go({ page: 'chats', conversation: next.id }, openConversation.value !== undefined)
  }
}
