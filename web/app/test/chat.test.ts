import { test } from 'node:test'
import { composer, message, row, say } from './chat.js'
import { Stage } from './stage.js'

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
  await composer(bob.page).fill('I hear')
  await row(alice.page, 'Bob').getByText('typing').waitFor()
  await say(bob.page, 'I hear you')
  await message(alice.page, 'I hear you').waitFor()
})
