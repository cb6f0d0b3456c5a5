import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../sdk/test/server.js'
import { composer, history, message, openChat, row, say } from './chat.js'
import { Proxy } from './proxy.js'
import { login, Stage } from './stage.js'

const stage = new Stage('--http.advertise', '127.0.0.1:9999')

test('two tabs share one connection, and the second takes over when the first is closed', async (t) => {
  const proxy = await Proxy.start(stage.server.url)
  t.after(() => proxy.close())
  const [alice, bob] = [await stage.account('alice'), await stage.account('bob')]
  const chat = alice.with(bob)
  const home = await stage.visit(t, { url: proxy.url, cuts: true })
  const first = home.page
  await login(first, bob.name)
  await alice.say(bob.name, 'hello')
  const second = await home.open(`#/c/${encodeURIComponent(chat)}`)
  await openChat(first, chat)
  for (const tab of [first, second]) await message(tab, 'hello').waitFor()
  assert.equal(proxy.count('websocket'), 1)

  await say(second, 'from the second tab')
  await message(first, 'from the second tab').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  await say(first, 'from the first tab')
  await message(second, 'from the first tab').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  await alice.say(chat, 'to both')
  for (const tab of [first, second]) await message(tab, 'to both').waitFor()
  assert.equal(proxy.count('websocket'), 1)

  const before = proxy.total('websocket')
  // What the first was about to send is the second's to send.
  await Promise.all([say(first, 'last words'), say(second, 'next words')])
  await message(second, 'last words').waitFor()
  await first.close()
  await until('the second has the connection', () => proxy.count('websocket') === 1 && proxy.total('websocket') > before)
  await alice.say(chat, 'still there?')
  await message(second, 'still there?').waitFor()
  await say(second, 'yes')
  await message(second, 'yes').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  const seen = await history(second)
  assert.deepEqual([...seen].sort(), [
    'from the first tab', 'from the second tab', 'hello', 'last words', 'next words', 'still there?', 'to both', 'yes',
  ])
})

test('a draft and a logout are shared between tabs', async (t) => {
  const [alice, bob] = [await stage.account('alice'), await stage.account('bob')]
  await alice.say(bob.name, 'hello')
  const home = await stage.visit(t)
  await login(home.page, bob.name)
  const second = await home.open('#/contacts')
  await openChat(home.page, alice.with(bob))
  await composer(home.page).fill('half a thought')
  await home.page.evaluate(() => (location.hash = '#/'))
  await second.evaluate(() => (location.hash = '#/'))
  await row(second, 'Alice').getByText('half a thought').waitFor()
  await second.evaluate(() => (location.hash = '#/settings'))
  await second.getByRole('button', { name: 'Log out', exact: true }).click()
  await second.getByRole('dialog').getByRole('button', { name: 'Log out', exact: true }).click()
  for (const tab of [home.page, second]) await tab.getByLabel('Account name').waitFor()
})
