import type { Id } from '@hongyan/sdk'
import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { client, follow, me } from '../state/client'

/** A piece of a text: words, an address on the web, or the name of somebody who is mentioned. */
type Part = { kind: 'text' | 'link' | 'mention'; text: string; href?: string; user?: Id }

// Whatever may stand in an address; closing punctuation at the end belongs to the sentence.
const address = /https?:\/\/[^\s<>"'`，。！？、；：（）【】《》「」\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gi
const closing = /[.,;:!?)\]}*_~]+$/

/** Splits a text at the addresses and mentions in it. Nothing of it is ever taken for markup. */
function partsOf(text: string, mentions: readonly { user: Id; name: string }[] = []): Part[] {
  const parts: Part[] = []
  let done = 0
  const words = (to: number) => {
    if (to > done) parts.push(...splitMentions(text.slice(done, to), mentions))
    done = to
  }
  for (const match of text.matchAll(address)) {
    const written = match[0].replace(closing, '')
    const href = webAddress(written)
    if (!href) continue
    words(match.index)
    parts.push({ kind: 'link', text: written, href })
    done = match.index + written.length
  }
  words(text.length)
  return parts
}

function webAddress(written: string): string | undefined {
  try {
    const url = new URL(written)
    return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '' ? url.href : undefined
  } catch {
    return undefined
  }
}

function splitMentions(text: string, mentions: readonly { user: Id; name: string }[]): Part[] {
  for (const { user, name } of mentions) {
    const at = text.indexOf(`@${name}`)
    if (name === '' || at < 0) continue
    const end = at + name.length + 1
    return [
      ...splitMentions(text.slice(0, at), mentions),
      { kind: 'mention', text: text.slice(at, end), user },
      ...splitMentions(text.slice(end), mentions),
    ]
  }
  return text === '' ? [] : [{ kind: 'text', text }]
}

/** The name under which somebody is mentioned: the public one, since the text is for others. */
export function publicName(user: Id): string {
  follow('profiles')
  const self = me.value
  if (user === self?.user) return self.displayName || self.name
  const p = client().profileOf(user)
  return p?.displayName || p?.name || ''
}

// Longer texts are folded until somebody wants all of them: 64 KiB may be one message, and all of it line feeds.
const foldedLength = 2400
const foldedLines = 24

function isLong(text: string): boolean {
  if (text.length > foldedLength) return true
  let lines = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++
  return lines > foldedLines
}

interface MessageTextProps {
  text: string
  mentions?: readonly Id[]
  mentionAll?: boolean
}

/** The text of a message, with links and mentions, cut if it is very long. */
export function MessageText({ text, mentions = [], mentionAll }: MessageTextProps) {
  const [whole, setWhole] = useState(false)
  const folded = !whole && isLong(text)
  const shown = folded ? text.slice(0, foldedLength) : text
  const named = mentions.map((user) => ({ user, name: publicName(user) }))
  if (mentionAll) named.push({ user: '0', name: t('mentionEverybody') })
  return (
    <>
      <div class={folded ? 'message-text folded' : 'message-text'} dir="auto">
        {partsOf(shown, named).map((part, i) =>
          part.kind === 'link' ? (
            <a key={i} href={part.href} dir="ltr" title={part.href} target="_blank" rel="noopener noreferrer nofollow">{part.text}</a>
          ) : part.kind === 'mention' ? (
            <bdi key={i} class={part.user === me.value?.user || part.user === '0' ? 'mention me' : 'mention'}>{part.text}</bdi>
          ) : (
            part.text
          ),
        )}
      </div>
      {folded && <button type="button" class="link unfold" onClick={() => setWhole(true)}>{t('showFull')}</button>}
    </>
  )
}
