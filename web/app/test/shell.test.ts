import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { history, message, openChat, row, say } from './chat.js'
import { Proxy } from './proxy.js'
import { login, Stage } from './stage.js'

const stage = new Stage('--http.advertise', '127.0.0.1:9999')

/** What a first visit may cost in JavaScript. */
const budget = 150_000

const dist = new URL('../../../dist/', import.meta.url)

test('the front page comes with a strict policy', async () => {
  const answer = await fetch(stage.server.url, { headers: { Accept: 'text/html' } })
  const policy = new Map(answer.headers.get('Content-Security-Policy')!.split(';').map((part) => {
    const [name, ...values] = part.trim().split(/\s+/)
    return [name!, values.join(' ')]
  }))
  assert.equal(policy.get('default-src'), "'none'")
  assert.equal(policy.get('script-src'), "'self'")
  assert.equal(policy.get('style-src'), "'self'")
  assert.equal(policy.get('base-uri'), "'none'")
  assert.equal(policy.get('frame-ancestors'), "'none'")
  assert.equal(policy.get('form-action'), "'self'")
  assert.doesNotMatch([...policy.values()].join(' '), /unsafe|\*(?!:)/)
  assert.equal(answer.headers.get('X-Content-Type-Options'), 'nosniff')
  assert.equal(answer.headers.get('Cross-Origin-Opener-Policy'), 'same-origin')
  assert.equal(answer.headers.get('Cache-Control'), 'no-cache')
  const again = await fetch(stage.server.url, { headers: { 'Accept': 'text/html', 'If-None-Match': answer.headers.get('ETag')! } })
  assert.equal(again.status, 304)
})

test('the JavaScript of a first visit stays within its budget', async (t) => {
  const page = await readFile(new URL('index.html', dist), 'utf8')
  const first = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((m) => m[1]!)
  assert.ok(first.length > 0)
  let total = 0
  for (const name of first) total += gzipSync(await readFile(new URL(name, dist)), { level: 9 }).length
  const all = (await readdir(new URL('assets/', dist))).filter((name) => name.endsWith('.js')).length
  t.diagnostic(`${total} bytes compressed in ${first.length} of ${all} scripts; the budget is ${budget}`)
  assert.ok(total < budget, `${total} bytes`)
})

test('scripts are kept for good, and come compressed', async () => {
  const page = await readFile(new URL('index.html', dist), 'utf8')
  const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)![1]!
  const answer = await fetch(stage.server.url + script)
  assert.match(answer.headers.get('Cache-Control')!, /immutable/)
  assert.equal(answer.headers.get('Content-Encoding'), 'gzip')
})

test('the app can be installed', async (t) => {
  const { page, context } = await stage.visit(t)
  const cdp = await context.newCDPSession(page)
  await page.evaluate(() => navigator.serviceWorker.ready)
  const manifest = await cdp.send('Page.getAppManifest')
  assert.deepEqual(manifest.errors, [])
  const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors')
  // A page in a test has no profile of its own, which no server can help.
  assert.deepEqual(installabilityErrors.filter((e) => e.errorId !== 'in-incognito'), [])
})

test('after one visit the app opens without a network, with its messages, and catches up later', async (t) => {
  const proxy = await Proxy.start(stage.server.url)
  t.after(() => proxy.close())
  const [alice, bob] = [await stage.account('alice'), await stage.account('bob')]
  const { page } = await stage.visit(t, { url: proxy.url, cuts: true })
  await login(page, bob.name)
  await alice.say(bob.name, 'keep this')
  await openChat(page, alice.with(bob))
  await message(page, 'keep this').waitFor()
  await page.evaluate(() => navigator.serviceWorker.ready)
  proxy.break()
  await page.reload()
  await row(page, 'Alice').waitFor()
  await message(page, 'keep this').waitFor()
  await say(page, 'from the train')
  await alice.say(alice.with(bob), 'in the meantime')
  proxy.pass()
  await page.evaluate(() => dispatchEvent(new Event('online')))
  await message(page, 'from the train').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  assert.deepEqual(await history(page), ['keep this', 'in the meantime', 'from the train'])
})
