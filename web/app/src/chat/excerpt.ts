import type { Message, Outgoing } from '@hongyan/sdk'
import { t } from '../i18n'
import { noticeText } from './notice'
import { nameOf } from '../state/people'
import { me } from '../state/client'

// Nobody reads more of a message in a list, and a 64 KiB text would cost layout.
const longest = 200

/** A content in one line: the text, or what kind of thing it is. */
export function excerptOfContent(c: Outgoing['content'], from = ''): string {
  const text =
    c.text !== undefined ? c.text
    : c.image ? `[${t('image')}] ${c.caption ?? ''}`
    : c.voice ? `[${t('voice')}] ${c.caption ?? ''}`
    : c.video ? `[${t('video')}] ${c.caption ?? ''}`
    : c.file ? `[${t('file')}] ${c.file.name || c.caption || ''}`
    : c.location ? `[${t('location')}] ${c.location.name || c.caption || ''}`
    : c.notice ? noticeText(c.notice, from)
    : c.caption || `[${t('customMessage')}]`
  return text.slice(0, longest).replace(/\s+/g, ' ').trim()
}

/** A message in one line. */
export function excerptOf(m: Message): string {
  if (m.state === 'RECALLED') {
    return m.from === me.value?.user ? t('recalledByYou') : t('recalled', { name: nameOf(m.from, m.fromName) })
  }
  if (m.state === 'EXPIRED' || !m.content) return t('expired')
  return excerptOfContent(m.content, m.from)
}
