import { useEffect, useMemo } from 'preact/hooks'
import { client } from '../state/client'

const pause = 400 // ms without a key

/** Keeps what is being written: when one pauses, not at every key, since each time the list of conversations is sorted anew. */
export class Draft {
  private text: string | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly conversation: string) {}

  /** Whether something is not kept yet. */
  get pending(): boolean {
    return this.text !== undefined
  }

  set(text: string): void {
    clearTimeout(this.timer)
    this.text = text
    this.timer = setTimeout(() => this.flush(), pause)
  }

  flush(): void {
    clearTimeout(this.timer)
    if (this.text !== undefined) client().setDraft(this.conversation, this.text)
    this.text = undefined
  }
}

/** The draft of a conversation, which is kept at the latest when the composer or the page goes. */
export function useDraft(conversation: string): Draft {
  const draft = useMemo(() => new Draft(conversation), [conversation])
  useEffect(() => {
    const flush = () => draft.flush()
    addEventListener('pagehide', flush)
    return () => {
      removeEventListener('pagehide', flush)
      flush()
    }
  }, [draft])
  return draft
}
