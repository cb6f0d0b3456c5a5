package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/app"
	"github.com/hongyan-im/hongyan/internal/config"
)

// fragile dials connections that break once they have carried so many bytes in either direction.
type fragile struct {
	after int64 // 0: never
	broke atomic.Int32
}

func (f *fragile) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || f.after == 0 {
		return c, err
	}
	return &fragileConn{Conn: c, of: f}, nil
}

type fragileConn struct {
	net.Conn
	of      *fragile
	carried atomic.Int64
}

func (c *fragileConn) carry(n int, err error) (int, error) {
	if c.carried.Add(int64(n)) > c.of.after {
		c.of.broke.Add(1)
		_ = c.Close()
	}
	return n, err
}

func (c *fragileConn) Read(p []byte) (int, error)  { return c.carry(c.Conn.Read(p)) }
func (c *fragileConn) Write(p []byte) (int, error) { return c.carry(c.Conn.Write(p)) }

// device starts a server and registers an account with it over connections that break.
func device(t *testing.T, f *fragile) *client.Client {
	t.Helper()
	c := config.Default()
	c.Data, c.Listen, c.Storage.Ballast = filepath.Join(t.TempDir(), "data"), []string{"127.0.0.1:0"}, 0
	s, err := app.New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	cl, err := client.Register(t.Context(), filepath.Join(t.TempDir(), "profile"), s.Addrs()[0], client.Registration{
		Name: "ann", Password: "secret of ann",
	}, client.Options{Dial: client.DialOptions{DialContext: f.dial}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close() })
	return cl
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestFilesOverBrokenConnections uploads and downloads a file over connections each of which breaks long before the end.
func TestFilesOverBrokenConnections(t *testing.T) {
	t.Parallel()
	f := &fragile{after: 5 << 19}
	cl := device(t, f)
	content := noise(9<<20 + 17)
	var done int64
	m, err := cl.Upload(t.Context(), client.Upload{
		Name: "reeds.raw", Content: bytes.NewReader(content), Size: int64(len(content)), Progress: func(n int64) { done = n },
	})
	if err != nil || m.Size != uint64(len(content)) || m.Name != "reeds.raw" {
		t.Fatalf("uploaded %+v, %v", m, err)
	}
	if done != int64(len(content)) {
		t.Errorf("the last that was told of the upload is %d bytes", done)
	}
	up := f.broke.Load()
	var back bytes.Buffer
	got, err := cl.Download(t.Context(), m.Ref, &back, func(n, size int64) {
		if size != int64(len(content)) {
			t.Errorf("%d of %d bytes", n, size)
		}
	})
	if err != nil || !bytes.Equal(back.Bytes(), content) || got.Name != m.Name || got.Size != m.Size || got.MIME != m.MIME {
		t.Errorf("downloaded %+v with %d bytes, %v", got, back.Len(), err)
	}
	if down := f.broke.Load() - up; up < 2 || down < 2 {
		t.Errorf("%d connections broke uploading, %d downloading: the test shows nothing", up, down)
	}
}

// TestFilesAgain uploads a file twice, which is one reference, and finds its refusals.
func TestFilesAgain(t *testing.T) {
	t.Parallel()
	cl := device(t, new(fragile))
	u := client.Upload{Name: "a.txt", MIME: "text/plain", Content: strings.NewReader("goose"), Size: 5}
	one, err := cl.Upload(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := cl.Upload(t.Context(), u); err != nil || two.Ref != one.Ref {
		t.Errorf("uploaded again %+v, %v", two, err)
	}
	_, err = cl.Download(t.Context(), "m_AAAAAAAAAAAAAAAAAAAAAA", io.Discard, nil)
	if hongyan.CodeOf(err) != hongyan.NotFound {
		t.Errorf("a reference that leads nowhere: %v", err)
	}
	if _, err = cl.Download(t.Context(), "../sync", io.Discard, nil); hongyan.CodeOf(err) != hongyan.UnknownOperation {
		t.Errorf("a reference that is a path: %v", err)
	}
	full := errors.New("full")
	if _, err = cl.Download(t.Context(), one.Ref, failing{full}, nil); !errors.Is(err, full) {
		t.Errorf("nowhere to write to: %v", err)
	}
	_, err = cl.Upload(t.Context(), client.Upload{Content: strings.NewReader("goose"), Size: 6})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is shorter than it says: %v", err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }
