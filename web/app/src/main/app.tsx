import { Login } from '../auth/login'
import { ConfirmLogin } from '../auth/confirm'
import { me } from '../state/client'
import { route } from '../state/route'
import { Confirmation } from '../ui/dialog'
import { MenuHost } from '../ui/menu'
import { Toasts } from '../ui/toast'
import { ConnectionBanner } from './banner'
import { Shell } from './shell'

/** Everything: the login while nobody is logged in, else the shell; and what stands above both. */
export function App() {
  return (
    <div class="app">
      {me.value ? (
        <>
          <ConnectionBanner />
          {route.value.page === 'login' ? <ConfirmLogin code={route.value.code} /> : <Shell />}
        </>
      ) : (
        <Login />
      )}
      <MenuHost />
      <Confirmation />
      <Toasts />
    </div>
  )
}
