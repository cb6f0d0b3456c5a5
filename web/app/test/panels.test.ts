import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { until } from '../../sdk/test/server.js'
import { message, messages, openChat, row } from './chat.js'
import { login, Stage } from './stage.js'

const stage = new Stage()

async function go(page: Page, part: string): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), part)
}

/** Presses a button of the page that asks first, and then the answer. */
async function pressSurely(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name, exact: true }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}

test('two people become contacts, one gives the other a name, blocks and removes', async (t) => {
  const [alice, bob] = [await stage.person(t, 'alice'), await stage.person(t, 'bob')]
  await go(alice.page, '#/contacts')
  await alice.page.getByRole('button', { name: 'Add', exact: true }).click()
  await alice.page.getByRole('menuitem', { name: 'Add a contact' }).click()
  await alice.page.getByLabel('Account name').fill('nobody-of-that-name')
  await alice.page.getByRole('button', { name: 'Send request' }).click()
  await alice.page.getByText('Nobody has this account name.').waitFor()
  await alice.page.getByLabel('Account name').fill(bob.account.name)
  await alice.page.getByLabel('Say who you are').fill('From the survey')
  await alice.page.getByRole('button', { name: 'Send request' }).click()

  await go(bob.page, '#/contacts')
  await bob.page.getByText('From the survey').waitFor()
  await bob.page.getByRole('button', { name: 'Accept' }).click()
  await alice.page.getByRole('list', { name: 'People' }).getByRole('link', { name: 'Bob' }).click()
  await alice.page.getByRole('button', { name: 'Your name for them' }).click()
  await alice.page.getByRole('dialog').getByRole('textbox').fill('Robert')
  await alice.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await alice.page.getByRole('heading', { name: 'Robert' }).waitFor()

  await pressSurely(alice.page, 'Block')
  await alice.page.getByRole('button', { name: 'Unblock' }).waitFor()
  await assert.rejects(bob.account.say(alice.account.name, 'let me in'), /BLOCKED/)
  await alice.page.getByRole('button', { name: 'Unblock' }).click()
  await alice.page.getByRole('button', { name: 'Block', exact: true }).waitFor()
  await pressSurely(alice.page, 'Remove contact')
  await bob.page.getByRole('heading', { name: 'No contacts yet' }).waitFor()
})

test('an owner manages a group', async (t) => {
  const [alice, bob] = [await stage.person(t, 'alice'), await stage.person(t, 'bob')]
  const [carol, dora] = [await stage.account('carol'), await stage.account('dora')]
  const { id, conversation } = await alice.account.group('Wetlands', bob.account, carol)
  for (const { page } of [alice, bob]) {
    await openChat(page, conversation)
    await page.getByRole('button', { name: 'Group details' }).click()
  }
  const { page } = alice
  await page.getByRole('button', { name: 'Edit' }).click()
  await page.getByLabel('Group name').fill('North shore')
  await page.getByLabel('Announcement').fill('Sunday at half past six')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await bob.page.getByRole('heading', { name: 'North shore' }).first().waitFor()
  await bob.page.getByRole('complementary').getByText('Sunday at half past six').waitFor()

  await page.getByRole('button', { name: 'Add by account name' }).click()
  await page.getByRole('dialog').getByLabel('Account name').fill(dora.name)
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click()
  await messages(bob.page).getByText('Alice added Dora').waitFor()
  await page.getByRole('button', { name: 'More: Bob' }).click()
  await page.getByRole('menuitem', { name: 'Make admin' }).click()
  await messages(bob.page).getByText('New admin: You').waitFor()
  await page.getByRole('button', { name: 'More: Carol' }).click()
  await page.getByRole('menuitem', { name: 'Remove from group' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove from group' }).click()
  await messages(bob.page).getByText('Alice removed Carol').waitFor()
  await page.getByRole('switch', { name: 'Only admins may write' }).click()
  await until('the server knows', async () => (await dora.ask('get-group', { group: id })).group.mutedAll)
  await assert.rejects(dora.say(conversation, 'am I heard?'), /MUTED/)

  await pressSurely(bob.page, 'Leave group')
  await bob.page.getByText('You are no longer in this group.').waitFor()
  await pressSurely(page, 'Dissolve group')
  await page.getByText('This group was dissolved.').first().waitFor()
})

test('who opens the link of a group comes in', async (t) => {
  const alice = await stage.account('alice')
  const { id } = await alice.group('Open meadow')
  const { group } = await alice.ask('set-group', { group: id, policy: 'LINK', newLink: true })
  const bob = await stage.person(t, 'bob')
  await go(bob.page, `#/join/${group.link}`)
  await bob.page.getByRole('dialog', { name: 'Join a group' }).getByRole('button', { name: 'Join', exact: true }).click()
  await bob.page.getByRole('heading', { name: 'Open meadow' }).waitFor()
})

test('a search leads to the message, among many', async (t) => {
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob')
  const chat = bob.conversation(alice)
  await alice.say(bob.account.name, 'the needle is here')
  for (let i = 0; i < 120; i++) await alice.say(chat, `a straw, number ${i}`)
  await bob.page.keyboard.press('Control+k')
  await bob.page.getByRole('searchbox').fill('needle')
  await bob.page.getByRole('dialog').getByText('the needle is here').click()
  await until('it is in sight', async () => {
    const [place, area] = [await message(bob.page, 'the needle is here').boundingBox(), await bob.page.getByRole('feed').boundingBox()]
    return place!.y >= area!.y && place!.y + place!.height <= area!.y + area!.height
  })
})

test('a picture is sent, shown and downloaded', async (t) => {
  const [alice, bob] = [await stage.person(t, 'alice'), await stage.person(t, 'bob')]
  const chat = alice.conversation(bob)
  await alice.account.say(bob.account.name, 'look')
  await Promise.all([openChat(alice.page, chat), openChat(bob.page, chat)])
  const picture = await readFile(new URL('../../../public/icon-192.png', import.meta.url))
  const choosing = alice.page.waitForEvent('filechooser')
  await alice.page.getByRole('button', { name: 'Attach a file' }).click()
  await (await choosing).setFiles([
    { name: 'goose.png', mimeType: 'image/png', buffer: picture },
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('three hundred geese') },
  ])
  const shown = messages(bob.page).getByRole('img', { name: 'goose.png' })
  await shown.waitFor()
  await bob.page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>('[role=feed] img')].some((i) => i.naturalWidth === 192))
  const link = messages(bob.page).getByRole('link', { name: 'Download: notes.txt' })
  const downloading = bob.page.waitForEvent('download')
  await link.click()
  assert.equal(await readFile(await (await downloading).path(), 'utf8'), 'three hundred geese')
})

test('a message is forwarded, and deleted for oneself', async (t) => {
  const [alice, carol] = [await stage.account('alice'), await stage.account('carol')]
  const bob = await stage.person(t, 'bob')
  await carol.say(bob.account.name, 'hello')
  await alice.say(bob.account.name, 'worth telling')
  await openChat(bob.page, bob.conversation(alice))
  const act = async (name: string) => {
    await message(bob.page, 'worth telling').click({ button: 'right' })
    await bob.page.getByRole('menuitem', { name }).click()
  }
  await act('Forward')
  await bob.page.getByRole('dialog').getByRole('checkbox', { name: 'Carol' }).click()
  await bob.page.getByRole('dialog').getByRole('button', { name: /^Forward/ }).click()
  await row(bob.page, 'Carol').getByText('worth telling').waitFor()
  await act('Delete for me')
  await bob.page.getByRole('dialog').getByRole('button', { name: 'Delete for me' }).click()
  await message(bob.page, 'worth telling').waitFor({ state: 'detached' })
  await openChat(bob.page, bob.conversation(carol))
  await messages(bob.page).getByText('Forwarded from Alice').waitFor()
})

test('settings change the name, the language and the devices', async (t) => {
  const bob = await stage.person(t, 'bob')
  const other = await stage.visit(t)
  await login(other.page, bob.account.name)
  const { page } = bob
  await go(page, '#/settings')
  await page.getByLabel('Display name').fill('Robert')
  await page.getByRole('button', { name: 'Save' }).click()
  await other.page.getByRole('link', { name: 'Profile: Robert' }).waitFor()
  const devices = page.getByRole('list').filter({ hasText: 'This device' })
  await devices.getByRole('button', { name: /\(Browser\)/ }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Log out' }).click()
  await other.page.getByLabel('Account name').waitFor()
  await page.getByLabel('Language').selectOption('zh')
  await page.getByRole('heading', { name: '设置' }).waitFor()
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN')
  await page.reload()
  await page.getByRole('heading', { name: '设置' }).waitFor()
})
