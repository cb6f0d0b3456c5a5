package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	crand "crypto/rand"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv/pebblekv"
	"github.com/hongyan-im/hongyan/internal/store"
)

const (
	accounts  = 1024
	friends   = 5 // whom each account writes to
	bodySize  = 200
	replays   = 200 // every so manieth send is a retry of the one before
	sliceTime = 700 * time.Millisecond
)

// BenchmarkDurableSends sends direct messages through the rules, the sync engine and the store, in process, and in turn
// appends as many bytes to a raw log on the same disk with the same number of waiting senders. One iteration is one
// slice of each. It reports both rates, their ratio slice by slice (median), the
// 99th percentile of a send, and the processor time of a send with its sender.
func BenchmarkDurableSends(b *testing.B) {
	for _, senders := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			s := openStack(b)
			raw := openRawLog(b, b.TempDir())
			defer raw.close()
			var sends, raws, ratios []float64
			var latencies []time.Duration
			var cpu time.Duration
			b.ResetTimer()
			for range b.N {
				before := cpuTime()
				done, took := slice(senders, func(i int) func(*rand.Rand) { return s.sender(b, i) })
				cpu += cpuTime() - before
				appends, _ := slice(senders, func(int) func(*rand.Rand) { return raw.sender() })
				sends, raws, ratios = append(sends, done), append(raws, appends), append(ratios, done/appends)
				latencies = append(latencies, took...)
			}
			slices.Sort(latencies)
			b.ReportMetric(median(sends), "sends/s")
			b.ReportMetric(median(raws), "raw/s")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(cpu.Microseconds())/float64(len(latencies)), "cpu-µs/send")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// slice runs a closed loop of each worker for sliceTime and returns operations per second and how long each took.
func slice(workers int, worker func(i int) func(*rand.Rand)) (float64, []time.Duration) {
	var mu sync.Mutex
	var all []time.Duration
	var running sync.WaitGroup
	begin := time.Now()
	for i := range workers {
		running.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(begin.UnixNano())))
			do := worker(i)
			var took []time.Duration
			for time.Since(begin) < sliceTime {
				start := time.Now()
				do(rng)
				took = append(took, time.Since(start))
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	running.Wait()
	return float64(len(all)) / time.Since(begin).Seconds(), all
}

// cpuTime is what the process has used so far, senders included.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// stack is the server without its network.
type stack struct {
	chat  *chat.Service
	users []chat.Caller
	text  string
}

func openStack(b *testing.B) *stack {
	b.Helper()
	engine, err := pebblekv.Open(b.TempDir(), pebblekv.Options{})
	check(err)
	records, err := store.Open(engine, crand.Reader)
	check(err)
	e, err := inbox.Open(records, 0, nil)
	check(err)
	w := inbox.NewWriter(e, time.Now, nil)
	b.Cleanup(func() {
		w.Close()
		check(engine.Close())
	})
	shard := inbox.NewShard(e, w.Submit, func(_ hongyan.UserID, read func()) error {
		read()
		return nil
	})
	s := &stack{chat: chat.New(shard, chat.Config{}, crand.Reader), text: strings.Repeat("x", bodySize)}
	keys, err := auth.NewKeyRing(crand.Reader)
	check(err)
	people := account.New(shard, account.Config{
		Random: crand.Reader, Now: time.Now, Keys: keys, MaxDevices: 1,
		Slow: func(f func(context.Context)) error { f(context.Background()); return nil },
	})
	made := make(chan chat.Caller, accounts)
	for i := range accounts {
		name := fmt.Sprintf("user%d", i)
		people.Create(name, "", "", func(_ account.Record, err error) { check(err) })
		people.Mint(name, account.NewDevice{Class: hongyan.ClassBot}, func(id account.Identity, err error) {
			check(err)
			made <- chat.Caller{User: id.User, Device: id.Device}
		})
	}
	for range accounts {
		s.users = append(s.users, <-made)
	}
	s.introduce(b)
	return s
}

// introduce opens every conversation, so that what is measured is people who know each other.
func (s *stack) introduce(b *testing.B) {
	answers := make(chan error, friends)
	for i, from := range s.users {
		for k := range friends {
			d := chat.Draft{
				Conversation: hongyan.Direct(from.User, s.users[(i+1+k)%len(s.users)].User), Content: hongyan.Text("hello"),
				FirstAttemptMS: time.Now().UnixMilli(),
			}
			binary.BigEndian.PutUint64(d.ClientID[:], uint64(i*friends+k+1))
			s.chat.Send(from, d, func(_ chat.Sent, err error) { answers <- err })
		}
		for range friends {
			check(<-answers)
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err) // one line is enough
	}
}

// sender returns what one sender does once: it sends to somebody, now and then the same again, and waits for the answer.
func (s *stack) sender(b *testing.B, i int) func(*rand.Rand) {
	caller := s.users[i%len(s.users)]
	answered := make(chan error, 1)
	var d chat.Draft
	n := 0
	return func(rng *rand.Rand) {
		if n++; n%replays != 0 {
			d = chat.Draft{
				Conversation: hongyan.Direct(caller.User, s.users[(i+1+rng.IntN(friends))%len(s.users)].User), Content: hongyan.Text(s.text),
				FirstAttemptMS: time.Now().UnixMilli(),
			}
			binary.BigEndian.PutUint64(d.ClientID[:], rng.Uint64())
			binary.BigEndian.PutUint64(d.ClientID[8:], rng.Uint64())
		}
		s.chat.Send(caller, d, func(_ chat.Sent, err error) { answered <- err })
		check(<-answered)
	}
}
