import type { ConversationState } from '@hongyan/sdk'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { nameOrYou } from '../state/people'
import { enterToSend } from '../state/preferences'
import { IconButton } from '../ui/button'
import { toast } from '../ui/toast'
import { replyingTo } from './actions'
import { useDraft } from './draft'
import { excerptOf } from './excerpt'
import { filesOf, sendFiles, Uploads } from './uploads'
import { candidatesFor, everybody, MentionList, type Candidate, wordBefore } from './mention'

const longestText = 64 * 1024 // bytes, by the protocol
const highest = 200 // pixels, before the text scrolls
const quoteLength = 160 // characters of the excerpt in a quote; the protocol allows 512 bytes

interface ComposerProps {
  conversation: ConversationState
  name: string
}

/** Where a message is written. The draft outlives the page. */
export function Composer({ conversation: c, name }: ComposerProps) {
  const draft = useDraft(c.id)
  const [text, setText] = useState(() => draft.recovered() ?? c.draft ?? '')
  const [mentioned, setMentioned] = useState<Candidate[]>([])
  const [candidates, setCandidates] = useState<Candidate[]>([])
  const [chosen, setChosen] = useState(0)
  const field = useRef<HTMLTextAreaElement>(null)
  const composing = useRef(false)
  const reply = replyingTo.value?.conversation === c.id ? replyingTo.value : null

  useLayoutEffect(() => {
    const el = field.current!
    el.style.height = 'auto'
    el.style.height = `${Math.min(el.scrollHeight + 2, highest)}px`
  }, [text])
  useEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current?.focus()
    return () => {
      replyingTo.value = null
    }
  }, [])
  useEffect(() => {
    if (reply) field.current?.focus()
  }, [reply])
  // A draft that was written in another tab, while nobody writes in this one.
  useEffect(() => {
    if (document.activeElement !== field.current && !draft.pending && c.draft !== undefined && c.draft !== text) setText(c.draft)
  }, [c.draft])

  const write = (value: string) => {
    setText(value)
    draft.set(value)
    if (value.trim() !== '') client().typing(c.id)
  }

  const suggest = () => {
    const el = field.current!
    const word = c.groupId && !composing.current ? wordBefore(el.value, el.selectionStart) : undefined
    setCandidates(word === undefined ? [] : candidatesFor(c.groupId!, word))
    setChosen(0)
  }

  const mention = (who: Candidate) => {
    const el = field.current!
    const word = wordBefore(el.value, el.selectionStart) ?? ''
    const start = el.selectionStart - word.length - 1
    const before = el.value.slice(0, start) + `@${who.name} `
    write(before + el.value.slice(el.selectionStart))
    setMentioned([...mentioned, who])
    setCandidates([])
    requestAnimationFrame(() => {
      el.focus()
      el.setSelectionRange(before.length, before.length)
    })
  }

  const send = () => {
    const body = text.trim()
    if (body === '') return
    if (new TextEncoder().encode(body).length > longestText) {
      toast(t('textTooLong'))
      return
    }
    const named = mentioned.filter((m) => body.includes(`@${m.name}`))
    client().send({ conversation: c.id }, {
      text: body,
      mentions: [...new Set(named.filter((m) => m.user !== everybody).map((m) => m.user))],
      mentionAll: named.some((m) => m.user === everybody),
      ...(reply ? { quote: { ordinal: reply.ordinal, from: reply.from, excerpt: [...excerptOf(reply)].slice(0, quoteLength).join('') } } : {}),
    }).acknowledged.catch(() => {
      // The outbox shows it with its red mark.
    })
    setText('')
    setMentioned([])
    draft.set('')
    draft.flush()
    replyingTo.value = null
  }

  const keyDown = (e: KeyboardEvent) => {
    // Keys that choose a character in an input method belong to it; some browsers say so by the code 229 alone.
    if (e.isComposing || composing.current || e.keyCode === 229) return
    if (candidates.length > 0) {
      const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0
      if (step !== 0) {
        e.preventDefault()
        setChosen((chosen + step + candidates.length) % candidates.length)
        return
      }
      if (e.key === 'Enter' || e.key === 'Tab') {
        e.preventDefault()
        mention(candidates[chosen]!)
        return
      }
      if (e.key === 'Escape') {
        e.preventDefault()
        e.stopPropagation()
        setCandidates([])
        return
      }
    }
    if (e.key === 'Escape' && reply) {
      e.preventDefault()
      e.stopPropagation()
      replyingTo.value = null
    }
    if (e.key !== 'Enter' || e.shiftKey || e.altKey) return
    const modified = e.ctrlKey || e.metaKey
    if (enterToSend.value || modified) {
      e.preventDefault()
      send()
    }
  }

  return (
    <div class="composer">
      {reply && (
        <div class="composer-reply">
          <div class="row-text">
            <span class="composer-reply-name cut">{t('replyingTo', { name: nameOrYou(reply.from, reply.fromName) })}</span>
            <bdi class="cut">{excerptOf(reply)}</bdi>
          </div>
          <IconButton icon="close" label={t('cancelReply')} size={18} onClick={() => (replyingTo.value = null)} />
        </div>
      )}
      {candidates.length > 0 && <MentionList list={candidates} chosen={chosen} onChoose={mention} />}
      <Uploads conversation={c.id} />
      <div class="composer-line">
        <AttachButton conversation={c.id} />
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          class="composer-text"
          value={text}
          placeholder={t('messageTo', { name })}
          aria-label={t('messageTo', { name })}
          enterkeyhint={enterToSend.value ? 'send' : 'enter'}
          aria-controls={candidates.length > 0 ? 'mentions' : undefined}
          aria-activedescendant={candidates.length > 0 ? `mention-${chosen}` : undefined}
          aria-autocomplete={c.groupId ? 'list' : undefined}
          onInput={(e) => {
            write(e.currentTarget.value)
            suggest()
          }}
          onCompositionStart={() => (composing.current = true)}
          onCompositionEnd={() => {
            // The Enter that ends a composition comes before this in some browsers and after it in others.
            setTimeout(() => (composing.current = false))
          }}
          onKeyDown={keyDown}
          onPaste={(e) => {
            const files = filesOf(e.clipboardData)
            if (files.length === 0) return
            e.preventDefault()
            sendFiles(c.id, files)
          }}
          onBlur={() => {
            setCandidates([])
            draft.flush()
          }}
        />
        <IconButton class="send" icon="send" label={t('send')} disabled={text.trim() === ''} onClick={send} />
      </div>
    </div>
  )
}

function AttachButton({ conversation }: { conversation: string }) {
  const field = useRef<HTMLInputElement>(null)
  return (
    <>
      <IconButton icon="attach" label={t('attach')} onClick={() => field.current?.click()} />
      <input ref={field} type="file" multiple hidden onChange={(e) => {
        sendFiles(conversation, e.currentTarget.files ?? [])
        e.currentTarget.value = ''
      }} />
    </>
  )
}
