package pebblekv

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// scatter spreads consecutive numbers over all accounts.
func scatter(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 }

func accountKey(letter byte, account uint64, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{letter}, account), rest...)
}

// send fills the batch with what one message between two people writes: two entries and the record of its id.
func send(batch *kv.Batch, n uint64) {
	var version [8]byte
	binary.BigEndian.PutUint64(version[:], n)
	body := make([]byte, 200)
	batch.Reset()
	batch.Set(accountKey('i', scatter(n), append([]byte{1}, version[:]...)...), body)
	batch.Set(accountKey('i', scatter(n+1<<32), append([]byte{1}, version[:]...)...), body)
	batch.Set(accountKey('d', scatter(n), append(version[:], version[:]...)...), version[:])
}

// BenchmarkCommit is one durable message: Apply and Wait.
func BenchmarkCommit(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			s := benchStore(b)
			term, err := s.Claim(1)
			if err != nil {
				b.Fatal(err)
			}
			var next atomic.Uint64
			work := func(more func() bool) {
				var batch kv.Batch
				for more() {
					send(&batch, next.Add(1))
					batch.Fence(1, term)
					c, err := s.Apply(&batch)
					if err == nil {
						err = c.Wait()
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			if goroutines == 1 {
				work(b.Loop)
				return
			}
			left := int64(b.N)
			done := make(chan struct{})
			for range goroutines {
				go func() {
					work(func() bool { return atomic.AddInt64(&left, -1) >= 0 })
					done <- struct{}{}
				}()
			}
			for range goroutines {
				<-done
			}
		})
	}
}

// benchFill writes n messages, in batches of a thousand.
func benchFill(b *testing.B, s *Store, n uint64) {
	b.Helper()
	for i := uint64(0); i < n; {
		var batch, one kv.Batch
		for range 1000 {
			send(&one, i)
			for _, op := range one.Ops() {
				batch.Set(op.Key, op.Value)
			}
			i++
		}
		c, err := s.Apply(&batch)
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAbsent looks for what is not there among 50,000 messages: the id of a new message, and entries of an
// account that has none.
func BenchmarkAbsent(b *testing.B) {
	const messages = 50_000
	for _, place := range []string{"memtables", "tables", "lowest level"} {
		s := benchStore(b)
		benchFill(b, s, messages)
		if place != "memtables" {
			if err := s.db.Flush(); err != nil {
				b.Fatal(err)
			}
		}
		if place == "lowest level" {
			if err := s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, false); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("Get/"+place, func(b *testing.B) {
			b.ReportAllocs()
			rest := make([]byte, 16)
			for n := uint64(1 << 40); b.Loop(); n++ {
				if _, err := s.Get(accountKey('d', scatter(n), rest...)); err != kv.ErrNotFound {
					b.Fatal(err)
				}
			}
		})
		b.Run("Scan/"+place, func(b *testing.B) {
			b.ReportAllocs()
			for n := uint64(1 << 40); b.Loop(); n++ {
				it := s.Scan(accountKey('i', scatter(n), 1), accountKey('i', scatter(n), 2), false)
				if it.Next() {
					b.Fatalf("found %x", it.Key())
				}
				if err := it.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
