import { useState } from 'preact/hooks'
import './settings.css'
import { chosenLanguage, t } from '../i18n'
import { turnOnNotifications } from '../main/notify'
import { client } from '../state/client'
import { enterToSend, notificationsOn, theme } from '../state/preferences'
import { confirm } from '../ui/dialog'
import { Select, Switch } from '../ui/field'
import { Section } from '../ui/list'
import { attempt, toast } from '../ui/toast'
import { DeviceList } from './devices'
import { PasswordDialog } from './password'
import { ProfileForm } from './profile'

/** What a person sets, and who they are here. */
export function SettingsPane() {
  const [password, setPassword] = useState(false)
  return (
    <main class="pane settings">
      <header class="pane-head"><h1>{t('settings')}</h1></header>
      <div class="pane-body">
        <div class="settings-column">
          <ProfileForm />
          <Section title={t('appearance')}>
            <Select label={t('language')} value={chosenLanguage.value} onChange={(v) => (chosenLanguage.value = v)}
              options={[['auto', t('languageAuto')], ['en', 'English'], ['zh', '中文']]} />
            <Select label={t('theme')} value={theme.value} onChange={(v) => (theme.value = v)}
              options={[['auto', t('themeAuto')], ['light', t('themeLight')], ['dark', t('themeDark')]]} />
          </Section>
          <Section title={t('notifications')}>
            <Notifications />
          </Section>
          <Section title={t('writing')}>
            <Switch label={t('enterToSend')} hint={enterToSend.value ? t('enterToSendHint') : t('ctrlEnterToSend')}
              checked={enterToSend.value} onChange={(v) => (enterToSend.value = v)} />
          </Section>
          <Section title={t('devices')}>
            <DeviceList />
          </Section>
          <Section title={t('account')}>
            <button type="button" class="row act" onClick={() => setPassword(true)}>{t('changePassword')}</button>
            <button type="button" class="row act danger" onClick={() => void logout()}>{t('logout')}</button>
          </Section>
          <Keys />
        </div>
      </div>
      {password && <PasswordDialog onClose={() => setPassword(false)} />}
    </main>
  )
}

function Notifications() {
  const denied = 'Notification' in window && Notification.permission === 'denied'
  const turn = async (on: boolean) => {
    if (!on) notificationsOn.value = false
    else if (!(await turnOnNotifications())) toast(t('notificationsBlocked'))
  }
  return (
    <Switch label={t('notifications')} hint={denied ? t('notificationsBlocked') : t('notificationsHint')}
      checked={notificationsOn.value && !denied} disabled={denied || !('Notification' in window)} onChange={(on) => void turn(on)} />
  )
}

function Keys() {
  const keys = [['Ctrl K', t('keySearch')], ['Alt ↑ ↓', t('keyNextChat')], ['↑ ↓ ⏎', t('keyReply')], ['Esc', t('keyClose')]] as const
  return (
    <div class="wide-only">
      <Section title={t('keyboard')}>
        <dl class="keys">
          {keys.map(([key, what]) => (
            <div key={key}>
              <dt>{what}</dt>
              <dd><kbd>{key}</kbd></dd>
            </div>
          ))}
        </dl>
      </Section>
    </div>
  )
}

async function logout(): Promise<void> {
  let unsent = 0
  for (const c of client().conversations.values()) unsent += c.sending + c.failed
  const text = unsent > 0 ? `${t('logoutUnsent', { n: unsent })} ${t('logoutText')}` : t('logoutText')
  if (await confirm({ title: t('logout'), text, action: t('logout'), danger: true })) await attempt(() => client().logout())
}
