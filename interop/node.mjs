// Drives the echo at the URL given with npm's ws and undici, and ends with status 0 if all is well.
import assert from 'node:assert/strict'
import { WebSocket as WS } from 'ws'
import { WebSocket as Undici } from 'undici'

const url = process.argv[2]
const sizes = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20]
const text = (n) => '雁 the wild goose carries letters; '.repeat(n / 30 + 1).slice(0, n)
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => i * 7)

// queue turns events into promises, in order.
function queue() {
  const ready = [], waiting = []
  return {
    put(v) { waiting.length ? waiting.shift()(v) : ready.push(v) },
    take() { return ready.length ? Promise.resolve(ready.shift()) : new Promise((f) => waiting.push(f)) },
  }
}

async function ws(options) {
  const c = new WS(url, 'echo', options)
  const got = queue()
  c.on('message', (data, binary) => got.put({ data, binary }))
  c.on('error', (e) => got.put({ error: e }))
  await new Promise((f) => c.on('open', f))
  assert.equal(c.protocol, 'echo')
  assert.equal(c.extensions.startsWith('permessage-deflate'), options.perMessageDeflate !== false)
  for (const n of sizes) {
    c.send(text(n))
    let m = await got.take()
    assert.ok(!m.error && !m.binary, String(m.error))
    assert.equal(m.data.toString(), text(n))
    // As three fragments, compressed or not.
    const b = bytes(n)
    c.send(b.subarray(0, n / 3), { binary: true, fin: false })
    c.ping('between')
    c.send(b.subarray(n / 3, n / 2), { binary: true, fin: false })
    c.send(b.subarray(n / 2), { binary: true })
    m = await got.take()
    assert.ok(!m.error && m.binary, String(m.error))
    assert.ok(Buffer.from(b).equals(m.data), `${n} bytes`)
  }
  const pong = new Promise((f) => c.on('pong', f))
  c.pong('alone')
  c.ping('there?')
  // Pongs of the pings between fragments may come first.
  let last = (await pong).toString()
  assert.ok(last === 'there?' || last === 'between')
  const closed = new Promise((f) => c.on('close', (code) => f(code)))
  c.close(4002, 'bye')
  assert.equal(await closed, 4002)
}

// bad sends what no client may, and returns the code of the Close that comes.
function bad(send) {
  const c = new WS(url, { perMessageDeflate: false })
  return new Promise((f) => {
    c.on('open', () => send(c))
    c.on('error', () => {})
    c.on('close', (code) => f(code))
  })
}

async function undici() {
  const c = new Undici(url, ['echo'])
  c.binaryType = 'arraybuffer'
  const got = queue()
  c.addEventListener('message', (e) => got.put(e.data))
  c.addEventListener('error', () => got.put(new Error('error event')))
  await new Promise((f) => c.addEventListener('open', f))
  assert.equal(c.protocol, 'echo')
  for (const n of sizes) {
    c.send(text(n))
    assert.equal(await got.take(), text(n))
    c.send(bytes(n))
    assert.deepEqual(new Uint8Array(await got.take()), bytes(n))
  }
  const closed = new Promise((f) => c.addEventListener('close', f))
  c.close(4003, 'bye')
  const end = await closed
  assert.deepEqual([end.code, end.wasClean], [4003, true])
}

await ws({ perMessageDeflate: false })
await ws({ perMessageDeflate: { threshold: 0 } })
await ws({ perMessageDeflate: { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true } })
await ws({ perMessageDeflate: { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 10 } })
assert.equal(await bad((c) => c._socket.write(Buffer.from([0x81, 0x01, 0x78]))), 1002) // no mask
assert.equal(await bad((c) => c.send(Buffer.from([0xff]), { binary: false })), 1007)
await undici()
