import type { Id } from '@hongyan/sdk'
import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { client, follow, me } from '../state/client'
import { nameOf } from '../state/people'
import { Button } from '../ui/button'
import { confirm, Dialog } from '../ui/dialog'
import { Field } from '../ui/field'
import { Section } from '../ui/list'
import { attempt, toast } from '../ui/toast'

const longestRemark = 64 // characters, by the protocol

/** What one may do about somebody: ask, answer, name, block, remove. */
export function ContactActs({ user }: { user: Id }) {
  follow('contacts')
  const [naming, setNaming] = useState(false)
  if (user === me.value?.user) return null
  const contact = client().contacts.get(user)
  const state = contact?.state ?? 'NONE'
  const name = nameOf(user)
  const block = async () => {
    const blocked = !contact?.blocked
    if (blocked && !(await confirm({ title: t('block'), text: t('blockText', { name }), action: t('block'), danger: true }))) return
    await attempt(() => client().setContact(user, { blocked }))
  }
  const remove = async () => {
    if (await confirm({ title: t('removeContact'), text: t('removeContactText', { name }), action: t('removeContact'), danger: true })) {
      await attempt(() => client().removeContact(user))
    }
  }
  const ask = async () => {
    if (await attempt(() => client().askContact({ user }))) toast(t('requestSent'))
  }
  return (
    <Section>
      {state === 'NONE' && !contact?.blocked && <Act label={t('addContact')} act={ask} />}
      {state === 'ASKED' && <p class="row row-sub">{t('waitingForAnswer')}</p>}
      {state === 'ASKING' && (
        <div class="setting">
          <bdi class="setting-text row-sub">{contact?.note || t('wantsContact')}</bdi>
          <Button onClick={() => void attempt(() => client().answerContact(user, false))}>{t('decline')}</Button>
          <Button kind="primary" onClick={() => void attempt(() => client().answerContact(user, true))}>{t('accept')}</Button>
        </div>
      )}
      <Act label={t('remark')} act={async () => setNaming(true)} />
      <Act label={contact?.blocked ? t('unblock') : t('block')} danger={!contact?.blocked} act={block} />
      {state === 'ACCEPTED' && <Act label={t('removeContact')} danger act={remove} />}
      {naming && <RemarkDialog user={user} remark={contact?.remark ?? ''} onClose={() => setNaming(false)} />}
    </Section>
  )
}

function Act({ label, danger, act }: { label: string; danger?: boolean; act(): Promise<void> }) {
  return <button type="button" class={danger ? 'row act danger' : 'row act'} onClick={() => void act()}>{label}</button>
}

function RemarkDialog({ user, remark, onClose }: { user: Id; remark: string; onClose(): void }) {
  const [text, setText] = useState(remark)
  const save = async (e?: Event) => {
    e?.preventDefault()
    if (await attempt(() => client().setContact(user, { remark: text.trim() }))) onClose()
  }
  return (
    <Dialog title={t('remark')} onClose={onClose} foot={<Button kind="primary" onClick={() => void save()}>{t('save')}</Button>}>
      <form onSubmit={(e) => void save(e)}>
        <Field label={t('remark')} value={text} onValue={setText} maxLength={longestRemark} dir="auto" autoComplete="off" autoFocus />
      </form>
    </Dialog>
  )
}
