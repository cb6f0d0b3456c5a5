import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { messageOf } from '../state/problem'

const shown = signal<readonly { id: number; text: string }[]>([])
const longest = 3
const lifetime = 5000
let next = 1

/** Tells something in passing. */
export function toast(text: string): void {
  const id = next++
  shown.value = [...shown.value, { id, text }].slice(-longest)
  setTimeout(() => {
    shown.value = shown.value.filter((s) => s.id !== id)
  }, lifetime)
}

/** Runs something that the server may refuse, and tells if it did. Resolves to undefined then. */
export async function attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (e) {
    toast(messageOf(e))
    return undefined
  }
}

/** Shows the toasts above everything, dialogs included; stands once in the app. */
export function Toasts() {
  const ref = useRef<HTMLDivElement>(null)
  const list = shown.value
  useEffect(() => {
    const el = ref.current
    if (!el) return
    // Shown anew with every toast: what opened last is on top.
    if (el.matches(':popover-open')) el.hidePopover()
    if (list.length > 0) el.showPopover()
  }, [list])
  return (
    <div ref={ref} class="toasts" popover="manual" role="status">
      {list.map((s) => (
        <div key={s.id} class="toast" dir="auto">{s.text}</div>
      ))}
    </div>
  )
}
