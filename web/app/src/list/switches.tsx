import type { ConversationState } from '@hongyan/sdk'
import { t } from '../i18n'
import { client } from '../state/client'
import { Switch } from '../ui/field'
import { attempt } from '../ui/toast'

/** What one sets for a conversation. */
export function ConversationSwitches({ conversation: c }: { conversation: ConversationState }) {
  const set = (p: { pinned?: boolean; muted?: boolean }) => void attempt(() => client().setConversation(c.id, p))
  return (
    <>
      <Switch label={t('pin')} checked={c.pinned} onChange={(pinned) => set({ pinned })} />
      <Switch label={t('muteConversation')} checked={c.muted} onChange={(muted) => set({ muted })} />
    </>
  )
}
