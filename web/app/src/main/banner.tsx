import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from '../i18n'
import { client, connection } from '../state/client'
import { confirm } from '../ui/dialog'
import { Icon } from '../ui/icon'
import { attempt, toast } from '../ui/toast'

// A connection that comes back within this time is not worth a word.
const patience = 1500

/** Says above everything how the connection is, whenever it is not simply up. */
export function ConnectionBanner() {
  const c = connection.value
  // What the system says comes before a link is found to be dead.
  const offline = useOffline()
  const up = c.phase === 'online' && !offline
  const now = useClock(!up)
  const [hintClosed, setHintClosed] = useState(false)
  // Attempts and pauses take turns while there is no connection: the time without one is what counts.
  const downSince = useRef(0)
  if (up) downSince.current = 0
  else downSince.current ||= Date.now()
  const down = !up && now - downSince.current > patience
  const behind = c.problem?.code === 'KEY_AHEAD'
  const slow = up && c.transport !== undefined && c.transport !== 'websocket' && !hintClosed
  const seconds = c.phase === 'waiting' && c.retryAt ? Math.max(0, Math.ceil((c.retryAt - now) / 1000)) : 0
  const text = behind ? t('problem.KEY_AHEAD')
    : !down ? (slow ? t('fallback', { transport: c.transport ?? '' }) : '')
    : c.phase === 'waiting' && seconds > 0 ? t('waiting', { n: seconds })
    : c.phase === 'loggedout' ? t('loggedOutElsewhere')
    : offline || c.phase === 'offline' ? t('offline')
    : t('connecting')
  return (
    <div class="banner-place">
      {/* The words alone are announced: the counting seconds are not. */}
      <span class="visually-hidden" role="status">
        {down ? t(c.phase === 'connecting' && !offline ? 'connecting' : 'offline') : ''}
      </span>
      {text && (
        <div class={down || behind ? 'banner' : 'banner soft'} data-phase={c.phase}>
          <Icon name={down ? 'wifiOff' : 'info'} size={17} />
          <span class="cut">{text}</span>
          {down && c.phase !== 'connecting' && (
            <>
              <button type="button" class="banner-act" onClick={() => client().reconnectNow()}>{t('retryNow')}</button>
              <button type="button" class="banner-act" onClick={() => void report()}>{t('reportNetwork')}</button>
            </>
          )}
          {behind && (
            <button type="button" class="banner-act" onClick={() => void startOver()}>{t('startOver')}</button>
          )}
          {!down && !behind && (
            <button type="button" class="banner-act" onClick={() => setHintClosed(true)}>{t('close')}</button>
          )}
        </div>
      )}
    </div>
  )
}

/** Takes the server's word for what there is, although it may have lost something. */
async function startOver(): Promise<void> {
  if (await confirm({ title: t('startOver'), text: t('startOverText'), action: t('startOver'), danger: true })) await client().startOver()
}

async function report(): Promise<void> {
  const sent = await attempt(() => client().report())
  if (sent) toast(t('reported', { id: sent.requestId }))
}

/** Whether the system says that it has no network. */
function useOffline(): boolean {
  const [offline, setOffline] = useState(!navigator.onLine)
  useEffect(() => {
    const look = () => setOffline(!navigator.onLine)
    addEventListener('online', look)
    addEventListener('offline', look)
    return () => {
      removeEventListener('online', look)
      removeEventListener('offline', look)
    }
  }, [])
  return offline
}

/** The time, each second while it is wanted. */
function useClock(wanted: boolean): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    setNow(Date.now())
    if (!wanted) return
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [wanted])
  return now
}
