import assert from 'node:assert/strict'
import { test } from 'node:test'
import { many } from './account.js'
import { message, openChat } from './chat.js'
import { login, Stage } from './stage.js'

const stage = new Stage()

/** How long the history is. More take longer to make than a test should. */
const count = Number(process.env['MESSAGES'] ?? 10_000)

const pixelsPerFrame = 600
// A frame above this is no slow machine any more but a page that hangs.
const hangingFrameMs = 2000

test(`${count} messages are scrolled through without a jump`, async (t) => {
  const [reader, writer] = await Promise.all([stage.account('reader'), stage.account('writer')])
  const began = performance.now()
  await many(count - 1, 64, (i) => writer.say(reader.name, line(i)))
  await writer.say(reader.name, 'the last one')
  const filled = (performance.now() - began) / 1000
  t.diagnostic(`${count} messages sent in ${filled.toFixed(1)} s, ${Math.round(count / filled)} a second`)
  await reader.ask('mark-read', { conversation: reader.with(writer), ordinal: String(count) })

  const { page } = await stage.visit(t)
  await login(page, reader.name)
  await openChat(page, reader.with(writer))
  await message(page, 'the last one').waitFor()
  const run = await page.evaluate(scrollUp, pixelsPerFrame)
  t.diagnostic(
    `${run.frames} frames of ${pixelsPerFrame} px: p50 ${run.p50.toFixed(1)} ms, p95 ${run.p95.toFixed(1)} ms, ` +
      `worst ${run.worst.toFixed(1)} ms; ${(run.blank * 100).toFixed(1)} % of them with a row that was not loaded yet; ` +
      `at most ${run.rows} rows on the page`,
  )
  assert.equal(run.first, '1', 'the first message is reached')
  assert.deepEqual(run.jumps, [], 'rows that moved by themselves')
  assert.ok(run.rows < 400, `${run.rows} rows are on the page`)
  assert.ok(run.worst < hangingFrameMs, `a frame took ${run.worst} ms`)
})

/** A text of one line or of many, so that neighbours have different heights. */
function line(i: number): string {
  return `${i} ${'wild geese write a line across the sky; '.repeat((i * 7) % 11)}`.trim()
}

interface Run {
  frames: number
  p50: number
  p95: number
  worst: number
  /** The share of frames in which a row in sight was not loaded. */
  blank: number
  /** The most rows that were on the page at once. */
  rows: number
  jumps: string[]
  /** The ordinal of the topmost row at the end. */
  first: string | undefined
}

/** Scrolls to the beginning by so much a frame, and looks at each frame whether the rows have moved by just that. */
async function scrollUp(step: number): Promise<Run> {
  const list = document.querySelector<HTMLElement>('[role=feed]')!
  const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve))
  const times: number[] = []
  const jumps: string[] = []
  let blank = 0
  let rows = 0
  let still = 0
  let before = await frame()
  while (still < 30) {
    const places = new Map<string, number>()
    const edge = list.getBoundingClientRect()
    let missing = false
    for (const row of list.querySelectorAll<HTMLElement>('[data-ordinal]')) {
      const { top, bottom } = row.getBoundingClientRect()
      if (bottom <= edge.top || top >= edge.bottom) continue
      // A row that is still to come may turn out higher: those above the first one that is here may move.
      if (row.querySelector('[role=article]') === null) missing = true
      else places.set(row.dataset['ordinal']!, top)
    }
    if (missing) blank++
    const from = list.scrollTop
    list.scrollTop = from - step
    const moved = from - list.scrollTop
    still = moved === 0 && !missing ? still + 1 : 0
    const now = await frame()
    times.push(now - before)
    before = now
    // A row that the scrolling leaves in sight has to be where the scrolling put it. Above the first such row heights may
    // change, and what has left the view may move as well.
    const stay = [...list.querySelectorAll<HTMLElement>('[data-ordinal]')]
    rows = Math.max(rows, stay.length)
    const kept = [...places].find(([, top]) => top + moved < edge.bottom)
    if (kept === undefined || moved === 0) continue
    const [ordinal, top] = kept
    const row = stay.find((r) => r.dataset['ordinal'] === ordinal)
    const off = row === undefined ? NaN : row.getBoundingClientRect().top - top - moved
    if (!(Math.abs(off) <= 2)) {
      const of = (v: number) => Math.round(v - edge.top)
      jumps.push(`row ${ordinal} by ${Math.round(off)} px, from ${of(top)} to ${of(top + moved)} of ${of(edge.bottom)}`)
    }
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!
  return {
    frames: times.length, p50: at(0.5), p95: at(0.95), worst: at(1), blank: blank / times.length, rows, jumps: jumps.slice(0, 20),
    first: list.querySelector<HTMLElement>('[data-ordinal]')?.dataset['ordinal'],
  }
}
