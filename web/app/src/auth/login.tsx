import { useState } from 'preact/hooks'
import './auth.css'
import { t } from '../i18n'
import { client, connection } from '../state/client'
import { isCode, messageOf } from '../state/problem'
import { route } from '../state/route'
import { Button } from '../ui/button'
import { Field } from '../ui/field'
import { LoginCode } from './code'
import { Logo } from './logo'

type Way = 'login' | 'register' | 'code'

const namePattern = /^[a-z0-9]([a-z0-9._-]{0,30}[a-z0-9])$/i
const shortestPassword = 8

/** What somebody sees who is not logged in. */
export function Login() {
  const [way, setWay] = useState<Way>('login')
  return (
    <main class="auth">
      <div class="auth-card">
        <Logo />
        <h1>{t('welcome')}</h1>
        <p class="auth-sub">{route.value.page === 'login' ? t('confirmLoginFirst') : t('tagline')}</p>
        {connection.value.phase === 'loggedout' && connection.value.problem && (
          <p class="auth-ended" role="alert">{t('loggedOutElsewhere')}</p>
        )}
        {way === 'code' ? <LoginCode /> : <PasswordForm key={way} registering={way === 'register'} />}
        <div class="auth-other">
          {way === 'login' && <Button wide icon="qr" onClick={() => setWay('code')}>{t('loginByCode')}</Button>}
          {way === 'code' && <Button wide onClick={() => setWay('login')}>{t('loginByPassword')}</Button>}
          <p>
            {way === 'register' ? t('haveAccount') : t('noAccount')}{' '}
            <button type="button" class="link" onClick={() => setWay(way === 'register' ? 'login' : 'register')}>
              {way === 'register' ? t('login') : t('register')}
            </button>
          </p>
        </div>
      </div>
    </main>
  )
}

type FieldName = 'name' | 'password' | 'invitation'

function PasswordForm({ registering }: { registering: boolean }) {
  const [name, setName] = useState('')
  const [displayName, setDisplayName] = useState('')
  const [password, setPassword] = useState('')
  const [invitation, setInvitation] = useState('')
  const [invited, setInvited] = useState(false)
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<Partial<Record<FieldName | 'all', string>>>({})

  const check = (): typeof wrong => {
    const found: typeof wrong = {}
    if (!name.trim()) found.name = t('fieldNeeded')
    else if (registering && !namePattern.test(name.trim())) found.name = t('nameInvalid')
    if (!password) found.password = t('fieldNeeded')
    else if (registering && [...password].length < shortestPassword) found.password = t('passwordShort')
    return found
  }

  const submit = async (e: Event) => {
    e.preventDefault()
    if (busy) return
    const found = check()
    setWrong(found)
    if (Object.keys(found).length > 0) {
      const form = e.currentTarget as HTMLFormElement
      form.querySelector<HTMLElement>(`[name=${Object.keys(found)[0]}]`)?.focus()
      return
    }
    setBusy(true)
    try {
      const account = { name: name.trim().toLowerCase(), password }
      if (registering) {
        await client().register({ ...account, displayName: displayName.trim() || name.trim(), ...(invitation.trim() ? { invitation: invitation.trim() } : {}) })
      } else {
        await client().login(account)
      }
    } catch (problem) {
      setBusy(false)
      if (isCode(problem, 'EXISTS')) setWrong({ name: messageOf(problem) })
      else if (isCode(problem, 'REGISTRATION_CLOSED')) {
        setInvited(true)
        setWrong({ invitation: messageOf(problem) })
      } else setWrong({ all: messageOf(problem) })
    }
  }

  return (
    <form class="auth-form" onSubmit={(e) => void submit(e)} noValidate>
      <Field label={t('name')} name="name" value={name} onValue={setName} autoComplete="username" autoCapitalize="none"
        spellcheck={false} maxLength={32} autoFocus hint={registering ? t('nameHint') : undefined} error={wrong.name} />
      {registering && (
        <Field label={`${t('displayName')} (${t('optional')})`} name="displayName" value={displayName} onValue={setDisplayName}
          autoComplete="nickname" maxLength={64} dir="auto" hint={t('displayNameHint')} />
      )}
      <Field label={t('password')} name="password" type="password" value={password} onValue={setPassword}
        autoComplete={registering ? 'new-password' : 'current-password'} hint={registering ? t('passwordHint') : undefined}
        error={wrong.password} />
      {registering && invited && (
        <Field label={t('invitation')} name="invitation" value={invitation} onValue={setInvitation} autoComplete="off"
          spellcheck={false} error={wrong.invitation} />
      )}
      {wrong.all && <p class="field-error" role="alert">{wrong.all}</p>}
      <Button type="submit" kind="primary" wide busy={busy}>{registering ? t('registerAct') : t('login')}</Button>
    </form>
  )
}
