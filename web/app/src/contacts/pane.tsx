import type { Contact, Id } from '@hongyan/sdk'
import { useState } from 'preact/hooks'
import './contacts.css'
import { CreateGroupDialog } from '../group/create'
import { JoinDialog } from '../group/join'
import { t } from '../i18n'
import { client } from '../state/client'
import { contactList, groupList, nameOf, pictureOf, requestList } from '../state/people'
import { href } from '../state/route'
import { Avatar } from '../ui/avatar'
import { Button, IconButton } from '../ui/button'
import { SearchField } from '../ui/field'
import { arrowKeys, Empty, List, Section } from '../ui/list'
import { showMenu } from '../ui/menu'
import { attempt } from '../ui/toast'
import { AddContactDialog } from './add'

/** Requests, groups and contacts. */
export function ContactsPane({ open }: { open: Id | undefined }) {
  const [dialog, setDialog] = useState<'contact' | 'group' | 'join' | null>(null)
  const [filter, setFilter] = useState('')
  const close = () => setDialog(null)
  const wanted = filter.trim().toLowerCase()
  const matches = (name: string) => name.toLowerCase().includes(wanted)
  const requests = requestList.value
  const groups = groupList.value.filter((g) => matches(g.title))
  const contacts = contactList.value.filter((c) => matches(nameOf(c.profile!.user)) || matches(c.profile!.name))
  const add = (at: HTMLElement) =>
    showMenu(t('add'), at, [
      { label: t('addContact'), icon: 'personAdd', act: () => setDialog('contact') },
      { label: t('newGroup'), icon: 'people', act: () => setDialog('group') },
      { label: t('joinGroup'), icon: 'link', act: () => setDialog('join') },
    ])
  return (
    <section class="pane list" aria-label={t('contacts')}>
      <header class="pane-head">
        <h1>{t('contacts')}</h1>
        <IconButton icon="personAdd" label={t('add')} aria-haspopup="menu" onClick={(e) => add(e.currentTarget)} />
      </header>
      <div class="list-search"><SearchField label={t('search')} value={filter} onValue={setFilter} /></div>
      <div class="pane-body people" onKeyDown={arrowKeys('.row')}>
        {requests.length > 0 && !wanted && (
          <Section title={t('contactRequests')}>
            <ul>{requests.map((c) => <Request key={c.profile!.user} contact={c} />)}</ul>
          </Section>
        )}
        {groups.length > 0 && (
          <Section title={t('groups')}>
            <List label={t('groups')}>
              {groups.map((g) => (
                <li key={g.id}>
                  <a class="row" href={href({ page: 'chats', conversation: g.conversation })}>
                    <Avatar id={g.id} name={g.title} image={g.avatar} size={40} />
                    <span class="row-text">
                      <bdi class="cut">{g.title}</bdi>
                      <span class="row-sub">{t('memberCount', { n: g.memberCount })}</span>
                    </span>
                  </a>
                </li>
              ))}
            </List>
          </Section>
        )}
        {contacts.length > 0 && (
          <Section title={t('people')}>
            <List label={t('people')}>
              {contacts.map((c) => <Person key={c.profile!.user} contact={c} current={c.profile!.user === open} />)}
            </List>
          </Section>
        )}
        {contacts.length === 0 && groups.length === 0 && (requests.length === 0 || wanted !== '') && (
          wanted ? <Empty icon="search" title={t('noResults')} text={t('noResultsText')} /> : (
            <Empty icon="people" title={t('noContacts')} text={t('noContactsText')}>
              <Button kind="primary" icon="personAdd" onClick={() => setDialog('contact')}>{t('addContact')}</Button>
            </Empty>
          )
        )}
      </div>
      {dialog === 'contact' && <AddContactDialog onClose={close} />}
      {dialog === 'group' && <CreateGroupDialog onClose={close} />}
      {dialog === 'join' && <JoinDialog onClose={close} />}
    </section>
  )
}

function Person({ contact, current }: { contact: Contact; current: boolean }) {
  const user = contact.profile!.user
  const name = nameOf(user)
  return (
    <li>
      <a class="row" href={href({ page: 'contacts', user })} aria-current={current || undefined}>
        <Avatar id={user} name={name} image={pictureOf(user)} size={40} />
        <span class="row-text">
          <bdi class="cut">{name}</bdi>
          <span class="row-sub cut">@{contact.profile!.name}</span>
        </span>
      </a>
    </li>
  )
}

function Request({ contact }: { contact: Contact }) {
  const user = contact.profile!.user
  const name = nameOf(user)
  const answer = (accept: boolean) => void attempt(() => client().answerContact(user, accept))
  return (
    <li class="request">
      <a class="row" href={href({ page: 'contacts', user })}>
        <Avatar id={user} name={name} image={pictureOf(user)} size={40} />
        <span class="row-text">
          <bdi class="cut">{name}</bdi>
          <bdi class="row-sub cut">{contact.note || t('wantsContact')}</bdi>
        </span>
      </a>
      <div class="request-answer">
        <Button onClick={() => answer(false)}>{t('decline')}</Button>
        <Button kind="primary" onClick={() => answer(true)}>{t('accept')}</Button>
      </div>
    </li>
  )
}
