import type { Id } from '@hongyan/sdk'
import { t } from '../i18n'
import { client, follow, me } from '../state/client'
import { conversationWith } from '../state/people'
import { go, goUp } from '../state/route'
import { Button, IconButton } from '../ui/button'
import { attempt, toast } from '../ui/toast'
import { ContactDetails } from './details'

/** The page of somebody: who it is, and what one may do. */
export function ContactCard({ user }: { user: Id }) {
  follow('contacts')
  const state = client().contacts.get(user)?.state ?? 'NONE'
  const ask = async () => {
    if (await attempt(() => client().askContact({ user }))) toast(t('requestSent'))
  }
  return (
    <>
      <header class="pane-head phone-only">
        <IconButton icon="back" label={t('back')} onClick={() => goUp({ page: 'contacts' })} />
        <h2>{t('profile')}</h2>
      </header>
      <div class="pane-body card">
        <ContactDetails user={user} />
        <div class="card-acts">
          <Button kind="primary" icon="chat" onClick={() => go({ page: 'chats', conversation: conversationWith(user) })}>{t('writeMessage')}</Button>
          {state === 'NONE' && user !== me.value?.user && <Button icon="personAdd" onClick={() => void ask()}>{t('addContact')}</Button>}
          {state === 'ASKED' && <p class="row-sub">{t('waitingForAnswer')}</p>}
          {state === 'ASKING' && (
            <Button icon="check" onClick={() => void attempt(() => client().answerContact(user, true))}>{t('accept')}</Button>
          )}
        </div>
      </div>
    </>
  )
}
