import { t } from '../i18n'
import { chosenLanguage } from '../i18n'
import { turnOnNotifications } from '../main/notify'
import { client, follow, me } from '../state/client'
import { enterToSend, notificationsOn, theme } from '../state/preferences'
import { Button } from '../ui/button'
import { confirm } from '../ui/dialog'
import { Select, Switch } from '../ui/field'
import { Section } from '../ui/list'
import { attempt } from '../ui/toast'
import './settings.css'

/** What a person sets, and who they are here. */
export function SettingsPane({ section: _section }: { section: string | undefined }) {
  follow('conversations')
  const unsent = [...client().conversations.values()].reduce((n, c) => n + c.sending + c.failed, 0)
  const logout = async () => {
    const text = unsent > 0 ? `${t('logoutUnsent', { n: unsent })} ${t('logoutText')}` : t('logoutText')
    if (await confirm({ title: t('logout'), text, action: t('logout'), danger: true })) await attempt(() => client().logout())
  }
  return (
    <main class="pane settings">
      <header class="pane-head"><h1>{t('settings')}</h1></header>
      <div class="pane-body">
        <div class="settings-column">
          <Section title={t('appearance')}>
            <Select label={t('language')} value={chosenLanguage.value} onChange={(v) => (chosenLanguage.value = v)}
              options={[['auto', t('languageAuto')], ['en', 'English'], ['zh', '中文']]} />
            <Select label={t('theme')} value={theme.value} onChange={(v) => (theme.value = v)}
              options={[['auto', t('themeAuto')], ['light', t('themeLight')], ['dark', t('themeDark')]]} />
          </Section>
          <Section title={t('writing')}>
            <Switch label={t('enterToSend')} hint={enterToSend.value ? t('enterToSendHint') : t('ctrlEnterToSend')}
              checked={enterToSend.value} onChange={(v) => (enterToSend.value = v)} />
          </Section>
          <Section title={t('notifications')}>
            <Switch label={t('notifications')} hint={t('notificationsHint')} checked={notificationsOn.value}
              onChange={(on) => (on ? void turnOnNotifications() : (notificationsOn.value = false))} />
          </Section>
          <Section title={t('account')}>
            <div class="setting">
              <bdi class="setting-text cut">@{me.value?.name}</bdi>
              <Button kind="danger" icon="logout" onClick={() => void logout()}>{t('logout')}</Button>
            </div>
          </Section>
        </div>
      </div>
    </main>
  )
}
