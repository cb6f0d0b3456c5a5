package media

import (
	"bytes"
	"crypto/rand"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a media store over a real writer and records in memory.
type world struct {
	*Store
	tb     testing.TB
	config Config
	now    atomic.Int64 // seconds since the world began
	full   atomic.Bool  // the disk is said to be nearly full
}

var begin = time.Unix(1_700_000_000, 0)

func newWorld(tb testing.TB, change ...func(*Config)) *world {
	tb.Helper()
	memory := kv.NewMemory()
	records, err := store.Open(memory, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	engine, err := inbox.Open(records, 0, func(inbox.Hint) {})
	if err != nil {
		tb.Fatal(err)
	}
	writer := inbox.NewWriter(engine, time.Now, func(err error) { tb.Error(err) })
	w := &world{tb: tb}
	w.config = Config{
		Dir: filepath.Join(tb.TempDir(), "media"), MaxSize: 8 << 20, Metrics: prometheus.NewRegistry(),
		Shard: inbox.NewShard(engine, writer.Submit, func(_ hongyan.UserID, job func()) error { go job(); return nil }),
		Now:   func() time.Time { return begin.Add(time.Duration(w.now.Load()) * time.Second) },
		Accepting: func() error {
			if w.full.Load() {
				return errors.New("full")
			}
			return nil
		},
	}
	for _, c := range change {
		c(&w.config)
	}
	w.reopen()
	tb.Cleanup(func() {
		writer.Close()
		if err := memory.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// reopen is what a crash of the process and a new start are to a store that keeps nothing in memory that it needs.
func (w *world) reopen() {
	w.tb.Helper()
	w.config.Metrics = prometheus.NewRegistry()
	s, err := Open(w.config)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.Store = s
}

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.now.Add(int64(d / time.Second)) }

// begin begins an upload that is to work.
func (w *world) begin(owner hongyan.UserID, u Upload) string {
	w.tb.Helper()
	b, err := w.Begin(w.tb.Context(), owner, u)
	if err != nil || b.ID == "" {
		w.tb.Fatalf("begin: %+v, %v", b, err)
	}
	return b.ID
}

// read returns the bytes under a reference.
func (w *world) read(ref string) []byte {
	w.tb.Helper()
	o, err := w.Open(w.tb.Context(), ref)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		w.tb.Fatal(err)
	}
	return b
}

// files lists the files under a folder of the store.
func (w *world) files(folder string) (list []string) {
	w.tb.Helper()
	err := filepath.WalkDir(w.path(folder), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return list
}

func wantCode(tb testing.TB, what string, err error, code hongyan.Code) {
	tb.Helper()
	if hongyan.CodeOf(err) != code {
		tb.Errorf("%s: %v, want %v", what, err, code)
	}
}

// noise is n bytes that nobody can guess.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// pngOf makes a picture with a red left half and a blue right one.
func pngOf(tb testing.TB, width, height int) []byte {
	tb.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			if x < width/2 {
				m.Set(x, y, color.RGBA{R: 255, A: 255})
			} else {
				m.Set(x, y, color.RGBA{B: 255, A: 255})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
