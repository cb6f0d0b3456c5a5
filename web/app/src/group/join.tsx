import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { messageOf } from '../state/problem'
import { go } from '../state/route'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { Field } from '../ui/field'
import { toast } from '../ui/toast'

/** The code of a group in a link to this app, or as it is. */
function linkCode(text: string): string {
  return text.trim().replace(/^.*#\/join\//, '')
}

/** Comes into a group, or asks to, by its link. */
export function JoinDialog({ link = '', onClose }: { link?: string; onClose(): void }) {
  const [code, setCode] = useState(link)
  const [note, setNote] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const join = async (e?: Event) => {
    e?.preventDefault()
    setBusy(true)
    setProblem('')
    try {
      const { group, waiting } = await client().join(linkCode(code), note.trim())
      onClose()
      if (waiting) toast(t('joinWaiting'))
      else go({ page: 'chats', conversation: group.conversation })
    } catch (e) {
      setProblem(messageOf(e))
      setBusy(false)
    }
  }
  return (
    <Dialog title={t('joinGroup')} onClose={onClose} foot={<Button kind="primary" busy={busy} disabled={code.trim() === ''} onClick={() => void join()}>{t('join')}</Button>}>
      <form class="stack" onSubmit={(e) => void join(e)}>
        <Field label={t('joinLink')} value={code} onValue={setCode} error={problem || undefined} autoFocus autoComplete="off" spellcheck={false} />
        <Field label={`${t('joinNote')} (${t('optional')})`} value={note} onValue={setNote} maxLength={256} dir="auto" autoComplete="off" />
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}
