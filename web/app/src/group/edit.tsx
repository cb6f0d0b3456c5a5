import type { Group, Id } from '@hongyan/sdk'
import { useRef, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { messageOf } from '../state/problem'
import { Avatar } from '../ui/avatar'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { Area, Field } from '../ui/field'
import { attempt } from '../ui/toast'

const longestTitle = 64 // characters, by the protocol, as the next
const longestAnnouncement = 2000

/** Changes a group's name and announcement. */
export function EditGroupDialog({ group: g, onClose }: { group: Group; onClose(): void }) {
  const [title, setTitle] = useState(g.title)
  const [announcement, setAnnouncement] = useState(g.announcement)
  const [avatar, setAvatar] = useState(g.avatar)
  const [sending, setSending] = useState(false)
  const picture = useRef<HTMLInputElement>(null)
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const setPicture = async (file: File) => {
    setSending(true)
    const media = await attempt(() => client().upload(file))
    if (media) setAvatar(media.ref)
    setSending(false)
  }
  const save = async (e?: Event) => {
    e?.preventDefault()
    setBusy(true)
    try {
      await client().setGroup(g.id, {
        ...(title.trim() !== g.title ? { title: title.trim() } : {}),
        ...(avatar !== g.avatar ? { avatar } : {}),
        ...(announcement.trim() !== g.announcement ? { announcement: announcement.trim() } : {}),
      })
      onClose()
    } catch (e) {
      setProblem(messageOf(e))
      setBusy(false)
    }
  }
  return (
    <Dialog title={t('edit')} onClose={onClose} foot={<Button kind="primary" busy={busy} disabled={title.trim() === ''} onClick={() => void save()}>{t('save')}</Button>}>
      <form class="stack" onSubmit={(e) => void save(e)}>
        <div class="picture-field">
          <Avatar id={g.id} name={title} image={avatar} size={56} />
          <Button busy={sending} onClick={() => picture.current?.click()}>{t('changeAvatar')}</Button>
          <input ref={picture} type="file" accept="image/png,image/jpeg,image/webp,image/gif" hidden onChange={(e) => {
            const file = e.currentTarget.files?.[0]
            if (file) void setPicture(file)
          }} />
        </div>
        <Field label={t('groupTitle')} value={title} onValue={setTitle} maxLength={longestTitle} dir="auto" autoComplete="off" autoFocus error={problem || undefined} />
        <Area label={t('announcement')} value={announcement} onValue={setAnnouncement} maxLength={longestAnnouncement} rows={5} />
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}

/** The account names in a line of text. */
export function accountNames(text: string): string[] {
  return text.split(/[\s,，、;；]+/).map((n) => n.replace(/^@/, '').toLowerCase()).filter(Boolean)
}

/** Brings people in who are no contacts. */
export function InviteByNameDialog({ group, onClose }: { group: Id; onClose(): void }) {
  const [text, setText] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const names = accountNames(text)
  const invite = async (e?: Event) => {
    e?.preventDefault()
    if (names.length === 0) return
    setBusy(true)
    try {
      await client().invite(group, { names })
      onClose()
    } catch (e) {
      setProblem(messageOf(e))
      setBusy(false)
    }
  }
  return (
    <Dialog title={t('addByName')} onClose={onClose} foot={<Button kind="primary" busy={busy} disabled={names.length === 0} onClick={() => void invite()}>{t('add')}</Button>}>
      <form onSubmit={(e) => void invite(e)}>
        <Field label={t('contactName')} value={text} onValue={setText} autoFocus autoCapitalize="none" autoComplete="off" spellcheck={false} error={problem || undefined} />
      </form>
    </Dialog>
  )
}
