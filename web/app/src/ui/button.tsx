import type { ButtonHTMLAttributes, ComponentChildren } from 'preact'
import { Icon, type IconName } from './icon'

type ButtonAttributes = ButtonHTMLAttributes<HTMLButtonElement>

interface ButtonProps extends Omit<ButtonAttributes, 'icon'> {
  kind?: 'primary' | 'danger' | 'plain'
  wide?: boolean
  /** Shows a spinner and takes no presses. */
  busy?: boolean
  icon?: IconName
  type?: 'button' | 'submit'
  children: ComponentChildren
}

export function Button({ kind, wide, busy, icon, type = 'button', children, ...rest }: ButtonProps) {
  const classes = ['button', kind, wide && 'wide', busy && 'busy'].filter(Boolean).join(' ')
  return (
    <button {...rest} type={type} class={classes} aria-busy={busy || undefined}>
      {busy ? <span class="spinner" /> : icon && <Icon name={icon} size={18} />}
      {children}
    </button>
  )
}

interface IconButtonProps extends ButtonAttributes {
  icon: IconName
  /** What it does: the accessible name and the tooltip. */
  label: string
  size?: number
}

export function IconButton({ icon, label, size = 20, children, class: extra, ...rest }: IconButtonProps) {
  return (
    <button {...rest} type="button" class={extra ? `icon-button ${extra}` : 'icon-button'} aria-label={label} title={label}>
      <Icon name={icon} size={size} />
      {children}
    </button>
  )
}
