import { defineConfig } from 'vite'

// The server to develop against; the built app talks to the host that serves it.
const server = process.env.HONGYAN_URL ?? 'http://127.0.0.1:7878'

export default defineConfig({
  base: '/',
  resolve: { conditions: ['source', 'module', 'browser', 'default'] },
  build: {
    target: 'es2022',
    // A data: URL in a style sheet would need its own allowance in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': { target: server, ws: true } } },
})
