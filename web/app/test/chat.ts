import type { Locator, Page } from 'playwright-core'
import { hangMs } from '../../sdk/test/server.js'

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

/** The row of a conversation in the list. */
export function row(page: Page, name: string): Locator {
  return page.getByRole('region', { name: 'Conversations' }).getByRole('link').filter({ hasText: name })
}

/**
 * The texts of the whole conversation from its beginning, gathered by scrolling there from the newest message that has an
 * ordinal. Wait before until that is the last one expected: what has none yet, because it is not acknowledged, is left out.
 */
export function history(page: Page): Promise<string[]> {
  return page.evaluate(async (hangMs) => {
    const list = document.querySelector<HTMLElement>('[role=feed]')!
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const found = new Map<number, string>()
    let begun = false
    for (const start = Date.now(); !(begun && found.has(1) && list.scrollTop === 0); ) {
      if (Date.now() - start > hangMs) throw new Error(`the rows do not come: ${list.textContent}`)
      await frame()
      await frame()
      let loaded = true
      for (const row of list.querySelectorAll<HTMLElement>('[data-ordinal]')) {
        const text = row.querySelector('.message-text, .notice')?.textContent
        if (text) found.set(Number(row.dataset['ordinal']), text)
        else loaded = false
      }
      begun ||= loaded && list.querySelector<HTMLElement>('[data-space=after]')!.offsetHeight === 0
      if (!begun) list.scrollTop = list.scrollHeight
      else if (loaded) list.scrollTop -= list.clientHeight * 0.7
    }
    list.scrollTop = list.scrollHeight
    return Array.from({ length: Math.max(...found.keys()) }, (_, i) => found.get(i + 1) ?? '(missing)')
  }, hangMs)
}
