import type { Group, Member } from '@hongyan/sdk'
import { t } from '../i18n'
import { fullTime } from '../i18n/time'
import { client, me } from '../state/client'
import { conversationWith, nameOf, nameOrYou, pictureOf } from '../state/people'
import { go } from '../state/route'
import { Avatar } from '../ui/avatar'
import { IconButton } from '../ui/button'
import { confirm } from '../ui/dialog'
import { showMenu, type MenuItem } from '../ui/menu'

const muteTime = 3600_000

interface MemberRowProps {
  group: Group
  member: Member
  run(act: () => Promise<unknown>): Promise<void>
}

/** Somebody in a group, with what one may do about them. */
export function MemberRow({ group: g, member: m, run }: MemberRowProps) {
  const name = nameOf(m.user, m.name)
  const muted = m.mutedUntilMs > Date.now()
  return (
    <li class="row">
      <Avatar id={m.user} name={name} image={pictureOf(m.user)} size={36} />
      <span class="row-text">
        <bdi class="cut">{nameOrYou(m.user, m.name)}</bdi>
        {muted && <span class="row-sub">{t('mutedUntil', { time: fullTime(m.mutedUntilMs) })}</span>}
      </span>
      {m.role === 'OWNER' && <span class="role">{t('owner')}</span>}
      {m.role === 'ADMIN' && <span class="role">{t('admin')}</span>}
      {m.user !== me.value?.user && (
        <IconButton icon="more" label={`${t('more')}: ${name}`} aria-haspopup="menu"
          onClick={(e) => showMenu(name, e.currentTarget, actsOn(g, m, name, muted, run))} />
      )}
    </li>
  )
}

function actsOn(g: Group, m: Member, name: string, muted: boolean, run: MemberRowProps['run']): MenuItem[] {
  const owns = g.role === 'OWNER'
  const above = !g.dissolved && (owns || (g.role === 'ADMIN' && m.role === 'MEMBER'))
  const ask = async (title: string, text: string, act: () => Promise<unknown>) => {
    if (await confirm({ title, text, action: title, danger: true })) await run(act)
  }
  const items: (MenuItem | false)[] = [
    { label: t('writeMessage'), icon: 'chat', act: () => go({ page: 'chats', conversation: conversationWith(m.user) }) },
    { label: t('profile'), icon: 'person', act: () => go({ page: 'contacts', user: m.user }) },
    above && null,
    owns && m.role === 'MEMBER' && {
      label: t('makeAdmin'), icon: 'crown', act: () => void run(() => client().setRole(g.id, m.user, 'ADMIN')),
    },
    owns && m.role === 'ADMIN' && {
      label: t('removeAdmin'), icon: 'crown', act: () => void run(() => client().setRole(g.id, m.user, 'MEMBER')),
    },
    owns && {
      label: t('makeOwner'), icon: 'forwardArrow',
      act: () => void ask(t('makeOwner'), t('makeOwnerText', { name }), () => client().setRole(g.id, m.user, 'OWNER')),
    },
    above && {
      label: muted ? t('unmuteMember') : t('muteMember'), icon: 'mute',
      act: () => void run(() => client().muteMember(g.id, m.user, muted ? 0 : Date.now() + muteTime)),
    },
    above && {
      label: t('removeMember'), icon: 'trash', danger: true,
      act: () => void ask(t('removeMember'), t('removeMemberText', { name }), () => client().removeMembers(g.id, [m.user])),
    },
  ]
  return items.filter((i) => i !== false)
}
