import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { messageOf } from '../state/problem'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { Field } from '../ui/field'
import { toast } from '../ui/toast'

const shortest = 8 // characters, by the protocol

/** Changes the password, which ends the other devices. */
export function PasswordDialog({ onClose }: { onClose(): void }) {
  const [old, setOld] = useState('')
  const [next, setNext] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const short = [...next].length < shortest
  const save = async (e?: Event) => {
    e?.preventDefault()
    if (short) {
      setProblem(t('passwordShort'))
      return
    }
    setBusy(true)
    try {
      await client().setPassword(old, next)
      toast(t('passwordChanged'))
      onClose()
    } catch (e) {
      setProblem(messageOf(e))
      setBusy(false)
    }
  }
  return (
    <Dialog title={t('changePassword')} onClose={onClose} foot={<Button kind="primary" busy={busy} onClick={() => void save()}>{t('save')}</Button>}>
      <form class="stack" onSubmit={(e) => void save(e)}>
        <Field label={t('oldPassword')} type="password" value={old} onValue={setOld} autoComplete="current-password" autoFocus />
        <Field label={t('newPassword')} type="password" value={next} onValue={setNext} autoComplete="new-password" hint={t('passwordHint')} error={problem || undefined} />
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}
