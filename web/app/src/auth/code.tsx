import type { ComponentType } from 'preact'
import type { Profile } from '@hongyan/sdk'
import { useEffect, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client } from '../state/client'
import { messageOf } from '../state/problem'
import { Button } from '../ui/button'
import type { QRCode } from './qr'

type Step =
  | { name: 'asking' }
  | { name: 'shown'; url: string; scanned: boolean; by?: Profile }
  | { name: 'over'; why: string }

/** A login that another device confirms: shows the code until it is used, has expired or was refused. */
export function LoginCode() {
  const [step, setStep] = useState<Step>({ name: 'asking' })
  const [round, setRound] = useState(0)
  const Code = useQRCode()

  useEffect(() => {
    const abort = new AbortController()
    let url = ''
    const begin = async () => {
      const login = await client().loginByCode({
        signal: abort.signal,
        onState: ({ state, profile }) => {
          if (state === 'scanned') setStep({ name: 'shown', url, scanned: true, ...(profile ? { by: profile } : {}) })
        },
      })
      url = new URL(login.url, location.origin).href
      setStep({ name: 'shown', url, scanned: false })
      await login.done
    }
    setStep({ name: 'asking' })
    begin().catch((e: unknown) => {
      if (!abort.signal.aborted) setStep({ name: 'over', why: messageOf(e) })
    })
    return () => abort.abort()
  }, [round])

  return (
    <div class="auth-code">
      <div class="auth-code-image">
        {step.name === 'shown' && Code ? <Code text={step.url} label={t('codeImage')} /> : step.name !== 'over' && <span class="spinner" />}
        {step.name === 'over' && <Button icon="refresh" onClick={() => setRound(round + 1)}>{t('newCode')}</Button>}
      </div>
      <p role="status">
        {step.name === 'over' ? step.why
          : step.name === 'shown' && step.scanned
            ? step.by ? t('codeScannedBy', { name: step.by.displayName || step.by.name }) : t('codeScanned')
          : t('codeSteps')}
      </p>
    </div>
  )
}

/** The drawing of codes, which only this page needs. */
function useQRCode(): ComponentType<Parameters<typeof QRCode>[0]> | undefined {
  const [loaded, setLoaded] = useState<{ QRCode: ComponentType<Parameters<typeof QRCode>[0]> }>()
  useEffect(() => {
    void import('./qr').then(setLoaded)
  }, [])
  return loaded?.QRCode
}
