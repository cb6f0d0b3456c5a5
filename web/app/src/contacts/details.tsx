import type { Id } from '@hongyan/sdk'
import './contacts.css'
import { t } from '../i18n'
import { client, follow, me } from '../state/client'
import { nameOf, pictureOf } from '../state/people'
import { Avatar } from '../ui/avatar'

/** What is known of somebody. */
export function ContactDetails({ user }: { user: Id }) {
  follow('profiles')
  follow('contacts')
  const profile = user === me.value?.user ? me.value : client().profileOf(user)
  const name = nameOf(user)
  return (
    <div class="person-head">
      <Avatar id={user} name={name} image={pictureOf(user)} size={88} />
      <h2><bdi>{name}</bdi></h2>
      <p class="row-sub">{profile ? `@${profile.name}` : ''}</p>
      {profile?.bio && <p class="person-bio" dir="auto">{profile.bio}</p>}
      {client().contacts.get(user)?.blocked && <p class="field-error">{t('blocked')}</p>}
    </div>
  )
}
