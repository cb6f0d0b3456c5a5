import type { Group, GroupPolicy } from '@hongyan/sdk'
import { t } from '../i18n'
import { client } from '../state/client'
import { Select, Switch } from '../ui/field'
import { Section } from '../ui/list'

const policies = ['INVITATION', 'APPROVAL', 'LINK'] as const

/** Who comes in, and who may write: for the owner and admins. */
export function GroupRules({ group: g, run }: { group: Group; run(act: () => Promise<unknown>): Promise<void> }) {
  return (
    <Section>
      <Select<GroupPolicy>
        label={t('policy')}
        value={g.policy}
        options={policies.map((p) => [p, t(`policy${p}`)] as const)}
        onChange={(policy) => void run(() => client().setGroup(g.id, { policy }))}
      />
      <Switch label={t('muteAll')} checked={g.mutedAll} onChange={(mutedAll) => void run(() => client().setGroup(g.id, { mutedAll }))} />
    </Section>
  )
}
