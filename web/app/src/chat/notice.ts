import type { Id, Init, Notice } from '@hongyan/sdk'
import { isKey, t } from '../i18n'
import { nameOrYou } from '../state/people'

const namesShown = 5

/** Names in a row; of many, the first few and how many more. */
function namesOf(users: readonly Id[]): string {
  const names = users.slice(0, namesShown).map((u) => nameOrYou(u)).join(t('listComma'))
  return users.length > namesShown ? t('andOthers', { names, n: users.length - namesShown }) : names
}

/** What happened in a group, as a sentence. */
export function noticeText({ event = 'EVENT_UNSPECIFIED', users = [], text = '' }: Init<Notice>, from: Id): string {
  const others = users.filter((u) => u !== from)
  const variant =
    event === 'CREATED' && others.length > 0 ? 'with'
    : event === 'JOINED' && !users.includes(from) ? 'by'
    : event === 'ANNOUNCEMENT' && text === '' ? 'none'
    : (event === 'MUTED' || event === 'UNMUTED') && users.length === 0 ? 'all'
    : ''
  const key = `notice${event}${variant}`
  if (!isKey(key)) return t('noticeOther')
  return t(key, { name: nameOrYou(from), users: namesOf(event === 'CREATED' ? others : users), text: text })
}
