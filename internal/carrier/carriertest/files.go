//go:build unix

package carriertest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// open writes content to a file and opens it.
func openFile(t *testing.T, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantBytes reads what is no item.
func (c *client) wantBytes(want []byte) {
	c.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		c.t.Fatalf("%d bytes came that differ from the %d wanted: %v", n, len(want), err)
	}
}

// wantClosedFile waits until the carrier has closed f.
func wantClosedFile(t *testing.T, f *os.File) {
	t.Helper()
	eventually(t, "the file was closed", func() bool {
		_, err := f.Stat()
		return errors.Is(err, fs.ErrClosed)
	})
}

func (r Rig) testFiles(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	content := noise(5<<20 + 321)
	for _, part := range []struct{ offset, n int }{
		{0, len(content)}, {0, 1}, {1, 64 << 10}, {64<<10 - 1, 64<<10 + 2}, {len(content) - 1, 1}, {77, 0}, {3 << 20, 1 << 20},
	} {
		f := openFile(t, content)
		if _, err := f.Seek(99, io.SeekStart); err != nil { // is of no account
			t.Fatal(err)
		}
		h.conn.Reply(push(1, 10))
		h.conn.SendFile(f, int64(part.offset), int64(part.n))
		h.conn.Reply(push(2, 20))
		if n := h.conn.Pending(); n > 1000 {
			t.Errorf("%d bytes are pending: a file is none", n)
		}
		c.want(kindPush, push(1, 10).Bytes)
		c.wantBytes(content[part.offset : part.offset+part.n])
		c.want(kindPush, push(2, 20).Bytes)
		wantClosedFile(t, f)
	}
	eventually(t, "what was sent is counted", func() bool { return s.counters.Sent.Load() > 6<<20 })

	// Several behind each other, and Close behind them.
	one, two := openFile(t, content), openFile(t, content)
	drained := make(chan struct{})
	h.conn.SendFile(one, 0, int64(len(content)))
	h.conn.SendFile(two, 1, int64(len(content)-1))
	h.conn.Drained(func() { close(drained) })
	c.wantBytes(content)
	c.wantBytes(content[1:])
	await(t, "Drained called back behind the files", drained)
	three := openFile(t, content)
	h.conn.SendFile(three, 0, 10)
	h.last("bye")
	c.wantBytes(content[:10])
	c.wantLast("bye")
	late := openFile(t, content)
	h.conn.SendFile(late, 0, 10)
	wantClosedFile(t, late)
}

func (r Rig) testShortFile(t *testing.T) {
	s := r.start(t, nil, nil)
	for _, offset := range []int64{0, 500, 2000} {
		c, h := s.meet()
		f := openFile(t, noise(1000))
		h.conn.SendFile(f, offset, 1001)
		h.conn.Reply(push(0, 10))
		c.wantCut()
		h.waitClosed()
		wantClosedFile(t, f)
	}
}

// testFileGone ends connections with files waiting, all of which have to be closed.
func (r Rig) testFileGone(t *testing.T) {
	content := noise(1 << 20)
	many := func(h *probe) (files []*os.File) {
		for range 20 { // more than the sockets buffer
			f := openFile(t, content)
			h.conn.SendFile(f, 0, int64(len(content)))
			files = append(files, f)
		}
		return files
	}
	s := r.start(t, nil, func(l *carrier.Limits) { l.HardQueue = 256 << 10 })
	for name, end := range map[string]func(*client, *probe){
		"reset": func(c *client, _ *probe) {
			if err := c.Reset(); err != nil {
				t.Error(err)
			}
		},
		"abort": func(_ *client, h *probe) { h.conn.Abort() },
		"slow": func(c *client, h *probe) {
			h.conn.Reply(push(0, 200<<10))
			h.conn.Reply(push(0, 200<<10))
			c.Close()
		},
	} {
		c, h := s.meet()
		files := many(h)
		end(c, h)
		h.waitClosed()
		for _, f := range files {
			wantClosedFile(t, f)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func (r Rig) testFileSlow(t *testing.T) {
	f := openFile(t, nil)
	if err := os.Truncate(f.Name(), 1<<30); err != nil { // a hole
		t.Fatal(err)
	}
	s := r.start(t, nil, func(l *carrier.Limits) { l.Write = 200 * time.Millisecond })
	c, h := s.meet()
	fast, _ := s.meet()
	h.conn.SendFile(f, 0, 1<<30)
	fast.send([]byte("not bothered"))
	fast.wantEcho([]byte("not bothered"))
	h.waitClosed()
	wantClosedFile(t, f)
	if n := s.counters.Stuck.Load(); n != 1 {
		t.Errorf("%d stuck peers are counted", n)
	}
	c.wantCut()
}
