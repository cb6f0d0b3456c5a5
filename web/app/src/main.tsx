import './styles/tokens.css'
import './styles/base.css'
import './ui/ui.css'
import './main/main.css'
import { render } from 'preact'
import { App } from './main/app'
import { startNotifications } from './main/notify'
import { openClient } from './state/client'
import { messageOf } from './state/problem'
import { startPreferences } from './state/preferences'
import { startTyping } from './state/typing'
import { deviceName } from './state/device'

async function start(root: HTMLElement): Promise<void> {
  startPreferences()
  try {
    await openClient(deviceName())
  } catch (e) {
    root.textContent = messageOf(e)
    return
  }
  startNotifications()
  startTyping()
  render(<App />, root)
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    void navigator.serviceWorker.register('/sw.js').catch(() => {
      // Without it the app works, but for opening it offline.
    })
  }
}

void start(document.getElementById('app')!)
