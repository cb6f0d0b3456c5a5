package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// serverModel is an account's log as the protocol promises it, with everything that the network may do to
// notifications.
type serverModel struct {
	t          *testing.T
	rng        *rand.Rand
	generation uint64
	log        []hongyan.Change
	trim       hongyan.Version // changes up to here are gone
	pushes     []Notice        // on their way to the device
	stands     hongyan.Version // where the server believes the device to be
}

type modelKey struct {
	generation uint64
	at         hongyan.Version
}

func (k modelKey) token() []byte {
	b := binary.BigEndian.AppendUint64(nil, k.generation)
	return binary.BigEndian.AppendUint64(b, uint64(k.at))
}

func parseModelKey(b []byte) modelKey {
	return modelKey{binary.BigEndian.Uint64(b), hongyan.Version(binary.BigEndian.Uint64(b[8:]))}
}

func (s *serverModel) head() hongyan.Version {
	if len(s.log) == 0 {
		return 0
	}
	return s.log[len(s.log)-1].Version
}

func (s *serverModel) after(v hongyan.Version) []hongyan.Change {
	i, _ := slices.BinarySearchFunc(s.log, v+1, func(c hongyan.Change, v hongyan.Version) int {
		return int(c.Version) - int(v)
	})
	return s.log[i:]
}

// write appends changes, with gaps between their versions, and notifies.
func (s *serverModel) write() {
	previous := s.head()
	var fresh []hongyan.Change
	for range 1 + s.rng.IntN(3) {
		v := s.head() + 1 + hongyan.Version(s.rng.IntN(3))
		c := hongyan.Change{Version: v, Message: &hongyan.Message{ID: hongyan.MessageID(v)}}
		s.log, fresh = append(s.log, c), append(fresh, c)
	}
	n := Notice{Version: s.head()}
	if s.stands == previous && s.rng.IntN(3) > 0 {
		n.Previous, n.Changes, n.Key = previous, fresh, modelKey{s.generation, s.head()}.token()
		s.stands = s.head()
	}
	for range s.rng.IntN(4) - 1 { // lost, once, twice
		s.pushes = append(s.pushes, n)
	}
}

func (s *serverModel) pull(token []byte) Page {
	head := modelKey{s.generation, s.head()}
	reset := func(why ResetReason) Page {
		p := Page{Key: head.token(), Version: head.at, Reset: &Reset{Reason: why}}
		s.stands = head.at
		if len(s.after(s.trim)) > 0 {
			p.Reset.Backfill = append([]byte("fill"), modelKey{s.generation, s.trim}.token()...)
			p.Reset.Backfill = append(p.Reset.Backfill, head.token()...)
		}
		return p
	}
	if len(token) == 0 {
		return reset(ResetFirst)
	}
	k := parseModelKey(token)
	switch {
	case k.generation != s.generation:
		return reset(ResetGeneration)
	case k.at > s.head():
		s.t.Fatalf("the device presented version %d, the head is %d", k.at, s.head())
	case k.at < s.trim:
		return reset(ResetTrimmed)
	}
	changes := s.after(k.at)
	if limit := 1 + s.rng.IntN(4); len(changes) > limit {
		changes = changes[:limit]
		k.at = changes[limit-1].Version
	} else {
		k.at = s.head()
		s.stands = k.at
	}
	return Page{Changes: changes, Key: k.token(), Version: k.at, More: k.at < s.head()}
}

func (s *serverModel) backfill(token []byte) (Older, *hongyan.Error) {
	at, upTo := parseModelKey(token[4:]), parseModelKey(token[20:])
	if at.generation != s.generation {
		return Older{}, hongyan.Errorf(hongyan.KeyInvalid, "the token is of another store")
	}
	var o Older
	limit := 1 + s.rng.IntN(4)
	for _, c := range s.after(max(at.at, s.trim)) {
		if c.Version > upTo.at {
			break
		}
		if len(o.Changes) == limit {
			o.Token = append([]byte("fill"), modelKey{at.generation, o.Changes[limit-1].Version}.token()...)
			o.Token = append(o.Token, upTo.token()...)
			break
		}
		o.Changes = append(o.Changes, c)
	}
	return o, nil
}

// deviceModel is a device with a disk that survives its crashes.
type deviceModel struct {
	t    *testing.T
	rng  *rand.Rand
	sync *Sync
	now  time.Time

	// On disk.
	state    State
	applied  []hongyan.Version // of this generation, in order
	filling  []hongyan.Version // what the unfinished backfill has brought
	unhanded []hongyan.Version

	// What the program saw: every version, and how often at least once more.
	delivered []hongyan.Version
	crashed   bool // nothing was delivered since the last crash
	caughtUp  bool

	question Action // unanswered
}

func (d *deviceModel) start() {
	d.sync = NewSync(d.state, d.rng.Int64N)
	d.question, d.crashed = nil, true
	d.run(d.sync.Start())
}

// run carries actions out, and crashes in between now and then.
func (d *deviceModel) run(acts []Action) {
	for _, act := range acts {
		if d.rng.IntN(60) == 0 {
			d.start()
			return
		}
		d.do(act)
	}
}

func (d *deviceModel) do(act Action) {
	d.t.Helper()
	switch act := act.(type) {
	case Commit:
		d.commit(act)
	case Deliver:
		repeated := len(d.delivered) > 0 && len(d.unhanded) > 0 && slices.Contains(d.delivered, d.unhanded[0])
		if repeated && !d.crashed {
			d.t.Fatalf("%v was delivered again without a crash", d.unhanded)
		}
		if repeated {
			tail := d.delivered[len(d.delivered)-len(d.unhanded):]
			if !slices.Equal(tail, d.unhanded) {
				d.t.Fatalf("%v was repeated, the last delivery was %v", d.unhanded, tail)
			}
		} else {
			d.delivered = append(d.delivered, d.unhanded...)
		}
		d.crashed = false
	case Handed:
		d.unhanded, d.state.Unhanded = nil, false
	case Pull:
		d.present(act.Key)
		d.question = act
	case Backfill:
		d.question = act
	case Ack:
		d.present(act.Key)
	case CaughtUp:
		d.caughtUp = true
	case Trouble:
	default:
		d.t.Fatalf("unexpected %T", act)
	}
}

func (d *deviceModel) commit(c Commit) {
	d.t.Helper()
	if c.Previous != d.state.Version {
		d.t.Fatalf("commit after version %d, stored is %d", c.Previous, d.state.Version)
	}
	if len(d.unhanded) > 0 && !slices.Contains(d.delivered, d.unhanded[0]) {
		d.t.Fatalf("%v is overwritten and was never delivered", d.unhanded)
	}
	d.caughtUp = false
	var fresh []hongyan.Version
	for _, change := range c.Changes {
		fresh = append(fresh, change.Version)
	}
	switch {
	case c.Reset != nil:
		if *c.Reset == ResetGeneration {
			d.applied, d.delivered = nil, nil
		}
		d.filling = nil
	case len(d.state.Backfill) > 0:
		d.filling = append(d.filling, fresh...)
	default:
		d.applied = append(d.applied, fresh...)
	}
	if len(c.State.Backfill) == 0 {
		for _, v := range d.filling { // a backfill repeats what was there before a reset
			if !slices.Contains(d.applied, v) {
				d.applied = append(d.applied, v)
			}
		}
		d.filling = nil
	}
	if !slices.IsSorted(d.applied) || len(slices.Compact(slices.Clone(d.applied))) != len(d.applied) {
		d.t.Fatalf("changes were applied out of order or twice: %v", d.applied)
	}
	// The store tells what is new only: see the record of processed ids.
	fresh = slices.DeleteFunc(fresh, func(v hongyan.Version) bool { return slices.Contains(d.delivered, v) })
	d.state, d.unhanded = c.State, fresh
}

// present checks that a key stands for nothing that is not on disk.
func (d *deviceModel) present(token []byte) {
	d.t.Helper()
	if len(token) == 0 {
		return
	}
	if string(token) != string(d.state.Key) {
		d.t.Fatalf("key %v was presented, %v is stored", parseModelKey(token), parseModelKey(d.state.Key))
	}
	if len(d.state.Backfill) > 0 {
		d.t.Fatal("a key was presented before the backfill was finished")
	}
}

// TestSyncAgainstModel runs random schedules of writes, notifications that are lost, doubled and reordered, cut
// connections, crashes between any two actions, trimming and restored backups, and checks that every change is applied
// once, in order, that none is passed over, and that only the last delivery is ever repeated.
func TestSyncAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			s := &serverModel{t: t, rng: rng, generation: 1}
			d := &deviceModel{t: t, rng: rng, now: time.Unix(1e9, 0)}
			d.start()
			online := false
			for range 400 {
				step(s, d, &online)
			}
			settle(s, d)
			want := []hongyan.Version{}
			for _, c := range s.log {
				if c.Version > s.trim || slices.Contains(d.applied, c.Version) {
					want = append(want, c.Version)
				}
			}
			if !slices.Equal(want, d.applied) {
				t.Errorf("applied %v\nthe log is %v", d.applied, want)
			}
			if !slices.Equal(d.delivered, d.applied) {
				t.Errorf("delivered %v\napplied   %v", d.delivered, d.applied)
			}
		})
	}
}

// step lets one thing happen.
func step(s *serverModel, d *deviceModel, online *bool) {
	d.now = d.now.Add(time.Duration(s.rng.IntN(400)) * time.Millisecond)
	switch n := s.rng.IntN(100); {
	case n < 25:
		s.write()
	case n < 45:
		push(s, d)
	case n < 75:
		answer(s, d)
	case n < 80:
		d.run(d.sync.Tick(d.now))
	case n < 83:
		d.run(d.sync.Newer(d.now)) // as a heartbeat tells
	case n < 86:
		d.present(d.sync.Presentable())
	case n < 92 && !*online:
		*online, s.stands = true, 0
		d.question = nil
		d.run(d.sync.Connected(d.now))
	case n < 94 && *online:
		*online, s.pushes = false, nil
		d.question = nil
		d.sync.Disconnected()
	case n < 95:
		*online, s.pushes = false, nil
		d.start()
	case n == 95 && s.rng.IntN(6) == 0:
		s.trim = s.head()
	case n == 96 && s.rng.IntN(12) == 0:
		// Restored from a backup: the last changes are gone, and their versions may be given anew.
		*online, s.pushes = false, nil
		d.question = nil
		d.sync.Disconnected()
		s.generation++
		s.log = s.log[:len(s.log)*3/4]
		s.trim = min(s.trim, s.head())
	}
	// A crash that hit the device in the middle of something cut its connection too.
	if !d.sync.online {
		*online, s.pushes = false, nil
	}
}

func push(s *serverModel, d *deviceModel) {
	if len(s.pushes) == 0 {
		return
	}
	i := s.rng.IntN(len(s.pushes))
	n := s.pushes[i]
	s.pushes = slices.Delete(s.pushes, i, i+1)
	d.run(d.sync.Notified(d.now, n))
}

func answer(s *serverModel, d *deviceModel) {
	q := d.question
	d.question = nil
	if q != nil && s.rng.IntN(12) == 0 {
		d.run(d.sync.Refused(d.now, hongyan.Errorf(hongyan.Busy, "not now").WithRetryAfter(time.Second)))
		return
	}
	switch q := q.(type) {
	case Pull:
		d.run(d.sync.Pulled(d.now, s.pull(q.Key)))
	case Backfill:
		o, err := s.backfill(q.Token)
		if err != nil {
			d.run(d.sync.Refused(d.now, err))
			return
		}
		d.run(d.sync.Backfilled(d.now, o))
	}
}

// settle lets everything come to rest, without further faults of the network.
func settle(s *serverModel, d *deviceModel) {
	for range 1000 {
		if !d.sync.online {
			d.question = nil
			d.run(d.sync.Connected(d.now))
		}
		if d.caughtUp && d.state.Version == s.head() && d.question == nil && d.sync.WakeAt().IsZero() {
			return
		}
		answer(s, d)
		if at := d.sync.WakeAt(); at.After(d.now) {
			d.now = at
		}
		d.run(d.sync.Tick(d.now))
		if d.question == nil && d.state.Version != s.head() {
			d.run(d.sync.Newer(d.now))
		}
	}
	d.t.Fatalf("did not come to rest: stored %+v, head %d, question %v", d.state, s.head(), d.question)
}
