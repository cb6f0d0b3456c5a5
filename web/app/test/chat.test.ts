import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from 'uqr'
import { until } from '../../sdk/test/server.js'
import { composer, history, message, messages, openChat, row, say } from './chat.js'
import { login, Stage } from './stage.js'

const stage = new Stage()

test('two people chat', async (t) => {
  const [alice, bob] = await Promise.all([stage.person(t, 'alice'), stage.person(t, 'bob')])
  await alice.page.getByRole('button', { name: 'New chat' }).click()
  await alice.page.getByRole('menuitem', { name: 'Add a contact' }).click()
  await alice.page.getByLabel('Account name').fill(bob.account.name)
  await alice.page.getByRole('button', { name: 'Message', exact: true }).click()
  await say(alice.page, 'Hello from the reeds')
  await message(alice.page, 'Hello from the reeds').waitFor()
  await row(bob.page, 'Alice').click()
  await message(bob.page, 'Hello from the reeds').waitFor()
  await message(alice.page, 'Hello from the reeds').getByRole('img', { name: 'Read' }).waitFor()
  await composer(bob.page).pressSequentially('I hear')
  await row(alice.page, 'Bob').getByText('typing').waitFor()
  await say(bob.page, 'I hear you')
  await message(alice.page, 'I hear you').waitFor()
})

test('somebody registers and finds an empty app', async (t) => {
  const { page } = await stage.visit(t)
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.getByText('Please fill this in.').first().waitFor()
  await page.getByLabel('Account name').fill('newcomer')
  await page.getByLabel('Password').fill('short')
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.getByText('The password needs at least 8 characters.').waitFor()
  await page.getByLabel('Password').fill('long enough')
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.getByRole('heading', { name: 'No conversations yet' }).waitFor()
})

test('a group talks, mentions and recalls', async (t) => {
  const [alice, bob, carol] = [await stage.person(t, 'alice'), await stage.person(t, 'bob'), await stage.account('carol')]
  await Promise.all([alice.account.befriend(bob.account), alice.account.befriend(carol)])
  const { page } = alice
  await page.getByRole('button', { name: 'New chat' }).click()
  await page.getByRole('menuitem', { name: 'New group' }).click()
  await page.getByLabel('Group name').fill('Wetlands')
  await page.getByLabel('Add by account name').fill(`${bob.account.name} ${carol.name}`)
  await page.getByRole('button', { name: 'Create group' }).click()
  await page.getByRole('heading', { name: 'Wetlands' }).waitFor()
  await page.getByText('3 members').first().waitFor()

  await composer(page).pressSequentially('Look @Bo')
  await page.getByRole('option', { name: 'Bob' }).waitFor()
  await composer(page).press('Enter')
  await composer(page).pressSequentially('over there')
  await composer(page).press('Enter')
  await row(bob.page, 'Wetlands').getByText('You were mentioned').waitFor()
  await row(bob.page, 'Wetlands').click()
  await message(bob.page, 'Look @Bob over there').waitFor()
  assert.equal(await message(bob.page, 'Look @Bob over there').locator('.mention.me').textContent(), '@Bob')
  const chat = decodeURIComponent(new URL(bob.page.url()).hash.slice('#/c/'.length))
  await carol.say(chat, 'A crane')
  await carol.say(chat, 'No, a goose')
  for (const who of [alice, bob]) await message(who.page, 'No, a goose').waitFor()
  const seen = await history(bob.page)
  const said = ['Look @Bob over there', 'A crane', 'No, a goose']
  assert.deepEqual(seen, ['Alice created the group "Wetlands" with You, Carol', ...said])
  assert.deepEqual(await history(page), ['You created the group "Wetlands" with Bob, Carol', ...said])

  await say(page, 'A slip')
  await message(bob.page, 'A slip').waitFor()
  await message(page, 'A slip').hover()
  await message(page, 'A slip').getByRole('button', { name: 'Message options' }).click()
  await page.getByRole('menuitem', { name: 'Recall' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Recall' }).click()
  await messages(bob.page).getByText('Alice recalled a message').waitFor()
  await messages(page).getByText('You recalled a message').waitFor()
  assert.equal(await message(bob.page, 'A slip').count(), 0)
})

test('keys of an input method send nothing before it is done', async (t) => {
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob')
  await alice.say(bob.account.name, '你好')
  await openChat(bob.page, bob.conversation(alice))
  await composer(bob.page).focus()
  const cdp = await bob.context.newCDPSession(bob.page)
  const compose = (text: string) => cdp.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length })
  const enter = (windowsVirtualKeyCode: number) =>
    cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: windowsVirtualKeyCode === 229 ? 'Process' : 'Enter', code: 'Enter', windowsVirtualKeyCode })
  for (const text of ['h', 'ho', 'hong', 'hong yan']) await compose(text)
  await enter(229)
  await enter(13)
  assert.equal(await composer(bob.page).inputValue(), 'hong yan')
  await cdp.send('Input.insertText', { text: '鸿雁' })
  await composer(bob.page).press('Enter')
  await message(bob.page, '鸿雁').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  assert.deepEqual(await history(bob.page), ['你好', '鸿雁'])
})

test('a device is let in by the code that it shows', async (t) => {
  const phone = await stage.person(t, 'bob', { viewport: { width: 390, height: 844 } })
  const { page } = await stage.visit(t)
  const asked = page.waitForResponse('**/v1/ask-login')
  await page.getByRole('button', { name: 'Log in with your phone' }).click()
  const { code } = await (await asked).json() as { code: string }
  const picture = page.getByRole('img', { name: 'QR code to log in with' })
  await picture.waitFor()
  // The picture is the code of the address, and of nothing else.
  const { data } = encode(`${stage.server.url}/#/login/${code}`, { ecc: 'M', border: 2 })
  const dark = data.flatMap((line, y) => line.flatMap((is, x) => (is ? [`M${x} ${y}h1v1h-1z`] : []))).join('')
  assert.equal(await picture.locator('path').getAttribute('d'), dark)

  await phone.page.goto(`${stage.server.url}/#/login/${code}`)
  await phone.page.getByRole('heading', { name: 'Log in another device?' }).waitFor()
  await page.getByText('Scanned by Bob').waitFor()
  await phone.page.getByRole('button', { name: 'Allow' }).click()
  await phone.page.getByText('The device is logged in.').waitFor()
  await page.getByRole('navigation').waitFor()
  const { devices } = await phone.account.ask('devices')
  assert.equal(devices.length, 3, 'the test, the phone and the new one')
})

test('a code that is declined lets nobody in', async (t) => {
  const phone = await stage.person(t, 'bob')
  const { page } = await stage.visit(t)
  const asked = page.waitForResponse('**/v1/ask-login')
  await page.getByRole('button', { name: 'Log in with your phone' }).click()
  const { code } = await (await asked).json() as { code: string }
  await phone.page.goto(`${stage.server.url}/#/login/${code}`)
  await phone.page.getByRole('button', { name: 'Deny' }).click()
  await page.getByRole('button', { name: 'New code' }).waitFor()
  assert.equal(await page.getByRole('navigation').count(), 0)
})

test('a message that the other side refuses is marked, and can be sent again', async (t) => {
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob')
  await alice.say(bob.account.name, 'hello')
  await openChat(bob.page, bob.conversation(alice))
  await alice.ask('set-contact', { user: bob.account.user, blocked: true })
  await say(bob.page, 'are you cross?')
  const mark = bob.page.getByRole('button', { name: 'Not sent. Options' })
  await mark.waitFor()
  await alice.ask('set-contact', { user: bob.account.user, blocked: false })
  await mark.click()
  await bob.page.getByRole('menuitem', { name: 'Send again' }).click()
  await message(bob.page, 'are you cross?').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  await until('the mark is gone', async () => (await mark.count()) === 0)
})

test('who is logged out by another device sees the login', async (t) => {
  const bob = await stage.person(t, 'bob')
  const other = await stage.visit(t)
  await login(other.page, bob.account.name)
  const { devices } = await bob.account.ask('devices')
  for (const d of devices) if (d.class === 'WEB') await bob.account.ask('kick', { device: d.id }).catch(() => undefined)
  for (const page of [bob.page, other.page]) await page.getByLabel('Account name').waitFor()
})
