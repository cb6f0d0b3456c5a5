import { useEffect, useMemo } from 'preact/hooks'
import { client } from '../state/client'

const pause = 400 // ms without a key

/**
 * Keeps what is being written: when one pauses, not at every key, since each time the list of conversations is sorted anew.
 * Until then the tab's own storage has it, which is written before a page can go: nothing else is sure to be.
 */
export class Draft {
  private text: string | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly conversation: string) {}

  /** What the page before this one could not keep any more. */
  recovered(): string | undefined {
    const text = sessionStorage.getItem(this.key)
    if (text === null) return undefined
    this.set(text)
    return text
  }

  private get key(): string {
    return `draft ${this.conversation}`
  }

  /** Whether something is not kept yet. */
  get pending(): boolean {
    return this.text !== undefined
  }

  set(text: string): void {
    clearTimeout(this.timer)
    this.text = text
    sessionStorage.setItem(this.key, text)
    this.timer = setTimeout(() => this.flush(), pause)
  }

  flush(): void {
    clearTimeout(this.timer)
    if (this.text === undefined) return
    client().setDraft(this.conversation, this.text)
    this.text = undefined
    sessionStorage.removeItem(this.key)
  }
}

/** The draft of a conversation, which is kept at the latest when the composer goes. */
export function useDraft(conversation: string): Draft {
  const draft = useMemo(() => new Draft(conversation), [conversation])
  useEffect(() => () => draft.flush(), [draft])
  return draft
}
