import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client, me } from '../state/client'
import { Avatar } from '../ui/avatar'
import { Button } from '../ui/button'
import { Area, Field } from '../ui/field'
import { attempt, toast } from '../ui/toast'

const longestName = 64 // characters, by the protocol, as the next
const longestBio = 256

/** What others see of oneself, to be changed. */
export function ProfileForm() {
  const self = me.value
  const [displayName, setDisplayName] = useState(self?.displayName ?? '')
  const [bio, setBio] = useState(self?.bio ?? '')
  const [busy, setBusy] = useState(false)
  const [sending, setSending] = useState(false)
  const picture = useRef<HTMLInputElement>(null)
  // The profile may come, or be changed by another device, while the form stands here.
  useEffect(() => setDisplayName(self?.displayName ?? ''), [self?.displayName])
  useEffect(() => setBio(self?.bio ?? ''), [self?.bio])
  if (!self) return null
  const changed = displayName.trim() !== self.displayName || bio.trim() !== self.bio
  const setPicture = async (file: File) => {
    setSending(true)
    await attempt(async () => {
      const { ref } = await client().upload(file)
      await client().setProfile({ avatar: ref })
    })
    setSending(false)
  }
  const save = async (e: Event) => {
    e.preventDefault()
    if (!changed || displayName.trim() === '') return
    setBusy(true)
    if (await attempt(() => client().setProfile({ displayName: displayName.trim(), bio: bio.trim() }))) toast(t('done'))
    setBusy(false)
  }
  return (
    <form class="profile" onSubmit={(e) => void save(e)}>
      <div class="profile-head">
        <Avatar id={self.user} name={self.displayName || self.name} image={self.avatar} size={72} />
        <div class="row-text">
          <bdi class="cut profile-name">{self.displayName || self.name}</bdi>
          <span class="row-sub">@{self.name}</span>
        </div>
        <Button busy={sending} onClick={() => picture.current?.click()}>{t('changeAvatar')}</Button>
        <input ref={picture} type="file" accept="image/png,image/jpeg,image/webp,image/gif" hidden onChange={(e) => {
          const file = e.currentTarget.files?.[0]
          if (file) void setPicture(file)
        }} />
      </div>
      <Field label={t('displayName')} value={displayName} onValue={setDisplayName} maxLength={longestName} dir="auto" autoComplete="nickname" />
      <Area label={t('bio')} value={bio} onValue={setBio} maxLength={longestBio} rows={2} />
      {changed && <Button type="submit" kind="primary" busy={busy} disabled={displayName.trim() === ''}>{t('save')}</Button>}
    </form>
  )
}
