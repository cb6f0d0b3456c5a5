package bench

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// rawLog is the least that a durable append can cost: one goroutine gathers what waits and writes it to a preallocated
// file, another syncs, and whoever waited is released. It keeps no index and can be read back by nobody.
type rawLog struct {
	f       *os.File
	waiting chan chan<- struct{}
	ended   chan struct{}
}

const (
	rawRecord  = 480       // bytes on disk of a direct message: body, two entries, deduplication record
	rawSegment = 256 << 20 // bytes preallocated
	rawGather  = 1024      // appends in one write
)

func openRawLog(b *testing.B, dir string) *rawLog {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "raw.log"))
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, rawSegment); err != nil {
		b.Fatal(err)
	}
	l := &rawLog{f: f, waiting: make(chan chan<- struct{}, 4*rawGather), ended: make(chan struct{})}
	synced := make(chan []chan<- struct{}, 1)
	go l.write(b, synced)
	go l.sync(b, synced)
	return l
}

// append returns when a record is durable.
func (l *rawLog) append(done chan struct{}) {
	l.waiting <- done
	<-done
}

func (l *rawLog) write(b *testing.B, synced chan<- []chan<- struct{}) {
	defer close(synced)
	buf := make([]byte, rawGather*rawRecord)
	at := int64(0)
	for first := range l.waiting {
		batch := append(make([]chan<- struct{}, 0, 64), first)
	gather:
		for len(batch) < rawGather {
			select {
			case next, ok := <-l.waiting:
				if !ok {
					break gather
				}
				batch = append(batch, next)
			default:
				break gather
			}
		}
		n := len(batch) * rawRecord
		if at+int64(n) > rawSegment {
			at = 0
		}
		if _, err := l.f.WriteAt(buf[:n], at); err != nil {
			b.Error(err)
		}
		at += int64(n)
		synced <- batch
	}
}

func (l *rawLog) sync(b *testing.B, synced <-chan []chan<- struct{}) {
	defer close(l.ended)
	for batch := range synced {
		if err := unix.Fdatasync(int(l.f.Fd())); err != nil {
			b.Error(err)
		}
		for _, done := range batch {
			done <- struct{}{}
		}
	}
}

func (l *rawLog) close() {
	close(l.waiting)
	<-l.ended
	l.f.Close()
}
