//go:build linux

package interop

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"
)

// script runs a program with the URL of the echo for its last argument.
func script(name string, args ...string) func(*testing.T, string) {
	return func(t *testing.T, url string) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*hang)
		defer cancel()
		out, err := exec.CommandContext(ctx, name, append(args, url)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

func TestNode(t *testing.T) { everywhere(t, script("node", "node.mjs")) }

// The system's Python is meant, which has Debian's packages.
func TestPython(t *testing.T) { everywhere(t, script("/usr/bin/python3", "python.py")) }

// page has a browser talk to the echo at %s and tell this test what came of it.
const page = `<!doctype html><meta charset="utf-8"><script>
const sizes = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20]
const text = (n) => '雁 the wild goose carries letters; '.repeat(n / 30 + 1).slice(0, n)
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => i * 7)
const check = (ok, what) => { if (!ok) throw new Error(what) }

async function run() {
  const c = new WebSocket('%s', ['other', 'echo'])
  c.binaryType = 'arraybuffer'
  const next = () => new Promise((done, failed) => {
    c.onmessage = (e) => done(e.data)
    c.onclose = (e) => failed(new Error('closed with ' + e.code))
  })
  await new Promise((done, failed) => { c.onopen = done; c.onerror = () => failed(new Error('not opened')) })
  check(c.protocol === 'echo', 'protocol ' + c.protocol)
  check(c.extensions.startsWith('permessage-deflate'), 'extensions ' + c.extensions)
  for (const n of sizes) {
    let got = next()
    c.send(text(n))
    check(await got === text(n), 'text of ' + n)
    got = next()
    c.send(bytes(n))
    const back = new Uint8Array(await got)
    check(back.length === n && back.every((b, i) => b === (i * 7) %% 256), 'bytes of ' + n)
  }
  const closed = new Promise((done) => { c.onclose = done })
  c.close(4005, 'bye')
  const end = await closed
  check(end.code === 4005 && end.wasClean, 'closed with ' + end.code + ', clean: ' + end.wasClean)
}
run().then(() => 'ok', String).then((said) => fetch('/said', { method: 'POST', body: said }))
</script>`

func TestChromium(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		said := make(chan string, 1)
		pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == "POST":
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				said <- string(body)
			case r.URL.Path == "/":
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprintf(w, page, url)
			default:
				http.NotFound(w, r)
			}
		}))
		defer pages.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		browser := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", pages.URL)
		browser.Cancel = func() error { return browser.Process.Signal(os.Interrupt) }
		browser.WaitDelay = 5 * time.Second
		ended := make(chan error, 1)
		go func() { ended <- browser.Run() }()
		select {
		case got := <-said:
			if got != "ok" {
				t.Error(got)
			}
		case err := <-ended:
			t.Fatalf("the browser has ended: %v", err)
		case <-time.After(2 * hang):
			t.Error("the browser says nothing")
		}
		cancel()
		<-ended
	})
}
