import { HongyanError } from '@hongyan/sdk'
import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { client, me } from '../state/client'
import { conversationWith } from '../state/people'
import { isCode, messageOf } from '../state/problem'
import { go } from '../state/route'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { Field } from '../ui/field'
import { toast } from '../ui/toast'

/** Finds somebody by account name, to write to them or to ask them to become a contact. */
export function AddContactDialog({ onClose }: { onClose(): void }) {
  const [name, setName] = useState('')
  const [note, setNote] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const account = name.trim().toLowerCase().replace(/^@/, '')

  const run = async (act: () => Promise<void>) => {
    if (account === '') {
      setProblem(t('fieldNeeded'))
      return
    }
    setBusy(true)
    setProblem('')
    try {
      await act()
      onClose()
    } catch (e) {
      setProblem(isCode(e, 'NOT_FOUND') || isCode(e, 'INVALID') ? t('notFoundPerson') : messageOf(e))
      setBusy(false)
    }
  }
  const write = () =>
    run(async () => {
      const found = account === me.value?.name ? me.value : (await client().profiles({ names: [account] }))[0]
      if (!found) throw new HongyanError('NOT_FOUND', 'no such account')
      go({ page: 'chats', conversation: conversationWith(found.user) })
    })
  const ask = () =>
    run(async () => {
      await client().askContact({ name: account, note: note.trim() })
      toast(t('requestSent'))
    })
  return (
    <Dialog
      title={t('addContact')}
      onClose={onClose}
      foot={
        <>
          <Button disabled={busy} icon="chat" onClick={() => void write()}>{t('writeMessage')}</Button>
          <Button kind="primary" busy={busy} onClick={() => void ask()}>{t('sendRequest')}</Button>
        </>
      }
    >
      <form class="stack" onSubmit={(e) => {
        e.preventDefault()
        void ask()
      }}>
        <Field label={t('contactName')} value={name} onValue={setName} error={problem || undefined} autoFocus autoCapitalize="none"
          autoComplete="off" spellcheck={false} maxLength={33} />
        <Field label={`${t('contactNote')} (${t('optional')})`} value={note} onValue={setNote} maxLength={256} dir="auto" autoComplete="off" />
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}
