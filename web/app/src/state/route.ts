// Where the person is: the part of the address after #. Everything that Back should undo is here.
import { computed, signal } from '@preact/signals'

export type Route =
  | { page: 'chats'; conversation?: string; at?: string }
  | { page: 'contacts'; user?: string }
  | { page: 'settings' }
  | { page: 'login'; code: string }
  | { page: 'join'; link: string }

/** The address of a route, for links. */
export function href(r: Route): string {
  const e = encodeURIComponent
  switch (r.page) {
    case 'chats':
      return r.conversation ? `#/c/${e(r.conversation)}${r.at ? `/${e(r.at)}` : ''}` : '#/'
    case 'contacts':
      return r.user ? `#/contacts/${e(r.user)}` : '#/contacts'
    case 'settings':
      return '#/settings'
    case 'login':
      return `#/login/${e(r.code)}`
    case 'join':
      return `#/join/${e(r.link)}`
  }
}

export function parse(hash: string): Route {
  const [first, second, third] = hash.replace(/^#\/?/, '').split('/').map(decode)
  if (first === 'c' && second) return { page: 'chats', conversation: second, ...(third ? { at: third } : {}) }
  if (first === 'contacts') return { page: 'contacts', ...(second ? { user: second } : {}) }
  if (first === 'settings') return { page: 'settings' }
  if (first === 'login' && second) return { page: 'login', code: second }
  if (first === 'join' && second) return { page: 'join', link: second }
  return { page: 'chats' }
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s)
  } catch {
    return s
  }
}

const hash = signal(location.hash)
addEventListener('popstate', () => (hash.value = location.hash))
addEventListener('hashchange', () => (hash.value = location.hash))

export const route = computed(() => parse(hash.value))

/** The conversation that is open, if one is. */
export const openConversation = computed(() => (route.value.page === 'chats' ? route.value.conversation : undefined))

/** Goes to a route; replace leaves no way back to the present one. */
export function go(r: Route, replace = false): void {
  const to = href(r)
  if (to !== location.hash) history[replace ? 'replaceState' : 'pushState']({ from: location.hash }, '', to)
  hash.value = location.hash
}

/** Leaves a detail for the list around it, by the browser's Back if that is where one came from. */
export function goUp(r: Route): void {
  const from = (history.state as { from?: string } | null)?.from
  if (from !== undefined && href(parse(from)) === href(r)) history.back()
  else go(r, true)
}
