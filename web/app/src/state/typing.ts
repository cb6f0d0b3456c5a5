// Who is writing where. The server says so now and then and never that somebody has stopped: it wears off.
import type { Id } from '@hongyan/sdk'
import { signal } from '@preact/signals'
import { client } from './client'

const lifetime = 6000

const writing = signal<ReadonlyMap<string, ReadonlyMap<Id, number>>>(new Map())

/** Who is writing in a conversation. */
export function typingIn(conversation: string): Id[] {
  return [...(writing.value.get(conversation)?.keys() ?? [])]
}

function set(conversation: string, user: Id, until: number | undefined): void {
  const people = new Map(writing.peek().get(conversation))
  if (until === undefined) people.delete(user)
  else people.set(user, until)
  const all = new Map(writing.peek())
  if (people.size === 0) all.delete(conversation)
  else all.set(conversation, people)
  writing.value = all
}

/** Begins to listen. */
export function startTyping(): void {
  client().on('typing', ({ conversation, user }) => {
    const until = Date.now() + lifetime
    set(conversation, user, until)
    setTimeout(() => {
      if (writing.peek().get(conversation)?.get(user) === until) set(conversation, user, undefined)
    }, lifetime)
  })
  client().on('message', ({ message }) => {
    if (writing.peek().get(message.conversation)?.has(message.from)) set(message.conversation, message.from, undefined)
  })
}
