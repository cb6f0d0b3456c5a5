import type { Id } from '@hongyan/sdk'
import { t } from '../i18n'
import { conversationWith } from '../state/people'
import { go, goUp } from '../state/route'
import { Button, IconButton } from '../ui/button'
import { ContactActs } from './acts'
import { ContactDetails } from './details'

/** The page of somebody: who it is, and what one may do. */
export function ContactCard({ user }: { user: Id }) {
  return (
    <>
      <header class="pane-head phone-only">
        <IconButton icon="back" label={t('back')} onClick={() => goUp({ page: 'contacts' })} />
        <h1>{t('profile')}</h1>
      </header>
      <div class="pane-body card">
        <div class="card-inner">
          <ContactDetails user={user} />
          <div class="card-write">
            <Button kind="primary" icon="chat" onClick={() => go({ page: 'chats', conversation: conversationWith(user) })}>{t('writeMessage')}</Button>
          </div>
          <ContactActs user={user} />
        </div>
      </div>
    </>
  )
}
