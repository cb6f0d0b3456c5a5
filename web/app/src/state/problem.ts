import { HongyanError } from '@hongyan/sdk'
import { isKey, t } from '../i18n'

/** What to tell a person about a failure. */
export function messageOf(e: unknown): string {
  if (!(e instanceof HongyanError)) return t('problem.other')
  const key = `problem.${e.code}`
  return isKey(key) ? t(key) : t('problem.other')
}

/** Whether e is the server's refusal of that code. */
export function isCode(e: unknown, code: string): boolean {
  return e instanceof HongyanError && e.code === code
}
