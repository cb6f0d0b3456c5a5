import type { Id } from '@hongyan/sdk'
import { useEffect, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { nameOf, pictureOf } from '../state/people'
import { messageOf } from '../state/problem'
import { Avatar } from '../ui/avatar'
import { Dialog } from '../ui/dialog'
import { readersOf } from './actions'

/** Tells who of a group has read a message. */
export function ReadersDialog() {
  const m = readersOf.value
  const [answer, setAnswer] = useState<{ delivered: number; read: number; readers: Id[] }>()
  const [problem, setProblem] = useState('')
  useEffect(() => {
    setAnswer(undefined)
    setProblem('')
    if (m) client().readers(m.conversation, m.ordinal).then(setAnswer, (e: unknown) => setProblem(messageOf(e)))
  }, [m])
  if (!m) return null
  return (
    <Dialog title={t('readBy')} onClose={() => (readersOf.value = null)}>
      <p role="status">
        {problem || (!answer ? t('loading') : t('readCount', { read: answer.read, delivered: answer.delivered }))}
      </p>
      {answer?.read === 0 && <p>{t('readByNobody')}</p>}
      {answer && answer.readers.length > 0 && (
        <ul>
          {answer.readers.map((user) => (
            <li key={user} class="row">
              <Avatar id={user} name={nameOf(user)} image={pictureOf(user)} size={36} />
              <bdi class="cut">{nameOf(user)}</bdi>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  )
}
