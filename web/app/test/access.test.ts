import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { composer, message, openChat, row } from './chat.js'
import { type Person, Stage } from './stage.js'

const stage = new Stage()

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  id: string
  help: string
  nodes: { html: string; failureSummary: string }[]
}

/** Runs axe-core over the page, whose policy keeps it from being loaded as a script. */
async function violations(page: Page): Promise<string[]> {
  // What fades in has its own colours only afterwards.
  await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => undefined))))
  await page.evaluate(axe)
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }
    return (await axe.run()).violations
  })
  return found.flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}\n  ${n.html.slice(0, 200)}\n  ${n.failureSummary}`))
}

async function go(page: Page, part: string): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), part)
}

/** Somebody with conversations of every kind, contacts, a request and a group. */
async function settled(person: Person): Promise<{ friend: string; group: string }> {
  const [alice, carol, dora] = await Promise.all([stage.account('alice'), stage.account('carol'), stage.account('dora')])
  const { account } = person
  await Promise.all([alice.befriend(account), carol.befriend(account), dora.ask('ask-contact', { name: account.name, note: 'Hello!' })])
  const group = await account.group('Wetlands', alice, carol)
  const chat = alice.with(account)
  await alice.say(chat, 'See https://example.com/geese')
  await account.say(chat, 'On my way')
  await alice.send(chat, { text: 'Good', quote: { ordinal: '2', from: account.user, excerpt: 'On my way' } })
  await account.ask('recall', { conversation: chat, ordinal: '2' })
  await alice.say(group.conversation, 'Who comes?')
  await carol.say(group.conversation, 'I do')
  return { friend: chat, group: group.conversation }
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
    test(`axe finds nothing in the main screens, ${colorScheme}, ${viewport.width} pixels wide`, async (t) => {
      const visitor = await stage.visit(t, { colorScheme, viewport })
      const found = new Map<string, string[]>()
      const look = async (screen: string, page: Page) => found.set(screen, await violations(page))
      await visitor.page.getByLabel('Account name').waitFor()
      await look('login', visitor.page)
      await visitor.page.getByRole('button', { name: 'Create an account' }).click()
      await look('registration', visitor.page)

      const person = await stage.person(t, 'bob', { colorScheme, viewport })
      const { page } = person
      const { friend, group } = await settled(person)
      await row(page, 'Wetlands').waitFor()
      await look('list', page)
      await openChat(page, friend)
      await message(page, 'Good').waitFor()
      await look('conversation', page)
      await openChat(page, group)
      await message(page, 'I do').waitFor()
      await look('group', page)
      await page.getByRole('button', { name: 'Group details' }).click()
      await page.getByRole('complementary').getByText('Carol').waitFor()
      await look('group details', page)
      await page.getByRole('complementary').getByRole('button', { name: 'Close' }).click()
      await go(page, '#/contacts')
      await page.getByRole('button', { name: 'Accept' }).waitFor()
      await look('contacts', page)
      await go(page, '#/settings')
      await page.getByRole('button', { name: 'Log out' }).first().waitFor()
      await look('settings', page)
      await page.keyboard.press('Control+k')
      await page.getByRole('dialog').getByRole('searchbox').fill('geese')
      await page.getByRole('dialog').getByText('See https://example.com/geese').waitFor()
      await look('search', page)
      assert.deepEqual(Object.fromEntries([...found].filter(([, list]) => list.length > 0)), {})
    })
  }
}

test('everything that matters is done by the keyboard alone', async (t) => {
  const [alice, bob] = [await stage.account('alice'), await stage.account('bob')]
  await alice.befriend(bob)
  await alice.say(bob.name, 'Press some keys')
  const { page } = await stage.visit(t)
  const { keyboard } = page
  const focused = () => page.evaluate(() => {
    const e = document.activeElement!
    const { outlineStyle, outlineWidth, boxShadow, borderColor } = getComputedStyle(e)
    const name = e.getAttribute('aria-label') ?? (e as HTMLInputElement).labels?.[0]?.textContent ?? e.textContent ?? ''
    return { name: name.trim(), visible: (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none' || borderColor !== '' }
  })
  /** Presses Tab until the focus is on what has that name, and sees that the focus shows. */
  const tabTo = async (name: RegExp) => {
    const passed: string[] = []
    for (let i = 0; i < 40; i++) {
      await keyboard.press('Tab')
      const at = await focused()
      assert.ok(at.visible, `the focus on ${at.name} cannot be seen`)
      if (name.test(at.name)) return
      passed.push(at.name)
    }
    assert.fail(`Tab does not lead to ${name}, but to ${passed.join(' | ')}`)
  }

  // Log in: the first field has the focus.
  await page.getByLabel('Account name').waitFor()
  await keyboard.type(bob.name)
  await keyboard.press('Tab')
  await keyboard.type(`${bob.name}-secret`)
  await keyboard.press('Enter')
  await row(page, 'Alice').waitFor()

  // Open the conversation from the list, answer, and go through the messages to the menu of one.
  await tabTo(/Press some keys/)
  await keyboard.press('Enter')
  await composer(page).waitFor()
  await message(page, 'Press some keys').waitFor()
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA')
  await keyboard.type('Pressed')
  await keyboard.press('Enter')
  await message(page, 'Pressed').getByRole('img', { name: /Sent|Delivered/ }).waitFor()
  for (let i = 0; i < 3 && (await focused()).name !== 'Messages'; i++) await keyboard.press('Shift+Tab')
  await keyboard.press('ArrowUp')
  await keyboard.press('ArrowUp')
  assert.match((await focused()).name, /^Alice, /)
  await keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Reply' }).waitFor()
  assert.equal((await focused()).name, 'Reply')
  await keyboard.press('Escape')
  assert.equal(await page.getByRole('menu').count(), 0)
  await keyboard.press('Enter')
  await keyboard.press('Enter')
  await page.getByText('Replying to Alice').waitFor()
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA')
  await keyboard.type('Answered')
  await keyboard.press('Enter')
  await message(page, 'Answered').getByText('Press some keys').waitFor()

  // Search from anywhere; Esc gives the focus back.
  await keyboard.press('Control+k')
  await page.getByRole('dialog').waitFor()
  await keyboard.type('alice')
  await page.getByRole('dialog').getByRole('button', { name: 'Alice' }).first().waitFor()
  await keyboard.press('ArrowDown')
  assert.match((await focused()).name, /Alice/)
  await keyboard.press('Escape')
  assert.equal(await page.getByRole('dialog').count(), 0)
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA')
  assert.match((await focused()).name, /^Message Alice/)

  // A group, from the menu; then the settings.
  await page.evaluate(() => (document.activeElement as HTMLElement).blur())
  await tabTo(/^New chat$/)
  await keyboard.press('Enter')
  await page.getByRole('menuitem').first().waitFor()
  await keyboard.press('ArrowDown')
  await keyboard.press('Enter')
  await page.getByRole('dialog', { name: 'New group' }).waitFor()
  await keyboard.type('Keyboards')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Keyboards' }).waitFor()
  await page.evaluate(() => (document.activeElement as HTMLElement).blur())
  await tabTo(/^Settings$/)
  await keyboard.press('Enter')
  await page.getByLabel('Theme').waitFor()
  await tabTo(/^Theme$/)
  await keyboard.press('ArrowDown')
  await keyboard.press('ArrowDown')
  await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark')
})

test('a new message is spoken', async (t) => {
  const alice = await stage.account('alice')
  const bob = await stage.person(t, 'bob')
  await alice.say(bob.account.name, 'first')
  await openChat(bob.page, bob.conversation(alice))
  await message(bob.page, 'first').waitFor()
  await alice.say(bob.conversation(alice), 'Listen')
  await bob.page.locator('[aria-live=polite]').getByText('Alice: Listen').waitFor({ state: 'attached' })
})
