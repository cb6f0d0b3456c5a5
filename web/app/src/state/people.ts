// Names, pictures and the list of conversations, as components want them.
import { compareIds, type Contact, type ConversationState, type Group, type Id } from '@hongyan/sdk'
import { computed } from '@preact/signals'
import { t } from '../i18n'
import { client, follow, me } from './client'

/** What to call an account: the remark, the display name, or the account name. Unknown ones are looked up. */
export function nameOf(user: Id, fallback = ''): string {
  follow('contacts')
  follow('profiles')
  const self = me.value
  if (self && user === self.user) return self.displayName || self.name
  const contact = client().contacts.get(user)
  if (contact?.remark) return contact.remark
  const profile = client().profileOf(user) ?? contact?.profile
  return profile?.displayName || profile?.name || fallback || t('unknownPerson')
}

/** The same, with "You" for oneself. */
export function nameOrYou(user: Id, fallback = ''): string {
  return user === me.value?.user ? t('you') : nameOf(user, fallback)
}

/** The reference of an account's picture; empty: none. */
export function pictureOf(user: Id): string {
  follow('profiles')
  if (user === me.value?.user) return me.value.avatar
  return client().profileOf(user)?.avatar ?? ''
}

/** What stands for a conversation: its name, the id that gives the colour, and the picture. */
interface Face {
  id: Id
  name: string
  image: string
}

export function faceOf(c: ConversationState): Face {
  follow('groups')
  if (c.groupId) {
    return { id: c.groupId, name: c.title || t('groups'), image: client().groups.get(c.groupId)?.avatar ?? '' }
  }
  const user = c.peer?.user ?? peerIn(c.id)
  if (user === me.value?.user) return { id: user, name: t('selfNotes'), image: pictureOf(user) }
  return { id: user, name: nameOf(user, c.peer?.displayName || c.peer?.name || c.title), image: pictureOf(user) || (c.peer?.avatar ?? '') }
}

/** The other account of a direct conversation. */
export function peerIn(conversation: string): Id {
  const [, a = '', b = ''] = conversation.split(':')
  return a === me.value?.user ? b : a
}

/** The direct conversation with an account. */
export function conversationWith(user: Id): string {
  const self = me.value?.user ?? '0'
  return compareIds(self, user) <= 0 ? `d:${self}:${user}` : `d:${user}:${self}`
}

/** A conversation as the client knows it, or as it will begin. Undefined for a group that is not known here. */
export function conversationOf(id: string): ConversationState | undefined {
  follow('conversations')
  const known = client().conversations.get(id)
  if (known || !/^d:\d+:\d+$/.test(id)) return known
  const profile = client().profileOf(peerIn(id))
  return {
    id, title: profile?.displayName || profile?.name || '', peer: profile,
    last: '0', read: '0', joined: '0', left: '0', cleared: '0', unread: 0,
    pinned: false, muted: false, hidden: true, delivered: '0', peerRead: '0', sending: 0, failed: 0,
  }
}

function lastTime(c: ConversationState): number {
  return Math.max(c.lastMessage?.timeMs ?? 0, client().outbox(c.id).at(-1)?.createdMs ?? 0)
}

/** The conversations of the list: pinned ones first, then by the time of the last message. */
export const conversationList = computed<ConversationState[]>(() => {
  follow('conversations')
  if (!me.value) return []
  const list: { c: ConversationState; time: number }[] = []
  for (const c of client().conversations.values()) {
    if (!c.hidden || c.sending > 0 || c.failed > 0) list.push({ c, time: lastTime(c) })
  }
  list.sort((a, b) => Number(b.c.pinned) - Number(a.c.pinned) || b.time - a.time || compareIds(b.c.last, a.c.last))
  return list.map((e) => e.c)
})

/** Unread messages in conversations that are not muted. */
export const unreadTotal = computed(() => conversationList.value.reduce((n, c) => n + (c.muted ? 0 : c.unread), 0))

/** Accepted contacts by name. */
export const contactList = computed<Contact[]>(() => {
  follow('contacts')
  if (!me.value) return []
  const order = new Intl.Collator()
  return [...client().contacts.values()]
    .filter((c) => c.state === 'ACCEPTED' && c.profile)
    .map((c) => ({ c, name: nameOf(c.profile!.user) }))
    .sort((a, b) => order.compare(a.name, b.name))
    .map((e) => e.c)
})

/** Who asks to become a contact, newest first. */
export const requestList = computed<Contact[]>(() => {
  follow('contacts')
  if (!me.value) return []
  return [...client().contacts.values()].filter((c) => c.state === 'ASKING').sort((a, b) => b.updatedMs - a.updatedMs)
})

/** The groups one is in, by title. */
export const groupList = computed<Group[]>(() => {
  follow('groups')
  if (!me.value) return []
  const order = new Intl.Collator()
  return [...client().groups.values()]
    .filter((g) => g.role !== 'ROLE_UNSPECIFIED' && !g.dissolved)
    .sort((a, b) => order.compare(a.title, b.title))
})
