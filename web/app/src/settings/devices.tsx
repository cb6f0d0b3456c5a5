import type { Device } from '@hongyan/sdk'
import { isKey, t } from '../i18n'
import { fullTime } from '../i18n/time'
import { client, follow, me } from '../state/client'
import { Button } from '../ui/button'
import { confirm } from '../ui/dialog'
import { Icon } from '../ui/icon'
import { attempt } from '../ui/toast'

/** The devices of the account, this one first. */
export function DeviceList() {
  follow('devices')
  const own = me.value?.device
  const devices = [...client().devices].sort((a, b) => Number(b.id === own) - Number(a.id === own) || b.lastSeenMs - a.lastSeenMs)
  const end = async (d: Device) => {
    if (await confirm({ title: t('logoutDevice'), text: t('logoutDeviceText', { name: nameOfDevice(d) }), action: t('logoutDevice'), danger: true })) {
      await attempt(() => client().kick(d.id))
    }
  }
  return (
    <ul>
      {devices.map((d) => (
        <li key={d.id} class="setting">
          <Icon name={d.class === 'PHONE' || d.class === 'TABLET' ? 'phone' : 'device'} size={24} />
          <span class="row-text">
            <bdi class="cut">{nameOfDevice(d)}</bdi>
            <span class="row-sub">{d.id === own ? t('thisDevice') : t('lastSeen', { time: fullTime(d.lastSeenMs || d.createdMs) })}</span>
          </span>
          {d.id !== own && <Button kind="danger" aria-label={`${t('logoutDevice')}: ${nameOfDevice(d)}`} onClick={() => void end(d)}>{t('logoutDevice')}</Button>}
        </li>
      ))}
    </ul>
  )
}

function nameOfDevice(d: Device): string {
  const key = `class.${d.class}`
  const kind = isKey(key) ? t(key) : ''
  return d.name && kind ? `${d.name} (${kind})` : d.name || kind
}
