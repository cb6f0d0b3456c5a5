import assert from 'node:assert/strict'
import { test } from 'node:test'
import { composer, history, message, openChat } from './chat.js'
import { Stage } from './stage.js'

const stage = new Stage()

const count = 30
const crashes = [8, 20]

test('messages that are sent while the server is killed and started again arrive once and in order', async (t) => {
  const [alice, bob] = await Promise.all([stage.person(t, 'alice', { cuts: true }), stage.person(t, 'bob', { cuts: true })])
  const chat = alice.conversation(bob)
  await alice.account.say(bob.account.name, 'zero')
  await Promise.all([openChat(alice.page, chat), openChat(bob.page, chat)])
  await message(alice.page, 'zero').waitFor()

  let restart = Promise.resolve()
  for (let i = 0; i < count; i++) {
    // Both at once, so that a crash meets messages on their way in either direction.
    await Promise.all([alice, bob].map(async ({ page }, who) => {
      await composer(page).fill(`${who} ${i}`)
      await composer(page).press('Enter')
    }))
    if (crashes.includes(i)) {
      await restart
      restart = stage.server.kill().then(() => stage.server.run())
    }
  }
  await restart
  const own = (who: number) => Array.from({ length: count }, (_, i) => `${who} ${i}`)
  for (const [who, { page }] of [alice, bob].entries()) {
    await message(page, `${who} ${count - 1}`).getByRole('img', { name: /Sent|Delivered|Read/ }).waitFor()
    await message(page, `${1 - who} ${count - 1}`).waitFor()
  }
  const [seen, seenByBob] = await Promise.all([history(alice.page), history(bob.page)])
  assert.deepEqual(seenByBob, seen, 'both see the same order')
  for (const who of [0, 1]) assert.deepEqual(seen.filter((text) => text.startsWith(`${who} `)), own(who))
  assert.equal(seen.length, 2 * count + 1)
})
