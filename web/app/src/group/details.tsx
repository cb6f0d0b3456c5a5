import type { ConversationState, Group, Id } from '@hongyan/sdk'
import { useEffect, useState } from 'preact/hooks'
import './group.css'
import { copy } from '../chat/actions'
import { t } from '../i18n'
import { client, follow } from '../state/client'
import { contactList, nameOf, pictureOf } from '../state/people'
import { messageOf } from '../state/problem'
import { href } from '../state/route'
import { Avatar } from '../ui/avatar'
import { Button, IconButton } from '../ui/button'
import { confirm } from '../ui/dialog'
import { Section } from '../ui/list'
import { Picker } from '../ui/picker'
import { attempt } from '../ui/toast'
import { ConversationSwitches } from '../list/switches'
import { EditGroupDialog, InviteByNameDialog } from './edit'
import { MemberRow } from './member'
import { GroupRules } from './rules'

/** A group: what it is, who is in it, and what one may do there. */
export function GroupDetails({ group: id, conversation: c }: { group: Id; conversation: ConversationState }) {
  follow('groups')
  const known = client().groups.get(id)
  const [full, setFull] = useState<Group>()
  const [problem, setProblem] = useState('')
  const [round, setRound] = useState(0)
  const [dialog, setDialog] = useState<'edit' | 'choose' | 'names' | null>(null)
  const close = () => setDialog(null)
  const again = () => setRound((n) => n + 1)
  // The list of groups brings no members: they are asked for, again after every change.
  useEffect(() => {
    client().getGroup(id).then(setFull, (e: unknown) => setProblem(messageOf(e)))
  }, [id, known?.memberCount, known?.owner, known?.role, known?.policy, round])

  const g = full ? { ...full, ...known, members: full.members, asking: full.asking } : known
  if (!g) return <p class="composer-off">{problem || t('loading')}</p>
  const inside = g.role !== 'ROLE_UNSPECIFIED' && !g.dissolved && Number(c.left) === 0
  const leads = inside && (g.role === 'OWNER' || g.role === 'ADMIN')
  const members = [...(full?.members ?? [])].sort((a, b) => rank[b.role] - rank[a.role] || a.joinedMs - b.joinedMs)
  const run = async (act: () => Promise<unknown>) => {
    await attempt(act)
    again()
  }
  return (
    <>
      <div class="person-head">
        <Avatar id={id} name={g.title} image={g.avatar} size={72} />
        <h2><bdi>{g.title}</bdi></h2>
        <p class="row-sub">{g.dissolved ? t('composerDissolved') : t('memberCount', { n: g.memberCount })}</p>
        {leads && <Button kind="plain" icon="edit" onClick={() => setDialog('edit')}>{t('edit')}</Button>}
      </div>
      {g.announcement && (
        <Section title={t('announcement')}><p class="group-announcement" dir="auto">{g.announcement}</p></Section>
      )}
      {leads && g.asking.length > 0 && (
        <Section title={t('askingToJoin')}>
          <ul>
            {g.asking.map((p) => (
              <li key={p.user} class="row">
                <Avatar id={p.user} name={p.displayName || p.name} image={p.avatar} size={36} />
                <bdi class="cut row-text">{p.displayName || p.name}</bdi>
                <IconButton icon="close" label={`${t('decline')}: ${p.name}`} onClick={() => void run(() => client().answerJoin(id, p.user, false))} />
                <IconButton icon="check" label={`${t('accept')}: ${p.name}`} onClick={() => void run(() => client().answerJoin(id, p.user, true))} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section><ConversationSwitches conversation={c} /></Section>
      {leads && <GroupRules group={g} run={run} />}
      {inside && g.link && (g.policy !== 'INVITATION' || leads) && (
        <Section title={t('inviteLink')}>
          <div class="setting">
            <span class="setting-text cut">{inviteAddress(g.link)}</span>
            <IconButton icon="copy" label={t('copy')} onClick={() => void copy(inviteAddress(g.link))} />
            {leads && (
              <IconButton icon="refresh" label={t('newLink')} onClick={async () => {
                if (await confirm({ title: t('newLink'), text: t('newLinkText'), action: t('newLink') })) void run(() => client().setGroup(id, { newLink: true }))
              }} />
            )}
          </div>
        </Section>
      )}
      <Section title={t('members')}>
        {inside && (
          <div class="group-add">
            <Button icon="personAdd" onClick={() => setDialog('choose')}>{t('addMembers')}</Button>
            <Button icon="at" onClick={() => setDialog('names')}>{t('addByName')}</Button>
          </div>
        )}
        <ul>
          {members.map((m) => <MemberRow key={m.user} group={g} member={m} run={run} />)}
        </ul>
      </Section>
      {inside && (
        <Section>
          {g.role === 'OWNER' ? (
            <Act label={t('dissolveGroup')} text={t('dissolveGroupText')} act={() => run(() => client().dissolve(id))} />
          ) : (
            <Act label={t('leaveGroup')} text={t('leaveGroupText')} act={() => run(() => client().leave(id))} />
          )}
        </Section>
      )}
      {dialog === 'edit' && <EditGroupDialog group={g} onClose={close} />}
      {dialog === 'names' && <InviteByNameDialog group={id} onClose={() => { close(); again() }} />}
      {dialog === 'choose' && (
        <Picker
          title={t('addMembers')}
          action={t('add')}
          fixed={new Set(members.map((m) => m.user))}
          choices={contactList.value.map(({ profile }) => ({
            id: profile!.user, face: { id: profile!.user, name: nameOf(profile!.user), image: pictureOf(profile!.user) },
          }))}
          onClose={close}
          onChoose={(users) => {
            close()
            void run(() => client().invite(id, { users }))
          }}
        />
      )}
    </>
  )
}

const rank = { OWNER: 3, ADMIN: 2, MEMBER: 1, ROLE_UNSPECIFIED: 0 }

/** A link that opens the app and joins. */
function inviteAddress(link: string): string {
  return new URL(`/${href({ page: 'join', link })}`, location.origin).href
}

function Act({ label, text, act }: { label: string; text: string; act(): Promise<void> }) {
  const ask = async () => {
    if (await confirm({ title: label, text, action: label, danger: true })) await act()
  }
  return <button type="button" class="row act danger" onClick={() => void ask()}>{label}</button>
}
