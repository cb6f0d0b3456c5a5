import type { Content, Id } from '@hongyan/sdk'
import { t } from '../i18n'
import { client } from '../state/client'
import { contactList, conversationList, conversationWith, faceOf, nameOf, pictureOf } from '../state/people'
import { Picker } from '../ui/picker'
import { toast } from '../ui/toast'
import { forwarding } from './actions'

/** Chooses where a message is passed on to. */
export function ForwardDialog() {
  const m = forwarding.value
  if (!m?.content) return null
  const content = m.content
  const seen = new Set<string>()
  const places: { id: string; face: { id: Id; name: string; image: string } }[] = []
  for (const c of conversationList.value) {
    if (Number(c.left) > 0) continue
    seen.add(c.id)
    places.push({ id: c.id, face: faceOf(c) })
  }
  for (const { profile } of contactList.value) {
    const id = conversationWith(profile!.user)
    if (!seen.has(id)) places.push({ id, face: { id: profile!.user, name: nameOf(profile!.user), image: pictureOf(profile!.user) } })
  }
  const send = (ids: string[]) => {
    const { quote: _quote, mentions: _mentions, mentionAll: _mentionAll, ...rest } = content
    const passed: Partial<Content> = {
      ...rest, forward: content.forward ?? { from: m.from, fromName: m.fromName, timeMs: m.timeMs },
    }
    for (const id of ids) client().send({ conversation: id }, passed).acknowledged.catch(() => undefined)
    forwarding.value = null
    toast(t('done'))
  }
  return <Picker title={t('forwardTo')} action={t('forward')} choices={places} onClose={() => (forwarding.value = null)} onChoose={send} />
}
