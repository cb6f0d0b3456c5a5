// What can be done with one message.
import type { ConversationState, Outgoing, StoredMessage } from '@hongyan/sdk'
import { signal } from '@preact/signals'
import { t } from '../i18n'
import { client } from '../state/client'
import { confirm } from '../ui/dialog'
import { showMenu, type MenuItem } from '../ui/menu'
import { attempt, toast } from '../ui/toast'

/** The message that is being answered, in the open conversation. */
export const replyingTo = signal<StoredMessage | null>(null)
/** The message that is being passed on. */
export const forwarding = signal<StoredMessage | null>(null)
/** The message of which somebody asks who has read it. */
export const readersOf = signal<StoredMessage | null>(null)

type Place = HTMLElement | { x: number; y: number }

// A sender may take a message back for a time that the server sets; past this it is not worth offering.
const recallOffered = 24 * 3600_000

export function showMessageMenu(c: ConversationState, m: StoredMessage, at: Place): void {
  const role = c.groupId ? client().groups.get(c.groupId)?.role : undefined
  const maySend = Number(c.left) === 0
  const mayRecall = role === 'OWNER' || role === 'ADMIN' || (m.own && Date.now() - m.timeMs < recallOffered)
  const text = m.content?.text ?? m.content?.caption
  const items: (MenuItem | false)[] = [
    maySend && { label: t('reply'), icon: 'reply', act: () => (replyingTo.value = m) },
    !!text && { label: t('copyText'), icon: 'copy', act: () => void copy(text) },
    { label: t('forward'), icon: 'forward', act: () => (forwarding.value = m) },
    m.own && c.groupId !== undefined && { label: t('readBy'), icon: 'info', act: () => (readersOf.value = m) },
    null,
    mayRecall && { label: t('recall'), icon: 'undo', act: () => void recall(m) },
    { label: t('deleteForMe'), icon: 'trash', danger: true, act: () => void remove(m) },
  ]
  showMenu(t('messageActions'), at, items.filter((i) => i !== false))
}

export function showOutgoingMenu(o: Outgoing, at: Place): void {
  if (o.state !== 'failed') return
  const text = o.content.text
  const items: (MenuItem | false)[] = [
    { label: t('resend'), icon: 'refresh', act: () => client().resend(o.clientId) },
    !!text && { label: t('copyText'), icon: 'copy', act: () => void copy(text) },
    null,
    { label: t('discard'), icon: 'trash', danger: true, act: () => void attempt(() => client().discard(o.clientId)) },
  ]
  showMenu(t('messageActions'), at, items.filter((i) => i !== false))
}

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast(t('copied'))
  } catch {
    toast(t('problem.other'))
  }
}

async function recall(m: StoredMessage): Promise<void> {
  if (!(await confirm({ title: t('recall'), text: t('recallText'), action: t('recall') }))) return
  await attempt(() => client().recall(m.conversation, m.ordinal))
}

async function remove(m: StoredMessage): Promise<void> {
  if (!(await confirm({ title: t('deleteForMe'), text: t('deleteForMeText'), action: t('deleteForMe'), danger: true }))) return
  await attempt(() => client().remove(m.conversation, [m.ordinal]))
}
