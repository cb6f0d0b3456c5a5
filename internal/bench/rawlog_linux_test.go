package bench

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// rawLog is the least that a durable append can cost: a log with group commit and nothing else. Every sender is a
// goroutine that hands over its own bytes and waits for its own answer. One goroutine gathers what waits, frames each
// record with its length and CRC-32C, so that what a crash has left could be told from what it has torn, and writes all
// in one call to a preallocated file; another syncs and answers. It looks for no duplicates, gives no versions, and
// keeps no index: nothing in it can be found again but by reading all of it.
type rawLog struct {
	f       *os.File
	waiting chan rawAppend
	ended   chan struct{}
}

type rawAppend struct {
	payload []byte // rawPayload bytes, which belong to the log until done
	done    chan<- struct{}
}

const (
	rawHead    = 8             // bytes: length, CRC-32C
	rawPayload = 480 - rawHead // with the head, the bytes on disk of a direct message: body, two entries, deduplication record
	rawSegment = 256 << 20     // bytes preallocated
	rawGather  = 1024          // appends in one write
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openRawLog(b *testing.B, dir string) *rawLog {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "raw.log"))
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, rawSegment); err != nil {
		b.Fatal(err)
	}
	l := &rawLog{f: f, waiting: make(chan rawAppend, 4*rawGather), ended: make(chan struct{})}
	synced := make(chan []rawAppend, 1)
	go l.write(b, synced)
	go l.sync(b, synced)
	return l
}

// sender returns what one sender does once: it appends a record and returns when it is durable.
func (l *rawLog) sender() func(*rand.Rand) {
	payload, done := make([]byte, rawPayload), make(chan struct{}, 1)
	return func(rng *rand.Rand) {
		binary.BigEndian.PutUint64(payload, rng.Uint64())
		l.waiting <- rawAppend{payload, done}
		<-done
	}
}

func (l *rawLog) write(b *testing.B, synced chan<- []rawAppend) {
	defer close(synced)
	buf := make([]byte, 0, rawGather*(rawHead+rawPayload))
	at := int64(0)
	for first := range l.waiting {
		batch := append(make([]rawAppend, 0, 64), first)
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
		buf = buf[:0]
		for _, a := range batch {
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(a.payload)))
			buf = binary.BigEndian.AppendUint32(buf, crc32.Checksum(a.payload, castagnoli))
			buf = append(buf, a.payload...)
		}
		if at+int64(len(buf)) > rawSegment {
			at = 0
		}
		if _, err := l.f.WriteAt(buf, at); err != nil {
			b.Error(err)
		}
		at += int64(len(buf))
		synced <- batch
	}
}

func (l *rawLog) sync(b *testing.B, synced <-chan []rawAppend) {
	defer close(l.ended)
	for batch := range synced {
		if err := unix.Fdatasync(int(l.f.Fd())); err != nil {
			b.Error(err)
		}
		for _, a := range batch {
			a.done <- struct{}{}
		}
	}
}

func (l *rawLog) close() {
	close(l.waiting)
	<-l.ended
	l.f.Close()
}
