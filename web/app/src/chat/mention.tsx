import type { Id } from '@hongyan/sdk'
import { signal } from '@preact/signals'
import { t } from '../i18n'
import { client, me } from '../state/client'
import { nameOf } from '../state/people'
import { Avatar } from '../ui/avatar'
import { Icon } from '../ui/icon'
import { publicName } from './text'

const shown = 6
/** Stands for everybody in a list of mentions. */
export const everybody: Id = '0'

/** Somebody who can be mentioned: the public name goes into the text, the private one helps to find them. */
export interface Candidate {
  user: Id
  name: string
  known: string
}

/** The members of groups that were asked for, since a list of groups does not bring them. */
const membersOf = signal<ReadonlyMap<Id, readonly Id[]>>(new Map())

/** Fetches the members of a group for mentions and names. */
export async function loadMembers(group: Id): Promise<void> {
  const g = await client().getGroup(group)
  membersOf.value = new Map(membersOf.peek()).set(group, g.members.map((m) => m.user))
}

/** The word after an @ before the caret; undefined if nobody is being mentioned there. */
export function wordBefore(text: string, caret: number): string | undefined {
  const match = /(?:^|[\s，。、：；（])@([^\s@]{0,32})$/u.exec(text.slice(Math.max(0, caret - 40), caret))
  return match?.[1]
}

/** Who is meant by the beginning of a name, or of a word in it. */
export function candidatesFor(group: Id, word: string): Candidate[] {
  const wanted = word.toLowerCase()
  const begins = (name: string) => (` ${name.toLowerCase()}`).replace(/[\s._-]+/g, ' ').includes(` ${wanted}`)
  const self = me.value?.user
  const found = (membersOf.value.get(group) ?? [])
    .filter((user) => user !== self)
    .map((user) => ({ user, name: publicName(user), known: nameOf(user) }))
    .filter((c) => c.name !== '' && [c.name, c.known, client().profileOf(c.user)?.name ?? ''].some(begins))
    .slice(0, shown - 1)
  const role = client().groups.get(group)?.role
  const all = t('mentionEverybody')
  // After the people: whoever presses Enter too early shall not call everybody.
  if ((role === 'OWNER' || role === 'ADMIN') && begins(all)) found.push({ user: everybody, name: all, known: all })
  return found
}

interface MentionListProps {
  list: readonly Candidate[]
  chosen: number
  onChoose(who: Candidate): void
}

export function MentionList({ list, chosen, onChoose }: MentionListProps) {
  return (
    <ul class="mentions" id="mentions" role="listbox" aria-label={t('mentionHint')}>
      {list.map((c, i) => (
        <li
          key={c.user}
          id={`mention-${i}`}
          role="option"
          class="row"
          aria-selected={i === chosen}
          onMouseDown={(e) => {
            e.preventDefault() // the text keeps the focus
            onChoose(c)
          }}
        >
          {c.user === everybody ? <Icon name="at" size={28} /> : <Avatar id={c.user} name={c.name} size={28} />}
          <bdi class="cut">{c.known}</bdi>
        </li>
      ))}
    </ul>
  )
}
