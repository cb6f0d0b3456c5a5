// Keeps the shell, so that the app opens without a network. Messages are the app's own business: nothing below /v1/ is
// touched.
const cacheName = 'hongyan-shell-1'
const shell = ['/', '/manifest.webmanifest', '/icon.svg', '/icon-192.png']
const assetsKept = 60 // old ones go when newer have come

self.addEventListener('install', (e) => {
  e.waitUntil(caches.open(cacheName).then((c) => c.addAll(shell.map((url) => new Request(url, { headers: { Accept: 'text/html,*/*' } })))).then(() => self.skipWaiting()))
})

self.addEventListener('activate', (e) => {
  e.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((n) => n.startsWith('hongyan-shell-') && n !== cacheName).map((n) => caches.delete(n))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('fetch', (e) => {
  const { request } = e
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin) return
  if (url.pathname.startsWith('/assets/')) e.respondWith(asset(request))
  else if (request.mode === 'navigate' || shell.includes(url.pathname)) e.respondWith(fresh(request))
})

self.addEventListener('notificationclick', (e) => {
  e.notification.close()
  const place = `/#/c/${encodeURIComponent(e.notification.tag)}`
  e.waitUntil(
    self.clients.matchAll({ type: 'window' }).then((open) => {
      const page = open[0]
      return page ? page.navigate(place).then((c) => c?.focus()) : self.clients.openWindow(place)
    }),
  )
})

/** A file whose name holds its hash never changes. */
async function asset(request) {
  const cache = await caches.open(cacheName)
  const kept = await cache.match(request)
  if (kept) return kept
  const answer = await fetch(request)
  if (answer.ok) {
    await cache.put(request, answer.clone())
    const old = (await cache.keys()).filter((k) => new URL(k.url).pathname.startsWith('/assets/'))
    await Promise.all(old.slice(0, Math.max(0, old.length - assetsKept)).map((k) => cache.delete(k)))
  }
  return answer
}

/** The newest there is, or what was kept. */
async function fresh(request) {
  const cache = await caches.open(cacheName)
  const key = request.mode === 'navigate' ? '/' : request
  try {
    const answer = await fetch(request)
    if (answer.ok) await cache.put(key, answer.clone())
    return answer
  } catch (e) {
    const kept = await cache.match(key, { ignoreVary: true })
    if (kept) return kept
    throw e
  }
}
