import type { Id } from '@hongyan/sdk'
import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { Avatar } from './avatar'
import { Button } from './button'
import { Dialog } from './dialog'
import { SearchField } from './field'
import { Icon } from './icon'
import { arrowKeys } from './list'

const shownAtMost = 200

interface PickerProps {
  title: string
  /** What the button says. */
  action: string
  choices: readonly { id: string; face: { id: Id; name: string; image: string } }[]
  /** Chosen and not to be changed. */
  fixed?: ReadonlySet<string>
  onChoose(ids: string[]): void
  onClose(): void
}

/** Chooses some of a list of people or conversations. */
export function Picker({ title, action, choices, fixed, onChoose, onClose }: PickerProps) {
  const [filter, setFilter] = useState('')
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const wanted = filter.trim().toLowerCase()
  const shown = choices.filter((c) => c.face.name.toLowerCase().includes(wanted)).slice(0, shownAtMost)
  const toggle = (id: string) => {
    const next = new Set(chosen)
    if (!next.delete(id)) next.add(id)
    setChosen(next)
  }
  return (
    <Dialog
      title={title}
      onClose={onClose}
      foot={
        <Button kind="primary" disabled={chosen.size === 0} onClick={() => onChoose([...chosen])}>
          {action}{chosen.size > 0 ? ` (${chosen.size})` : ''}
        </Button>
      }
    >
      <SearchField label={t('search')} value={filter} onValue={setFilter} />
      <div class="picker" role="group" aria-label={title} onKeyDown={arrowKeys('.row')}>
        {shown.map(({ id, face }) => (
          <button key={id} type="button" class="row" role="checkbox" disabled={fixed?.has(id)} aria-checked={chosen.has(id) || fixed?.has(id) || false} onClick={() => toggle(id)}>
            <Avatar id={face.id} name={face.name} image={face.image} size={36} />
            <bdi class="cut row-text">{face.name}</bdi>
            <span class="check-mark">{(chosen.has(id) || fixed?.has(id)) && <Icon name="check" size={16} />}</span>
          </button>
        ))}
        {shown.length === 0 && <p class="row-sub">{t('noResults')}</p>}
      </div>
    </Dialog>
  )
}
