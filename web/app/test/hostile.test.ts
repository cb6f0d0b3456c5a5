import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { composer, message, messages, openChat, row, say } from './chat.js'
import { Stage } from './stage.js'

const stage = new Stage()

const zalgo = 'Z' + '\u0336\u0489\u030d\u0353'.repeat(60) + 'a' + '\u0317\u0361\u0300'.repeat(80) + 'lgo'
const hostile = [
  '<script>document.title = "taken"</script>',
  '<img src=x onerror="document.title=\'taken\'"><svg/onload=alert(1)><iframe srcdoc="<script>parent.document.title=1</script>">',
  '"><style>*{display:none}</style><base href="https://evil.example/">',
  'javascript:alert(1) JAVASCRIPT:alert(1) data:text/html,<script>alert(1)</script> vbscript:x',
  '[click](javascript:alert(1)) <a href="javascript:alert(1)">here</a>',
  'https://example.com/"onmouseover="alert(1) https://user:pass@evil.example/ http://[::1',
  '\u202egnp.exe evil \u202d\u2066\u2067 still inside?',
  '\u0000\u0008\u200b\ufeff\ufffd invisible',
  zalgo,
  'x'.repeat(60_000),
  '𝕏'.repeat(3000) + '👩‍👩‍👧‍👦'.repeat(100),
  '\n'.repeat(500) + 'far below',
  '{{constructor.constructor("alert(1)")()}} ${alert(1)} %s %n ../../etc/passwd',
]

/** Whatever would show that a text was taken for more than a text. */
async function assertUnharmed(page: Page): Promise<void> {
  const seen = await page.evaluate(() => ({
    title: document.title,
    foreign: document.querySelectorAll('.app :is(script, iframe, object, embed, base, style, form:not([class]))').length,
    handlers: [...document.querySelectorAll('.app *')].filter((e) => e.getAttributeNames().some((n) => n.startsWith('on'))).length,
    links: [...document.querySelectorAll<HTMLAnchorElement>('[role=feed] a')].map((a) => [a.protocol, a.rel, a.target]),
    wide: [...document.querySelectorAll('html, .app, [role=feed], [role=article], .conversations')]
      .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'hidden')
      .map((e) => `${e.className || e.tagName} ${e.scrollWidth} > ${e.clientWidth}`),
  }))
  assert.doesNotMatch(seen.title, /taken|^1$/)
  assert.equal(seen.foreign, 0, 'elements from a message')
  assert.equal(seen.handlers, 0, 'handlers from a message')
  assert.deepEqual(seen.wide, [], 'what scrolls sideways')
  for (const [protocol, rel, target] of seen.links) {
    assert.match(protocol!, /^https?:$/)
    assert.match(rel!, /noopener/)
    assert.equal(target, '_blank')
  }
}

for (const [device, width, height] of [['a wide screen', 1280, 800], ['a phone', 360, 740]] as const) {
  test(`hostile messages harm nothing on ${device}`, async (t) => {
    const mallory = await stage.account('mallory', '<b>M</b>allory<img src=x onerror=alert(1)>')
    const bob = await stage.person(t, 'bob', { viewport: { width, height } })
    bob.page.on('dialog', (d) => assert.fail(`a dialog: ${d.message()}`))
    const chat = bob.conversation(mallory)
    await mallory.say(bob.account.name, 'first')
    await openChat(bob.page, chat)
    for (const [i, text] of hostile.entries()) {
      await mallory.say(chat, text)
      await mallory.say(chat, `after ${i}`)
      await message(bob.page, `after ${i}`).waitFor()
      await assertUnharmed(bob.page)
    }
    // The person's own words get no other treatment, and neither do quotes, drafts and the list.
    await say(bob.page, hostile[1]!)
    await message(bob.page, hostile[1]!).last().getByRole('img', { name: /Sent|Delivered/ }).waitFor()
    await mallory.send(chat, { text: 'quoting', quote: { ordinal: '1', from: mallory.user, excerpt: hostile[1] } })
    await message(bob.page, 'quoting').waitFor()
    await assertUnharmed(bob.page)
    await composer(bob.page).fill(hostile[6]!)
    await bob.page.evaluate(() => (location.hash = '#/'))
    await row(bob.page, 'allory').waitFor()
    await assertUnharmed(bob.page)
  })
}

test('a hostile group name, announcement and member harm nothing', async (t) => {
  const mallory = await stage.account('mallory', 'W'.repeat(64))
  const bob = await stage.person(t, 'bob')
  const { id, conversation } = await mallory.group(`<script>x</script>${zalgo.slice(0, 40)}`, bob.account)
  await mallory.ask('set-group', { group: id, announcement: `${hostile[1]} ${'y'.repeat(1500)}` })
  await mallory.say(conversation, 'welcome')
  await openChat(bob.page, conversation)
  await message(bob.page, 'welcome').waitFor()
  await bob.page.getByRole('button', { name: 'Group details' }).click()
  await bob.page.getByRole('complementary', { name: 'Group details' }).getByText('Members').first().waitFor()
  await assertUnharmed(bob.page)
})

test('a name written from right to left turns nothing around it', async (t) => {
  const mallory = await stage.account('mallory')
  const bob = await stage.person(t, 'bob')
  await mallory.say(bob.account.name, '\u202eabc')
  await openChat(bob.page, bob.conversation(mallory))
  const bubble = messages(bob.page).last()
  const [text, time] = [await bubble.locator('.message-text').boundingBox(), await bubble.locator('time').boundingBox()]
  assert.ok(time!.x > text!.x, 'the time stands behind the text')
  const preview = row(bob.page, 'Mallory').locator('bdi').last()
  assert.equal(await preview.evaluate((e) => getComputedStyle(e).unicodeBidi), 'isolate')
})
