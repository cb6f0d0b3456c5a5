import assert from 'node:assert/strict'
import { after, before, type TestContext } from 'node:test'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { hangMs, Server } from '../../sdk/test/server.js'
import { Account, passwordOf } from './account.js'

const chromiumPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

// Nothing that asks other machines, and nothing that a machine without a screen or a sandbox cannot do.
const chromiumArgs = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

/** Starts the browser, without a window. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath, args: chromiumArgs })
}

interface Guest extends BrowserContextOptions {
  /** What others see; by default the name with a capital. */
  displayName?: string
  /** Where the page comes from, instead of from the server itself. */
  url?: string
  /** The test breaks connections, so the browser may complain of those. */
  cuts?: boolean
}

/** A server and a browser, for the tests of a file. Each test invites people of its own. */
export class Stage {
  server!: Server
  browser!: Browser
  private guests = 0

  constructor(...args: string[]) {
    before(async () => {
      this.server = await Server.start(...args)
      this.browser = await launch()
    })
    after(async () => {
      await this.browser?.close()
      await this.server?.remove()
    })
  }

  /** Makes an account, which is told apart by a number. */
  account(name: string, displayName = capital(name)): Promise<Account> {
    return Account.register(this.server.url, `${name}-${++this.guests}`, displayName)
  }

  /** Opens a browser profile with a page. What goes wrong in it fails the test. */
  async visit(t: TestContext, guest: Guest = {}): Promise<Visit> {
    const { url = this.server.url, cuts = false, displayName: _, ...options } = guest
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options })
    context.setDefaultTimeout(hangMs)
    const visit = new Visit(context, url, cuts)
    t.after(async () => {
      await context.close()
      assert.deepEqual(visit.problems, [], 'complaints of the browser')
    })
    visit.page = await visit.open()
    return visit
  }

  /** Makes an account and logs it in with a page of its own. */
  async person(t: TestContext, name: string, guest: Guest = {}): Promise<Person> {
    const account = await this.account(name, guest.displayName ?? capital(name))
    const { context, page, problems } = await this.visit(t, guest)
    await login(page, account.name)
    return { account, context, page, problems, conversation: (other) => account.with('account' in other ? other.account : other) }
  }
}

/** Somebody with an account, in front of a page. */
export interface Person {
  account: Account
  context: BrowserContext
  page: Page
  problems: string[]
  /** The direct conversation with somebody. */
  conversation(other: Person | Account): string
}

/** A browser profile, and what it complains of: errors on pages and breaches of the Content-Security-Policy. */
export class Visit {
  page!: Page
  readonly problems: string[] = []

  constructor(
    readonly context: BrowserContext,
    private readonly url: string,
    cuts: boolean,
  ) {
    context.on('weberror', (e) => this.problems.push(e.error().stack ?? e.error().message))
    context.on('console', (m) => {
      if (m.type() === 'error' && !(cuts && ofNetwork.test(m.text()))) this.problems.push(m.text())
    })
  }

  /** Opens another tab, at a part of the app such as #/settings. */
  async open(part = ''): Promise<Page> {
    const page = await this.context.newPage()
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (e) => console.error(`CSP: ${e.violatedDirective} forbids ${e.blockedURI}`))
    })
    await page.goto(`${this.url}/${part}`)
    return page
  }
}

// What Chromium says of connections that fail.
const ofNetwork = /^(Failed to load resource|WebSocket connection to|EventSource)|net::ERR_/

/** Logs in by the form, and waits until the app is there. */
export async function login(page: Page, name: string): Promise<void> {
  await page.getByLabel('Account name').fill(name)
  await page.getByLabel('Password').fill(passwordOf(name))
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.getByRole('navigation').waitFor()
}

function capital(name: string): string {
  return name[0]!.toUpperCase() + name.slice(1)
}
