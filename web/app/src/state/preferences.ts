// What a person sets for this browser. It stays on this device: a phone and a desk want different answers.
import { effect, signal } from '@preact/signals'
import { chosenLanguage, locale, type Language } from '../i18n'

export type Theme = 'auto' | 'light' | 'dark'

export const theme = signal<Theme>('auto')
export const enterToSend = signal(true)
export const notificationsOn = signal(false)
/** Whether the person has answered the question about notifications, in whatever way. */
export const notificationsAsked = signal(false)

const key = 'hongyan.preferences'

interface Stored {
  theme: Theme
  language: Language | 'auto'
  enterToSend: boolean
  notificationsOn: boolean
  notificationsAsked: boolean
}

function read(): Partial<Stored> {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Stored>
  } catch {
    return {} // storage is blocked, or somebody wrote something else there
  }
}

function apply(p: Partial<Stored>): void {
  if (p.theme === 'auto' || p.theme === 'light' || p.theme === 'dark') theme.value = p.theme
  if (p.language === 'auto' || p.language === 'en' || p.language === 'zh') chosenLanguage.value = p.language
  if (typeof p.enterToSend === 'boolean') enterToSend.value = p.enterToSend
  if (typeof p.notificationsOn === 'boolean') notificationsOn.value = p.notificationsOn
  if (typeof p.notificationsAsked === 'boolean') notificationsAsked.value = p.notificationsAsked
}

/** Reads what is stored, keeps storing what changes, and puts theme and language on the document. */
export function startPreferences(): void {
  apply(read())
  addEventListener('storage', (e) => {
    if (e.key === key) apply(read())
  })
  const system = matchMedia('(prefers-color-scheme: dark)')
  const systemDark = signal(system.matches)
  system.addEventListener('change', () => (systemDark.value = system.matches))
  effect(() => {
    const stored: Stored = {
      theme: theme.value, language: chosenLanguage.value, enterToSend: enterToSend.value,
      notificationsOn: notificationsOn.value, notificationsAsked: notificationsAsked.value,
    }
    try {
      localStorage.setItem(key, JSON.stringify(stored))
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  })
  effect(() => {
    const dark = theme.value === 'dark' || (theme.value === 'auto' && systemDark.value)
    document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  })
  effect(() => {
    document.documentElement.lang = locale.value
  })
}
