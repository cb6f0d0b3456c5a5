// What tells of a message when the app is not in front: the title, the badge of an installed app, notifications.
import { effect, signal } from '@preact/signals'
import { t } from '../i18n'
import { client } from '../state/client'
import { faceOf, nameOf, unreadTotal } from '../state/people'
import { notificationsAsked, notificationsOn } from '../state/preferences'
import { go, openConversation } from '../state/route'
import { excerptOf } from '../chat/excerpt'

/** Whether to ask the person now: a message came while the app was hidden, and nobody has asked yet. */
export const offerNotifications = signal(false)

/** Says new messages of the open conversation to screen readers. */
export const spoken = signal('')

export function startNotifications(): void {
  effect(() => {
    const n = unreadTotal.value
    document.title = n > 0 ? `(${n > 999 ? '999+' : n}) ${t('appName')}` : t('appName')
    if (n > 0) void navigator.setAppBadge?.(n).catch(() => undefined)
    else void navigator.clearAppBadge?.().catch(() => undefined)
  })
  client().on('message', ({ message, conversation, own }) => {
    if (own) return
    const text = excerptOf(message)
    const name = nameOf(message.from, message.fromName)
    if (conversation.id === openConversation.peek() && !document.hidden) {
      spoken.value = t('newMessageFrom', { name, text })
      return
    }
    if (document.hidden && !notificationsAsked.peek() && 'Notification' in window) offerNotifications.value = true
    const mentioned = message.content?.mentionAll || message.content?.mentions.includes(client().me?.user ?? '')
    if (!document.hidden || !notificationsOn.peek() || (conversation.muted && !mentioned)) return
    show(conversation.id, faceOf(conversation).name, conversation.groupId ? t('newMessageFrom', { name, text }) : text)
  })
}

function show(conversation: string, title: string, body: string): void {
  if (!('Notification' in window) || Notification.permission !== 'granted') return
  try {
    const n = new Notification(title, { body: body.slice(0, 200), tag: conversation, icon: '/icon-192.png' })
    n.onclick = () => {
      window.focus()
      go({ page: 'chats', conversation })
      n.close()
    }
  } catch {
    // Some phones allow notifications to service workers only.
    void navigator.serviceWorker?.ready.then((r) => r.showNotification(title, { body, tag: conversation, icon: '/icon-192.png' }))
  }
}

/** Asks the browser's leave. Call it in the course of a press. */
export async function turnOnNotifications(): Promise<boolean> {
  notificationsAsked.value = true
  offerNotifications.value = false
  if (!('Notification' in window)) return false
  const granted = (await Notification.requestPermission()) === 'granted'
  notificationsOn.value = granted
  return granted
}
