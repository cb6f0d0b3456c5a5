package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

func waiting(names string) []Item {
	var items []Item
	for _, name := range names {
		items = append(items, Item{ID: hongyan.ClientID{byte(name)}, State: Waiting})
	}
	return items
}

func TestSendsInOrder(t *testing.T) {
	t.Parallel()
	o := NewOutbox(noJitter)
	expect(t, "offline", o.Load(epoch, waiting("abc")), "")
	expect(t, "online", o.Connected(epoch, 1000), "Save a:1@1000, Transmit a@1000")
	later := epoch.Add(5 * time.Millisecond)
	expect(t, "accepted", o.Accepted(later, Result{}), "Save a:2@1000 b:1@1005, Transmit b@1005")
	refused := hongyan.Errorf(hongyan.Muted, "not now")
	expect(t, "refused for good", o.Refused(later, refused), "Save b:3@1005 c:1@1005, Transmit c@1005")
	expect(t, "accepted", o.Accepted(later, Result{}), "Save c:2@1005")
	expect(t, "nothing left", o.Tick(later), "")
}

// TestRetriesKeepTheStamp: what is repeated is the same request, whatever happened to the connection or the process.
func TestRetriesKeepTheStamp(t *testing.T) {
	t.Parallel()
	o := NewOutbox(noJitter)
	items := waiting("a")
	o.Load(epoch, items)
	expect(t, "online", o.Connected(epoch, 1000), "Save a:1@1000, Transmit a@1000")
	o.Disconnected()
	expect(t, "late answer", o.Accepted(epoch, Result{}), "")
	later := epoch.Add(time.Hour)
	expect(t, "online again", o.Connected(later, 999_000), "Transmit a@1000")

	o = NewOutbox(noJitter) // as after a crash: items holds what was saved
	o.Load(later, items)
	expect(t, "online", o.Connected(later, 999_000), "Transmit a@1000")
}

func TestBusyServer(t *testing.T) {
	t.Parallel()
	o := NewOutbox(noJitter)
	items := waiting("ab")
	o.Load(epoch, items)
	o.Connected(epoch, 1000)
	busy := hongyan.Errorf(hongyan.Busy, "not now")
	now := epoch
	for n := range MaxRefusals {
		e := busy
		if n == 3 {
			e = busy.WithRetryAfter(time.Hour)
		}
		expect(t, "busy", o.Refused(now, e), "Save a:1@1000, Trouble")
		if n == 3 && o.WakeAt().Sub(now) != time.Hour {
			t.Errorf("waits %v where the server asked for an hour", o.WakeAt().Sub(now))
		}
		expect(t, "too early", o.Tick(now), "")
		if n == 5 { // another process had a turn: the wait goes on
			o.Disconnected()
			expect(t, "loaded again", o.Load(now, items), "")
			expect(t, "too early", o.Connected(now, 1000), "")
		}
		now = o.WakeAt()
		expect(t, "again", o.Tick(now), "Transmit a@1000")
	}
	expect(t, "enough", o.Refused(now, busy), fmt.Sprintf("Save a:3@1000 b:1@%[1]d, Transmit b@%[1]d", items[1].FirstAttemptMS))
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	o := NewOutbox(noJitter)
	items := waiting("a")
	items[0].FirstAttemptMS = 9_000_000
	o.Load(epoch, items)
	expect(t, "online", o.Connected(epoch, 1000), "Transmit a@9000000")
	skew := hongyan.Errorf(hongyan.ClockSkew, "in the future")
	expect(t, "skew", o.Refused(epoch, skew), "Save a:1@0, Trouble, Drop")
	o.Disconnected()
	expect(t, "online again", o.Connected(epoch, 2000), "Save a:1@2000, Transmit a@2000")
}

// TestRefusedConnection: what the connection did wrong is no fault of the message.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	for _, code := range []hongyan.Code{hongyan.Unauthenticated, hongyan.TokenExpired, hongyan.Revoked, hongyan.TLSRequired} {
		o := NewOutbox(noJitter)
		o.Load(epoch, waiting("a"))
		o.Connected(epoch, 1000)
		expect(t, code.String(), o.Refused(epoch, hongyan.Errorf(code, "no")), "Trouble, Drop")
		o.Disconnected()
		expect(t, code.String(), o.Connected(epoch, 9000), "Transmit a@1000")
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000_000
	const week = 7 * 24 * 3_600_000
	for _, tt := range []struct {
		name string
		code hongyan.Code
		at   int64
		want int64 // the stamp; 0: a new one
		err  hongyan.Code
	}{
		{"refused just now", hongyan.Muted, now - 1000, now - 1000, 0},
		{"refused long ago", hongyan.Muted, now - week, 0, 0},
		{"given up just now", hongyan.Busy, now - 1000, now - 1000, 0},
		{"given up long ago: the server may have it", hongyan.Unavailable, now - week, now - week, hongyan.TooLate},
		{"given up long ago by a later server", 9999, now - week, now - week, hongyan.TooLate},
		{"too late", hongyan.TooLate, now - 2*week, now - 2*week, hongyan.TooLate},
		{"the id was taken", hongyan.Conflict, now - 1000, now - 1000, hongyan.Conflict},
	} {
		it := Item{State: Failed, Code: tt.code, Message: "m", Hint: "h", Refusals: 3, FirstAttemptMS: tt.at}
		err := it.Renew(now)
		if it.FirstAttemptMS != tt.want || hongyan.CodeOf(err) != tt.err {
			t.Errorf("%s: stamp %d, %v", tt.name, it.FirstAttemptMS, err)
		}
		if renewed := it.State == Waiting && it.Err() == nil && it.Refusals == 0; renewed != (err == nil) {
			t.Errorf("%s: %+v", tt.name, it)
		}
	}
}

// recipient is a server that recognises repetitions.
type recipient struct {
	results map[hongyan.ClientID]Result
	got     []byte // the first bytes of what was accepted, in order
}

func (r *recipient) accept(id hongyan.ClientID) Result {
	if result, ok := r.results[id]; ok {
		return result
	}
	r.got = append(r.got, id[0])
	r.results[id] = Result{Ordinal: hongyan.Ordinal(len(r.got))}
	return r.results[id]
}

// TestOutboxAgainstModel sends over a network that loses requests and answers, to a server that refuses now and then,
// from a process that dies between any two actions, and checks that everything arrives once and in order.
func TestOutboxAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		server := &recipient{results: map[hongyan.ClientID]Result{}}
		disk := map[hongyan.ClientID]Item{}
		var order []hongyan.ClientID
		var flight *Item
		now := epoch
		o := NewOutbox(rng.Int64N)
		load := func() []Action {
			var items []Item
			for _, id := range order {
				if disk[id].State == Waiting {
					items = append(items, disk[id])
				}
			}
			return o.Load(now, items)
		}
		run := func(acts []Action) {
			for _, act := range acts {
				if rng.IntN(40) == 0 { // killed and started again
					o, flight = NewOutbox(rng.Int64N), nil
					load()
					return
				}
				switch act := act.(type) {
				case Save:
					for _, it := range act.Items {
						disk[it.ID] = it
					}
				case Transmit:
					if disk[act.Item.ID].FirstAttemptMS != act.Item.FirstAttemptMS || act.Item.FirstAttemptMS == 0 {
						t.Fatalf("seed %d: stamp %d was sent, %d is stored", seed, act.Item.FirstAttemptMS, disk[act.Item.ID].FirstAttemptMS)
					}
					flight = &act.Item
				}
			}
		}
		for n := 0; n < 4000; n++ {
			now = now.Add(100 * time.Millisecond)
			switch k := rng.IntN(10); {
			case k == 0 && len(order) < 50 && flight == nil:
				it := Item{ID: hongyan.ClientID{byte(len(order) + 1)}, State: Waiting}
				order = append(order, it.ID)
				disk[it.ID] = it
				run(load())
			case k == 1:
				o.Disconnected()
				if flight != nil && rng.IntN(2) == 0 {
					server.accept(flight.ID) // the request arrived, the answer did not
				}
				flight = nil
				run(o.Connected(now, now.UnixMilli()+12345))
			case k == 2 && flight != nil:
				flight = nil
				run(o.Refused(now, hongyan.Errorf(hongyan.Busy, "not now")))
			case k < 7 && flight != nil:
				result := server.accept(flight.ID)
				flight = nil
				run(o.Accepted(now, result))
			default:
				run(o.Tick(now))
			}
		}
		var want []byte
		for _, id := range order {
			it := disk[id]
			if result, ok := server.results[id]; ok != (it.State == Sent) && it.State != Failed || ok && it.State == Sent && result != it.Result {
				t.Errorf("seed %d: %d is stored as %+v, the server has %v %+v", seed, id[0], it, ok, result)
			}
			if _, ok := server.results[id]; ok {
				want = append(want, id[0])
			}
		}
		if !slices.Equal(server.got, want) || len(order) < 50 || len(want) < 45 {
			t.Errorf("seed %d: the server got %v of %d", seed, server.got, len(order))
		}
	}
}
