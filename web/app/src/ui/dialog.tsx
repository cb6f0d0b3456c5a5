import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { signal } from '@preact/signals'
import { t } from '../i18n'
import { Button, IconButton } from './button'

interface DialogProps {
  title: string
  onClose(): void
  children: ComponentChildren
  /** Buttons at the lower edge. */
  foot?: ComponentChildren
}

/** A modal window. The browser keeps the focus inside and gives it back; Esc and a press outside close it. */
export function Dialog({ title, onClose, children, foot }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const before = document.activeElement
    ref.current?.showModal()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      class="dialog"
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault()
        onClose()
      }}
      onMouseDown={(e) => {
        if (e.target === ref.current) onClose()
      }}
    >
      <div class="dialog-head">
        <h2 id={id} class="cut">{title}</h2>
        <IconButton icon="close" label={t('close')} onClick={onClose} />
      </div>
      <div class="dialog-body">{children}</div>
      {foot && <div class="dialog-foot">{foot}</div>}
    </dialog>
  )
}

interface Question {
  title: string
  text: string
  action: string
  danger: boolean
  answer(yes: boolean): void
}

const question = signal<Question | null>(null)

/** Asks before something that cannot be undone. */
export function confirm(q: { title: string; text: string; action: string; danger?: boolean }): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      ...q,
      danger: q.danger ?? false,
      answer(yes) {
        question.value = null
        resolve(yes)
      },
    }
  })
}

/** Shows the question of confirm; stands once in the app. */
export function Confirmation() {
  const q = question.value
  if (!q) return null
  return (
    <Dialog
      title={q.title}
      onClose={() => q.answer(false)}
      foot={
        <>
          <Button onClick={() => q.answer(false)}>{t('cancel')}</Button>
          <Button kind={q.danger ? 'danger' : 'primary'} onClick={() => q.answer(true)}>{q.action}</Button>
        </>
      }
    >
      <p>{q.text}</p>
    </Dialog>
  )
}
