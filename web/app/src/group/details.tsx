import type { ConversationState, Group, Id } from '@hongyan/sdk'
import { useEffect, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client, follow } from '../state/client'
import { nameOf, pictureOf } from '../state/people'
import { messageOf } from '../state/problem'
import { Avatar } from '../ui/avatar'
import { Section } from '../ui/list'

/** A group with its members. */
export function GroupDetails({ group: id }: { group: Id; conversation: ConversationState }) {
  follow('groups')
  const known = client().groups.get(id)
  const [full, setFull] = useState<Group>()
  const [problem, setProblem] = useState('')
  useEffect(() => {
    client().getGroup(id).then(setFull, (e: unknown) => setProblem(messageOf(e)))
  }, [id, known])
  const g = full ?? known
  if (!g) return <p class="composer-off">{problem || t('loading')}</p>
  return (
    <>
      <div class="person-head">
        <Avatar id={id} name={g.title} image={g.avatar} size={72} />
        <h2><bdi>{g.title}</bdi></h2>
        <p class="row-sub">{t('memberCount', { n: g.memberCount })}</p>
        {g.announcement && <p class="person-bio" dir="auto">{g.announcement}</p>}
      </div>
      <Section title={t('members')}>
        <ul>
          {(full?.members ?? []).map((m) => (
            <li key={m.user} class="row">
              <Avatar id={m.user} name={nameOf(m.user, m.name)} image={pictureOf(m.user)} size={36} />
              <bdi class="cut row-text">{nameOf(m.user, m.name)}</bdi>
              {m.role === 'OWNER' && <span class="row-sub">{t('owner')}</span>}
              {m.role === 'ADMIN' && <span class="row-sub">{t('admin')}</span>}
            </li>
          ))}
        </ul>
      </Section>
    </>
  )
}
