import type { ComponentChildren, KeyboardEventHandler } from 'preact'
import { Icon, type IconName } from './icon'

/** Moves the focus among the elements of a list that match selector: a key handler for the list. */
export function arrowKeys(selector: string): KeyboardEventHandler<HTMLElement> {
  return (e) => {
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : e.key === 'Home' ? -Infinity : e.key === 'End' ? Infinity : 0
    if (step === 0 || e.altKey || e.ctrlKey || e.metaKey) return
    const items = [...e.currentTarget.querySelectorAll<HTMLElement>(selector)]
    const at = items.findIndex((el) => el.contains(document.activeElement))
    if (at < 0) return
    e.preventDefault()
    items[Math.max(0, Math.min(items.length - 1, at + step))]?.focus()
  }
}

/** A list of rows that arrow keys walk through. The rows are links or buttons with the class "row". */
export function List({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <ul aria-label={label} onKeyDown={arrowKeys('.row')}>
      {children}
    </ul>
  )
}

interface EmptyProps {
  icon: IconName
  title: string
  text?: string
  children?: ComponentChildren
}

/** What stands where nothing is yet, and what to do about it. */
export function Empty({ icon, title, text, children }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      {text && <p>{text}</p>}
      {children}
    </div>
  )
}

/** A number that asks for attention. */
export function Badge({ count, quiet, label }: { count: number; quiet?: boolean; label: string }) {
  if (count === 0) return null
  return (
    <span class={quiet ? 'badge quiet' : 'badge'}>
      <span aria-hidden="true">{count > 99 ? '99+' : count}</span>
      <span class="visually-hidden">{label}</span>
    </span>
  )
}

export function Section({ title, children }: { title?: string; children: ComponentChildren }) {
  return (
    <section class="section">
      {title && <h2 class="section-title">{title}</h2>}
      {children}
    </section>
  )
}
