import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { contactList, nameOf, pictureOf } from '../state/people'
import { go } from '../state/route'
import { messageOf } from '../state/problem'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { Field } from '../ui/field'
import { Picker } from '../ui/picker'
import { accountNames } from './edit'

/** Makes a group: its name, then its members. */
export function CreateGroupDialog({ onClose }: { onClose(): void }) {
  const [title, setTitle] = useState('')
  const [names, setNames] = useState('')
  const [users, setUsers] = useState<string[]>([])
  const [choosing, setChoosing] = useState(false)
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const create = async (e?: Event) => {
    e?.preventDefault()
    if (title.trim() === '') {
      setProblem(t('fieldNeeded'))
      return
    }
    setBusy(true)
    try {
      const group = await client().createGroup({ title: title.trim(), users, names: accountNames(names) })
      onClose()
      go({ page: 'chats', conversation: group.conversation })
    } catch (e) {
      setBusy(false)
      setProblem(messageOf(e))
    }
  }
  if (choosing) {
    return (
      <Picker
        title={t('chooseMembers')}
        action={t('add')}
        choices={contactList.value.map(({ profile }) => ({
          id: profile!.user, face: { id: profile!.user, name: nameOf(profile!.user), image: pictureOf(profile!.user) },
        }))}
        onClose={() => setChoosing(false)}
        onChoose={(ids) => {
          setUsers(ids)
          setChoosing(false)
        }}
      />
    )
  }
  return (
    <Dialog
      title={t('newGroup')}
      onClose={onClose}
      foot={<Button kind="primary" busy={busy} onClick={() => void create()}>{t('createGroup')}</Button>}
    >
      <form class="stack" onSubmit={(e) => void create(e)}>
        <Field label={t('groupTitle')} value={title} onValue={setTitle} error={problem || undefined} maxLength={64} dir="auto" autoFocus autoComplete="off" />
        <Button icon="personAdd" onClick={() => setChoosing(true)}>
          {t('chooseMembers')}{users.length > 0 ? ` (${users.length})` : ''}
        </Button>
        <Field label={`${t('addByName')} (${t('optional')})`} value={names} onValue={setNames} autoCapitalize="none" autoComplete="off" spellcheck={false} />
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}
