import type { Device } from '@hongyan/sdk'
import { useEffect, useState } from 'preact/hooks'
import './auth.css'
import { isKey, t } from '../i18n'
import { fullTime } from '../i18n/time'
import { client } from '../state/client'
import { messageOf } from '../state/problem'
import { go } from '../state/route'
import { Button } from '../ui/button'
import { Icon } from '../ui/icon'
import { Logo } from './logo'

interface Asking {
  device: Device
  address: string
  askedMs: number
}

/** Asks the person whether the device that shows this code may log in. */
export function ConfirmLogin({ code }: { code: string }) {
  const [asking, setAsking] = useState<Asking>()
  const [outcome, setOutcome] = useState<string>()
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    client().readLogin(code).then(setAsking, (e: unknown) => setOutcome(messageOf(e)))
  }, [code])

  const answer = async (accept: boolean) => {
    setBusy(true)
    try {
      await client().answerLogin(code, accept)
      setOutcome(accept ? t('confirmLoginDone') : t('confirmLoginDenied'))
    } catch (e) {
      setOutcome(messageOf(e))
    }
    setBusy(false)
  }

  const kind = `class.${asking?.device.class ?? ''}`
  return (
    <main class="auth">
      <div class="auth-card">
        <Logo />
        <h1>{t('confirmLogin')}</h1>
        {outcome ? (
          <>
            <p class="auth-sub" role="status">{outcome}</p>
            <Button kind="primary" wide onClick={() => go({ page: 'chats' }, true)}>{t('done')}</Button>
          </>
        ) : (
          <>
            <p class="auth-sub">{t('confirmLoginText')}</p>
            {asking && (
              <div class="auth-device">
                <Icon name="device" size={28} />
                <div class="row-text">
                  <bdi class="cut">{asking.device.name || (isKey(kind) ? t(kind) : '')}</bdi>
                  <span class="row-sub cut">{isKey(kind) ? t(kind) : ''} · {t('from')} {asking.address}</span>
                  <span class="row-sub">{t('asked')}: {fullTime(asking.askedMs)}</span>
                </div>
              </div>
            )}
            <div class="auth-answer">
              <Button wide disabled={!asking || busy} onClick={() => void answer(false)}>{t('confirmLoginDeny')}</Button>
              <Button wide kind="primary" disabled={!asking} busy={busy} onClick={() => void answer(true)}>{t('confirmLoginAllow')}</Button>
            </div>
          </>
        )}
      </div>
    </main>
  )
}
