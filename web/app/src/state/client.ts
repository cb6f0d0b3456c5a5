// The one client of this page, and its state as signals: reading one in a component renders it again on change.
import { open, type Client, type Connection, type Events, type Me } from '@hongyan/sdk'
import { batch, signal, type Signal } from '@preact/signals'

let opened: Client | undefined

/** The client. It is open before anything is rendered. */
export function client(): Client {
  if (!opened) throw new Error('the client is not open yet')
  return opened
}

/** Who is logged in here; null: nobody. */
export const me = signal<Me | null>(null)

export const connection = signal<Connection>({ phase: 'connecting', since: Date.now(), catchingUp: false })

// Counters that say when to read again what the client has in memory.
const parts = {
  conversations: signal(0),
  contacts: signal(0),
  groups: signal(0),
  profiles: signal(0),
  settings: signal(0),
  devices: signal(0),
}

/** Makes whatever computes on it do so again when that part of the client's state changes. */
export function follow(part: keyof typeof parts): void {
  void parts[part].value
}

type Change = Events['change']

const changeListeners = new Set<(c: Change) => void>()

/** Calls f for every change of the local state, after the signals have been raised. */
export function onChange(f: (c: Change) => void): () => void {
  changeListeners.add(f)
  return () => changeListeners.delete(f)
}

function raise(s: Signal<number>): void {
  s.value = s.peek() + 1
}

function changed(c: Change): void {
  batch(() => {
    if (c.reset || c.conversations.size > 0 || c.outbox.size > 0) raise(parts.conversations)
    if (c.reset || c.contacts) raise(parts.contacts)
    if (c.reset || c.groups.size > 0) raise(parts.groups)
    if (c.reset || c.profiles.size > 0) raise(parts.profiles)
    if (c.reset || c.settings) raise(parts.settings)
    if (c.reset || c.devices) raise(parts.devices)
    me.value = client().me
  })
  for (const f of changeListeners) f(c)
}

/** Opens the client. Rejects if the browser keeps nothing for this site. */
export async function openClient(deviceName: string): Promise<Client> {
  const c = await open({ deviceName, deviceClass: 'WEB' })
  opened = c
  me.value = c.me
  connection.value = c.connection
  c.on('connection', (state) => (connection.value = state))
  c.on('session', (session) =>
    batch(() => {
      me.value = session
      for (const part of Object.values(parts)) raise(part)
    }),
  )
  c.on('change', changed)
  return c
}
