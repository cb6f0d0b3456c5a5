import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { until } from '../../sdk/test/server.js'
import { composer, history, message, openChat, row, say } from './chat.js'
import { type Kind, Proxy } from './proxy.js'
import { Stage } from './stage.js'

// An address list that leads nowhere: otherwise a client would go around the proxy.
const stage = new Stage('--http.advertise', '127.0.0.1:9999')

const everyWay: Kind[] = ['websocket', 'events', 'poll', 'operation']

async function proxied(t: TestContext): Promise<Proxy> {
  const proxy = await Proxy.start(stage.server.url)
  t.after(() => proxy.close())
  return proxy
}

function banner(page: Page) {
  return page.locator('.banner')
}

/** Has the page connect now instead of after its next delay. */
function hurry(page: Page): Promise<boolean> {
  return page.evaluate(() => dispatchEvent(new Event('online')))
}

test('who was offline gets everything once and in order', async (t) => {
  const proxy = await proxied(t)
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob', { url: proxy.url, cuts: true })
  const chat = bob.conversation(alice)
  await alice.say(bob.account.name, 'before')
  await openChat(bob.page, chat)
  await message(bob.page, 'before').waitFor()

  proxy.break(...everyWay)
  await banner(bob.page).getByText('No connection').waitFor()
  const missed = Array.from({ length: 60 }, (_, i) => `missed ${i}`)
  for (const text of missed) await alice.say(chat, text)
  for (const text of ['written offline 0', 'written offline 1']) await say(bob.page, text)
  await bob.page.getByRole('article').getByRole('img', { name: 'Waiting for the connection' }).nth(1).waitFor()

  proxy.pass()
  await hurry(bob.page)
  await message(bob.page, 'written offline 1').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  await banner(bob.page).waitFor({ state: 'detached' })
  assert.deepEqual(await history(bob.page), ['before', ...missed, 'written offline 0', 'written offline 1'])
})

test('a connection that moves no byte is noticed, and nothing is lost by it', async (t) => {
  const proxy = await proxied(t)
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob', { url: proxy.url, cuts: true })
  const chat = bob.conversation(alice)
  await alice.say(bob.account.name, 'hello')
  await openChat(bob.page, chat)
  await message(bob.page, 'hello').waitFor()
  proxy.stall()
  await say(bob.page, 'into the void')
  await banner(bob.page).waitFor()
  proxy.flow()
  proxy.cut()
  await message(bob.page, 'into the void').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  assert.deepEqual(await history(bob.page), ['hello', 'into the void'])
})

test('the browser tells when the network goes and comes', async (t) => {
  const bob = await stage.person(t, 'bob', { cuts: true })
  const alice = await stage.account('alice')
  await bob.context.setOffline(true)
  await banner(bob.page).waitFor()
  await alice.say(bob.account.name, 'are you there?')
  await bob.context.setOffline(false)
  await banner(bob.page).waitFor({ state: 'detached' })
  await openChat(bob.page, bob.conversation(alice))
  await message(bob.page, 'are you there?').waitFor()
})

test('without WebSocket, then without streams, messages go on, and the better way comes back', async (t) => {
  const proxy = await proxied(t)
  proxy.refuse('websocket')
  const alice = await stage.person(t, 'alice')
  const bob = await stage.person(t, 'bob', { url: proxy.url, cuts: true })
  const chat = bob.conversation(alice)
  await alice.account.say(bob.account.name, 'zero')
  await Promise.all([openChat(alice.page, chat), openChat(bob.page, chat)])

  const both = async (round: string) => {
    await say(alice.page, `${round} from alice`)
    await message(bob.page, `${round} from alice`).waitFor()
    await say(bob.page, `${round} from bob`)
    await message(alice.page, `${round} from bob`).waitFor()
    await message(bob.page, `${round} from bob`).getByRole('img', { name: /Sent|Delivered|Read/ }).waitFor()
  }
  await banner(bob.page).getByText('slower path (sse)').waitFor()
  await until('one stream is open', () => proxy.count('events') === 1)
  await both('by stream')

  proxy.refuse('events')
  await banner(bob.page).getByText('slower path (longpoll)').waitFor()
  await until('one poll is held', () => proxy.count('poll') === 1)
  await both('by poll')

  proxy.pass()
  await hurry(bob.page)
  await until('WebSocket is back', () => proxy.count('websocket') === 1)
  await banner(bob.page).waitFor({ state: 'detached' })
  await both('by WebSocket')
  const expected = ['stream', 'poll', 'WebSocket'].flatMap((way) => [`by ${way} from alice`, `by ${way} from bob`])
  assert.deepEqual(await history(bob.page), ['zero', ...expected])
  assert.deepEqual(await history(alice.page), ['zero', ...expected])
})

test('a reload keeps what is not sent yet, and the draft', async (t) => {
  const proxy = await proxied(t)
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob', { url: proxy.url, cuts: true })
  await alice.say(bob.account.name, 'hello')
  await openChat(bob.page, bob.conversation(alice))
  await message(bob.page, 'hello').waitFor()
  proxy.break(...everyWay)
  await banner(bob.page).waitFor()
  const unsent = ['unsent 0', 'unsent 1', 'unsent 2']
  for (const text of unsent) await say(bob.page, text)
  await composer(bob.page).fill('a draft')
  await message(bob.page, 'unsent 2').waitFor()
  await until('all are stored', () => bob.page.evaluate(storeHas, { table: 'outbox', count: unsent.length }))
  await bob.page.reload()
  await message(bob.page, 'unsent 2').getByRole('img', { name: 'Waiting for the connection' }).waitFor()
  assert.equal(await composer(bob.page).inputValue(), 'a draft')
  proxy.pass()
  await hurry(bob.page)
  await message(bob.page, 'unsent 2').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  assert.deepEqual(await history(bob.page), ['hello', ...unsent])
})

test('what comes while older messages are on their way does not go again when those are here', async (t) => {
  const proxy = await proxied(t)
  proxy.refuse('websocket')
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob', { url: proxy.url, cuts: true })
  const chat = bob.conversation(alice)
  for (const text of ['one', 'two', 'three']) await alice.say(bob.account.name, text)
  await row(bob.page, 'Alice').getByText('three').waitFor()

  // As after a trim of the store: the messages have to be fetched. The first request takes its time, and then fails.
  // What the list shows may be all there is yet: a backfill would bring the messages again.
  await until('all is stored', () => bob.page.evaluate(storeHas, { table: 'messages', count: 3, empty: ['messages', 'coverage'] }))
  await bob.page.reload()
  const held: (() => void)[] = []
  await bob.page.route('**/v1/history', async (route) => {
    if (held.length > 0) return route.continue()
    await new Promise<void>((resolve) => held.push(resolve))
    await route.abort()
  })
  await openChat(bob.page, chat)
  await until('the messages are asked for', () => held.length === 1)
  await alice.say(chat, 'four')
  await message(bob.page, 'four').waitFor()
  await bob.page.evaluate(() => {
    const seen = Object.assign(window, { gone: false })
    const look = () => (seen.gone ||= !document.querySelector('[role=feed]')!.textContent.includes('four'))
    new MutationObserver(look).observe(document.querySelector('[role=feed]')!, { childList: true, subtree: true, characterData: true })
  })
  const failed = bob.page.waitForEvent('requestfailed', (r) => r.url().endsWith('/v1/history'))
  held[0]!()
  await failed
  await message(bob.page, 'one').waitFor()
  assert.deepEqual(await history(bob.page), ['one', 'two', 'three', 'four'])
  assert.equal(await bob.page.evaluate(() => (window as unknown as { gone: boolean }).gone), false)
})

/** Whether a table has so many entries in the store of a page that is in step. If so, the tables `empty` are emptied at once. */
async function storeHas({ table, count, empty = [] }: { table: string; count: number; empty?: string[] }): Promise<boolean> {
  const [{ name } = {}] = await indexedDB.databases()
  const done = async <T>(request: IDBRequest<T>) => {
    await new Promise((resolve, reject) => Object.assign(request, { onsuccess: resolve, onerror: reject }))
    return request.result
  }
  const db = await done(indexedDB.open(name!))
  const tables = db.transaction(['meta', table, ...empty], 'readwrite')
  const { backfill } = (await done(tables.objectStore('meta').get('sync'))) as { backfill: string }
  const has = backfill === '' && (await done(tables.objectStore(table).count())) === count
  if (has) for (const other of empty) await done(tables.objectStore(other).clear())
  db.close()
  return has
}
