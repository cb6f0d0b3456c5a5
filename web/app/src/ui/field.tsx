import type { ComponentChildren, InputHTMLAttributes, KeyboardEventHandler } from 'preact'
import { useId } from 'preact/hooks'
import { Icon } from './icon'

interface FieldProps {
  label: string
  value: string
  onValue(value: string): void
  hint?: ComponentChildren
  error?: string | undefined
  name?: string
  type?: 'password'
  autoComplete?: 'off' | 'username' | 'nickname' | 'current-password' | 'new-password'
  autoCapitalize?: 'none'
  spellcheck?: boolean
  maxLength?: number
  dir?: 'auto'
  autoFocus?: boolean
}

/** A labelled line of text. */
export function Field({ label, value, onValue, hint, error, ...rest }: FieldProps) {
  const id = useId()
  const described = error ? `${id}-error` : hint ? `${id}-hint` : undefined
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...(rest as InputHTMLAttributes<HTMLInputElement>)}
        id={id}
        class="input"
        value={value}
        aria-invalid={error ? true : undefined}
        aria-describedby={described}
        onInput={(e) => onValue(e.currentTarget.value)}
      />
      {error ? (
        <p class="field-error" id={`${id}-error`} role="alert">{error}</p>
      ) : (
        hint && <p class="field-hint" id={`${id}-hint`}>{hint}</p>
      )}
    </div>
  )
}

interface AreaProps {
  label: string
  value: string
  onValue(value: string): void
  maxLength?: number
  rows?: number
}

/** A labelled text of several lines. */
export function Area({ label, value, onValue, ...rest }: AreaProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea {...rest} id={id} class="input" dir="auto" value={value} onInput={(e) => onValue(e.currentTarget.value)} />
    </div>
  )
}

interface SearchFieldProps {
  label: string
  value: string
  onValue(value: string): void
  onKeyDown?: KeyboardEventHandler<HTMLInputElement>
  autoFocus?: boolean
}

export function SearchField({ label, value, onValue, onKeyDown, autoFocus }: SearchFieldProps) {
  return (
    <div class="search-field">
      <Icon name="search" size={17} />
      <input
        class="input"
        type="search"
        dir="auto"
        autocomplete="off"
        spellcheck={false}
        placeholder={label}
        aria-label={label}
        value={value}
        autoFocus={autoFocus}
        onInput={(e) => onValue(e.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
    </div>
  )
}

interface SwitchProps {
  checked: boolean
  onChange(checked: boolean): void
  label: string
  hint?: string
  disabled?: boolean
}

/** A setting that is on or off, with its words. */
export function Switch({ checked, onChange, label, hint, disabled }: SwitchProps) {
  const id = useId()
  return (
    <div class="setting">
      <div class="setting-text">
        <div id={id}>{label}</div>
        {hint && <div class="row-sub">{hint}</div>}
      </div>
      <button
        type="button"
        class="switch"
        role="switch"
        aria-checked={checked}
        aria-labelledby={id}
        disabled={disabled}
        onClick={() => onChange(!checked)}
      />
    </div>
  )
}

interface SelectProps<T extends string> {
  label: string
  value: T
  options: readonly (readonly [value: T, label: string])[]
  onChange(value: T): void
}

/** A setting with a few values, with its words. */
export function Select<T extends string>({ label, value, options, onChange }: SelectProps<T>) {
  const id = useId()
  return (
    <div class="setting">
      <label class="setting-text" for={id}>{label}</label>
      <select id={id} class="select" value={value} onChange={(e) => onChange(e.currentTarget.value as T)}>
        {options.map(([v, text]) => (
          <option key={v} value={v} selected={v === value}>{text}</option>
        ))}
      </select>
    </div>
  )
}
