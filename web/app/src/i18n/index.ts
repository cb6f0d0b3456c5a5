// The words of the app. One file per language with the keys of en.ts; a missing key does not compile.
import { computed, signal } from '@preact/signals'
import { en, type Key, type Text } from './en'
import { zh } from './zh'

export type { Key }
export type Language = 'en' | 'zh'

const dictionaries: Record<Language, Record<Key, Text>> = { en, zh }

/** What the person chose; 'auto' follows the browser. */
export const chosenLanguage = signal<Language | 'auto'>('auto')

export const language = computed<Language>(() => {
  if (chosenLanguage.value !== 'auto') return chosenLanguage.value
  return navigator.languages.find((l) => /^(zh|en)\b/i.test(l))?.toLowerCase().startsWith('zh') ? 'zh' : 'en'
})

/** The tag for Intl and for the lang attribute. */
export const locale = computed(() => {
  const own = navigator.languages.find((l) => l.toLowerCase().startsWith(language.value))
  return own ?? (language.value === 'zh' ? 'zh-CN' : 'en')
})

type Parameters = Record<string, string | number>

/** The words of a key, with {x} filled in. Of a pair, n decides the form. */
export function t(key: Key, parameters?: Parameters): string {
  const text: Text = dictionaries[language.value][key]
  const form = typeof text === 'string' ? text : text[parameters?.n === 1 ? 0 : 1]
  return parameters ? form.replace(/\{(\w+)\}/g, (all, name: string) => String(parameters[name] ?? all)) : form
}

/** Whether s is a key: for keys that are made of a code, as in 'problem.' + code. */
export function isKey(s: string): s is Key {
  return Object.hasOwn(en, s)
}
