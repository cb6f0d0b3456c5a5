import type { Message } from '@hongyan/sdk'
import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import './search.css'
import { excerptOf } from '../chat/excerpt'
import { t } from '../i18n'
import { shortTime } from '../i18n/time'
import { client } from '../state/client'
import { contactList, conversationList, conversationOf, conversationWith, faceOf, nameOf, pictureOf } from '../state/people'
import { messageOf } from '../state/problem'
import { go } from '../state/route'
import { Avatar } from '../ui/avatar'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { SearchField } from '../ui/field'
import { arrowKeys, Section } from '../ui/list'

/** What is searched: everything, or one conversation. */
export const searchOpen = signal<{ conversation?: string } | null>(null)

export function openSearch(conversation?: string): void {
  searchOpen.value = conversation ? { conversation } : {}
}

const pause = 250 // ms without typing before the server is asked
const peopleShown = 8

interface Found {
  messages: Message[]
  next?: string
  /** How far back the server has looked, Unix milliseconds; 0: all of it. */
  reached?: number
  problem?: string
}

/** Finds people, groups and messages. */
export function SearchDialog() {
  const conversation = searchOpen.value?.conversation
  const [text, setText] = useState('')
  const [found, setFound] = useState<Found>()
  const [busy, setBusy] = useState(false)
  const wanted = text.trim()
  const close = () => (searchOpen.value = null)

  const search = async (more?: Found) => {
    setBusy(true)
    try {
      const answer = await client().search({ text: wanted, ...(conversation ? { conversation } : {}), ...(more?.next ? { continue: more.next } : {}) })
      setFound({
        messages: [...(more?.messages ?? []), ...answer.messages],
        ...(answer.continue ? { next: answer.continue, reached: answer.reachedMs } : {}),
      })
    } catch (e) {
      setFound({ messages: more?.messages ?? [], problem: messageOf(e) })
    }
    setBusy(false)
  }
  useEffect(() => {
    setFound(undefined)
    if (wanted === '') return
    const timer = setTimeout(() => void search(), pause)
    return () => clearTimeout(timer)
  }, [wanted, conversation])

  const open = (id: string, at?: string) => {
    close()
    go({ page: 'chats', conversation: id, ...(at ? { at } : {}) })
  }
  const places = conversation || wanted === '' ? [] : placesFor(wanted)
  return (
    <Dialog title={conversation ? t('searchHere') : t('search')} onClose={close}>
      <div class="search" onKeyDown={arrowKeys('input, .row')}>
        <SearchField label={conversation ? t('searchHere') : t('searchAll')} value={text} onValue={setText} autoFocus />
        {wanted === '' && <p class="search-hint">{t('searchStart')}</p>}
        {places.length > 0 && (
          <Section title={t('people')}>
            {places.map(({ id, face }) => (
              <button key={id} type="button" class="row" onClick={() => open(id)}>
                <Avatar id={face.id} name={face.name} image={face.image} size={36} />
                <bdi class="cut">{face.name}</bdi>
              </button>
            ))}
          </Section>
        )}
        {found && found.messages.length > 0 && (
          <Section title={t('messages')}>
            {found.messages.map((m) => {
              const c = conversationOf(m.conversation)
              const face = c ? faceOf(c) : { id: m.conversation, name: '', image: '' }
              return (
                <button key={m.id} type="button" class="row" onClick={() => open(m.conversation, m.ordinal)}>
                  <Avatar id={face.id} name={face.name} image={face.image} size={36} />
                  <span class="row-text">
                    <span class="search-line"><bdi class="cut">{face.name}</bdi><time>{shortTime(m.timeMs)}</time></span>
                    <span class="row-sub cut">{nameOf(m.from, m.fromName)}: <bdi>{excerptOf(m)}</bdi></span>
                  </span>
                </button>
              )
            })}
          </Section>
        )}
        <div role="status">
          {found?.problem && <p class="field-error">{found.problem}</p>}
          {found && !found.problem && found.messages.length + places.length === 0 && <p class="search-hint">{t('noResults')}</p>}
          {busy && !found && <p class="search-hint">{t('loading')}</p>}
        </div>
        {found?.next && !!found.reached && <p class="search-hint">{t('searchedBack', { date: shortTime(found.reached) })}</p>}
        {found?.next && <Button wide busy={busy} onClick={() => void search(found)}>{t('searchOlder')}</Button>}
      </div>
    </Dialog>
  )
}

function placesFor(text: string) {
  const wanted = text.toLowerCase()
  const seen = new Set<string>()
  const places: { id: string; face: { id: string; name: string; image: string } }[] = []
  for (const c of conversationList.value) {
    const face = faceOf(c)
    if (face.name.toLowerCase().includes(wanted) || c.peer?.name.includes(wanted)) {
      seen.add(c.id)
      places.push({ id: c.id, face })
    }
    if (places.length === peopleShown) return places
  }
  for (const { profile } of contactList.value) {
    const user = profile!.user
    const id = conversationWith(user)
    const name = nameOf(user)
    if (!seen.has(id) && (name.toLowerCase().includes(wanted) || profile!.name.includes(wanted))) {
      places.push({ id, face: { id: user, name, image: pictureOf(user) } })
    }
  }
  return places.slice(0, peopleShown)
}
