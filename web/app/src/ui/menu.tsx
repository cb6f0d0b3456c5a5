import { useLayoutEffect, useRef } from 'preact/hooks'
import { signal } from '@preact/signals'
import { Icon, type IconName } from './icon'

/** One line of a menu; null is a line between groups. */
export type MenuItem = { label: string; icon?: IconName; danger?: boolean; act(): void } | null

interface OpenMenu {
  items: MenuItem[]
  /** The element that opened it, or a point in the window. */
  at: HTMLElement | { x: number; y: number }
  label: string
}

const open = signal<OpenMenu | null>(null)

/** Opens a menu at an element or a point. Arrow keys move, Esc closes, the focus returns where it was. */
export function showMenu(label: string, at: OpenMenu['at'], items: MenuItem[]): void {
  open.value = { items, at, label }
}

const margin = 8

/** Shows the menu of showMenu; stands once in the app. */
export function MenuHost() {
  const menu = open.value
  const ref = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const el = ref.current
    if (!menu || !el) return
    const before = document.activeElement
    el.showPopover()
    place(el, menu.at)
    el.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    const toggled = (e: Event) => {
      if ((e as ToggleEvent).newState === 'closed') open.value = null
    }
    el.addEventListener('toggle', toggled)
    return () => {
      el.removeEventListener('toggle', toggled)
      if (before instanceof HTMLElement && (el.contains(document.activeElement) || document.activeElement === document.body)) {
        before.focus()
      }
    }
  }, [menu])
  if (!menu) return null
  return (
    <section aria-label={menu.label}>
      <div ref={ref} class="menu" popover="auto" role="menu" aria-label={menu.label} onKeyDown={(e) => move(e, e.currentTarget)}>
        {menu.items.map((item, i) =>
          item === null ? (
            <div key={i} class="menu-line" role="separator" />
          ) : (
            <button
              key={i}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.danger ? 'menu-item danger' : 'menu-item'}
              onClick={() => {
                open.value = null
                item.act()
              }}
            >
              {item.icon && <Icon name={item.icon} size={18} />}
              {item.label}
            </button>
          ),
        )}
      </div>
    </section>
  )
}

function place(el: HTMLElement, at: OpenMenu['at']): void {
  const box = el.getBoundingClientRect()
  const anchor =
    at instanceof HTMLElement ? at.getBoundingClientRect() : { left: at.x, right: at.x, top: at.y, bottom: at.y }
  let left = at instanceof HTMLElement && anchor.right - box.width > margin ? anchor.right - box.width : anchor.left
  let top = anchor.bottom + 4
  if (top + box.height > innerHeight - margin) top = anchor.top - box.height - 4
  left = Math.max(margin, Math.min(left, innerWidth - box.width - margin))
  top = Math.max(margin, Math.min(top, innerHeight - box.height - margin))
  el.style.left = `${left}px`
  el.style.top = `${top}px`
}

function move(e: KeyboardEvent, menu: HTMLElement): void {
  const items = [...menu.querySelectorAll<HTMLElement>('[role=menuitem]')]
  const at = items.indexOf(document.activeElement as HTMLElement)
  const to =
    e.key === 'ArrowDown' ? at + 1
    : e.key === 'ArrowUp' ? at - 1
    : e.key === 'Home' ? 0
    : e.key === 'End' ? items.length - 1
    : undefined
  if (e.key === 'Tab') {
    e.preventDefault()
    open.value = null
  }
  if (e.key === 'Escape') {
    // The Esc that closes the menu closes nothing else.
    e.preventDefault()
    e.stopPropagation()
    open.value = null
  }
  if (to === undefined) return
  e.preventDefault()
  items[(to + items.length) % items.length]?.focus()
}
