// Pictures of the main screens for the documentation, from the real program with people who talk: docs/screenshots.
// Usage: node scripts/screenshots.mjs, after bin/hongyan has been built; HONGYAN names another binary.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch } from './browser.mjs'

const binary = process.env.HONGYAN ?? new URL('../../../bin/hongyan', import.meta.url).pathname
const folder = new URL('../../../docs/screenshots/', import.meta.url).pathname
const password = 'wild-goose-1'

const probe = createServer().listen(0, '127.0.0.1')
await once(probe, 'listening')
const { port } = probe.address()
probe.close()
const data = await mkdtemp(join(tmpdir(), 'hongyan-'))
const server = spawn(binary, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--storage.ballast', '0B', '--log.level', 'error'], { stdio: 'inherit' })
const url = `http://127.0.0.1:${port}`
for (let tries = 0; ; tries++) {
  if (await fetch(`${url}/healthz`).then((r) => r.ok, () => false)) break
  if (tries > 100) throw new Error('the server does not start')
  await new Promise((r) => setTimeout(r, 100))
}

async function post(path, token, body) {
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) }
  const answer = await fetch(`${url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
  return answer.json()
}

async function person(name, displayName) {
  const { session } = await post('register', '', { name, password, displayName, device: { name: 'Phone', class: 'PHONE' } })
  const ask = (path, body) => post(path, session.ticket, body)
  const say = (target, content) =>
    ask('send', {
      ...target, content: typeof content === 'string' ? { text: content } : content, firstAttemptMs: String(Date.now()),
      clientId: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64'),
    })
  return { name, user: session.user, ask, say }
}

async function befriend(a, b) {
  await a.ask('ask-contact', { name: b.name })
  await b.ask('answer-contact', { user: a.user, accept: true })
}

const lin = await person('lin', '林晓雁')
const maya = await person('maya', 'Maya Okafor')
const jonas = await person('jonas', 'Jonas Weber')
const chen = await person('chen', '陈一舟')
const sofia = await person('sofia', 'Sofia Marchetti')
const omar = await person('omar', 'Omar Haddad')
for (const p of [lin, jonas, chen, sofia]) await befriend(maya, p)
await omar.ask('ask-contact', { name: 'maya', note: 'We met at the wetland survey' })

const { group } = await maya.ask('create-group', {
  title: 'Autumn count', users: [lin.user, jonas.user, chen.user, sofia.user],
  clientId: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64'),
})
const count = { conversation: group.conversation }
await maya.ask('set-group', { group: group.id, policy: 'APPROVAL', announcement: 'Sunday 06:30 at the east dike. Bring the telescopes.' })
await maya.ask('set-role', { group: group.id, user: lin.user, role: 'ADMIN' })

await sofia.say({ name: 'maya' }, 'The ferry leaves at ten past six, tickets on board.')
await maya.say({ name: 'sofia' }, 'Perfect, see you on deck.')
await chen.say({ name: 'maya' }, '相机修好了，周日可以用。')
await jonas.say({ name: 'maya' }, 'Last year’s numbers: 4,312 bean geese, 906 white-fronted.')
await jonas.say({ name: 'maya' }, 'I put the table here: https://counts.example.org/2025/east-dike')
await maya.say({ name: 'jonas' }, 'Thank you! That is more than I had in mind.')

await lin.say(count, '早上好！北岸的雁群昨晚到了，大约三百只。')
await jonas.say(count, 'Three hundred already? The forecast said Tuesday.')
const asked = await sofia.say(count, 'Who brings the second telescope on Sunday?')
await maya.say(count, 'We have two at the station, I will carry one.')
await chen.say(count, { text: '我带三脚架和备用电池。', quote: { ordinal: asked.ordinal, from: sofia.user, excerpt: 'Who brings the second telescope on Sunday?' } })
await lin.say(count, { text: '@Maya Okafor could you open the gate at 06:15? The key is still at the station.', mentions: [maya.user] })
await maya.say(count, 'Of course. Gate at a quarter past, count starts at half past.')
await jonas.say(count, 'Then I take the early train and bring coffee for everybody.')
await lin.say({ name: 'maya' }, '路上看到一行大雁，排成人字。')
await lin.say({ name: 'maya' }, '到了告诉我 👋')

// What one has answered, one has read.
for (const p of [jonas, sofia]) {
  const [a, b] = [maya.user, p.user].sort((x, y) => Number(x) - Number(y))
  await maya.ask('mark-read', { conversation: `d:${a}:${b}`, ordinal: '100' })
}

const yun = await person('yun', '周云')
for (const p of [chen, yun]) await befriend(lin, p)
const { group: reeds } = await lin.ask('create-group', {
  title: '芦苇荡观鸟队', users: [chen.user, yun.user],
  clientId: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64'),
})
const flock = { conversation: reeds.conversation }
await lin.ask('set-group', { group: reeds.id, announcement: '周日早上六点半，东堤集合。' })
await yun.say({ name: 'lin' }, '下周轮到我做饭')
await lin.say(flock, '早上好！北岸的雁群昨晚到了，大约三百只。')
const question = await yun.say(flock, '这么早？天气预报说要到周二。周日谁带望远镜？')
await chen.say(flock, { text: '我带，还有三脚架和备用电池。', quote: { ordinal: question.ordinal, from: yun.user, excerpt: '周日谁带望远镜？' } })
await lin.say(flock, '那我六点一刻去开门，大家路上慢点。')
await yun.say(flock, { text: '@林晓雁 辛苦啦！我给大家带热豆浆 🥛', mentions: [lin.user] })

await mkdir(folder, { recursive: true })
const browser = await launch()

// A name that is this machine everywhere, and says more than its number.
const shown = `http://hongyan.localhost:${port}`

/** Opens the app as somebody, goes somewhere, and takes the picture. */
async function shoot(file, who, { width = 1280, height = 800, scheme = 'light', locale = 'en-GB', touch = false }, steps) {
  const context = await browser.newContext({
    viewport: { width, height }, deviceScaleFactor: touch ? 2 : 1, colorScheme: scheme, locale, hasTouch: touch, reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  await page.goto(shown)
  if (who) {
    await page.fill('[name=name]', who.name)
    await page.fill('[name=password]', password)
    await page.click('button[type=submit]')
    await page.waitForSelector('.conversation')
  }
  await steps(page)
  await page.mouse.move(0, 0)
  await page.waitForTimeout(700)
  await page.screenshot({ path: `${folder}${file}.png` })
  await context.close()
}

const open = (name) => async (page) => {
  await page.locator('.conversation', { hasText: name }).click()
  await page.waitForSelector('.bubble')
}
const details = async (page) => {
  await open('Autumn count')(page)
  await page.locator('.chat-head .icon-button').last().click()
  await page.waitForSelector('.role')
}

await shoot('login', null, {}, async () => {})
await shoot('group-light', maya, {}, open('Autumn count'))
await shoot('group-dark', maya, { scheme: 'dark' }, open('Autumn count'))
await shoot('wide', maya, { width: 1600, height: 900 }, details)
await shoot('phone-list', maya, { width: 390, height: 780, touch: true }, async () => {})
await shoot('phone-chat', maya, { width: 390, height: 780, touch: true, scheme: 'dark' }, open('Autumn count'))
await shoot('chinese', lin, { locale: 'zh-CN' }, open('芦苇荡观鸟队'))
await shoot('contacts', maya, {}, (page) => page.getByRole('link', { name: 'Contacts' }).click())
await shoot('search', maya, {}, async (page) => {
  await page.keyboard.press('Control+k')
  await page.keyboard.type('telescope')
  await page.waitForSelector('.search-line')
})
await shoot('settings', maya, {}, (page) => page.getByRole('link', { name: 'Settings' }).click())

await browser.close()
server.kill('SIGTERM')
await once(server, 'exit')
await rm(data, { recursive: true })
