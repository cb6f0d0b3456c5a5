import type { Locator, Page } from 'playwright-core'

/** Opens a conversation by its id, as a link does. */
export async function openChat(page: Page, conversation: string): Promise<void> {
  await page.evaluate((id) => (location.hash = `#/c/${encodeURIComponent(id)}`), conversation)
  await composer(page).waitFor()
}

/** Where one writes. */
export function composer(page: Page): Locator {
  return page.getByRole('textbox', { name: /^Message / })
}

/** Writes a text and sends it by Enter. */
export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await composer(page).press('Enter')
}

/** The messages in sight. */
export function messages(page: Page): Locator {
  return page.getByRole('feed', { name: 'Messages' }).getByRole('article')
}

/** The message in sight with exactly that text. */
export function message(page: Page, text: string): Locator {
  return messages(page).filter({ has: page.locator('.message-text').getByText(text, { exact: true }) })
}

/** The texts of the messages in sight, from above. */
export function texts(page: Page): Promise<string[]> {
  return messages(page).locator('.message-text').allTextContents()
}

/** The row of a conversation in the list. */
export function row(page: Page, name: string): Locator {
  return page.getByRole('region', { name: 'Conversations' }).getByRole('link').filter({ hasText: name })
}

/**
 * The texts of the whole conversation from its beginning, gathered by scrolling there from the end. What has not been
 * delivered is not among them.
 */
export function history(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const list = document.querySelector<HTMLElement>('[role=feed]')!
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const found = new Map<number, string>()
    list.scrollTop = list.scrollHeight
    let loaded = false
    for (let begin = Date.now(); !(loaded && found.has(1) && list.scrollTop === 0) && Date.now() - begin < 30_000; ) {
      await frame()
      await frame()
      loaded = true
      for (const row of list.querySelectorAll<HTMLElement>('[data-ordinal]')) {
        const text = row.querySelector('.message-text, .notice')?.textContent
        if (text) found.set(Number(row.dataset['ordinal']), text)
        else loaded = false
      }
      if (loaded) list.scrollTop -= list.clientHeight * 0.7
    }
    list.scrollTop = list.scrollHeight
    return Array.from({ length: Math.max(0, ...found.keys()) }, (_, i) => found.get(i + 1) ?? '(missing)')
  })
}
