package inbox

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// logged is one entry that was ever written to an account's log.
type logged struct {
	hongyan.Version
	typ   hongyan.Type
	item  string // of a state
	batch int    // it was written in this batch, counted from 1
}

// device is a device that pulls, with what it was given so far.
type device struct {
	user   hongyan.UserID
	key    hongyan.SyncKey
	states map[string]hongyan.Version // of the state items, by type and name
}

// question is a pull on its way: begun, then answered, then released.
type question struct {
	device *device
	key    hongyan.SyncKey
	types  []hongyan.Type
	read   *Read
	page   *Page
}

// syncing is an engine with rounds, reads and pulls in all stages at once, and a disk that loses its power now and then.
type syncing struct {
	t         *testing.T
	r         *rand.Rand
	g         *rig
	tape      *tape
	rounds    []*Round // not settled
	written   []int    // the number of batches when each of them was committed
	durable   int      // batches
	logs      map[hongyan.UserID][]logged
	lines     map[hongyan.UserID]hongyan.Version
	devices   []*device
	questions []*question
	given     map[hongyan.Version]bool
	pages     int
}

// TestSyncAtRandom runs operations of some accounts in rounds that are settled late, with pulls of any types and limits
// begun, answered and released at any moment between them, and power cuts. Every device gets every message once and in
// order, no key passes over one, states come again when they change, nothing is told that a power cut takes back, and no
// version is given twice.
func TestSyncAtRandom(t *testing.T) {
	t.Parallel()
	s := &syncing{
		t: t, r: newRand(t), tape: newTape(), logs: map[hongyan.UserID][]logged{},
		lines: map[hongyan.UserID]hongyan.Version{}, given: map[hongyan.Version]bool{},
	}
	s.g = &rig{t: t, kv: s.tape, nowMS: monday}
	s.reopen()
	for i := range 9 {
		s.devices = append(s.devices, &device{user: hongyan.UserID(1 + i%3), states: map[string]hongyan.Version{}})
	}
	for range 6000 {
		switch n := s.r.IntN(100); {
		case n < 25 && len(s.rounds) < 3:
			s.commit()
		case n < 50 && len(s.rounds) > 0:
			s.settle()
		case n < 65 && len(s.questions) < 20:
			d := s.devices[s.r.IntN(len(s.devices))]
			types := slices.Clone(hongyan.Types[:])
			s.r.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
			types = types[:s.r.IntN(len(types)+1)]
			s.questions = append(s.questions, &question{device: d, key: d.key, types: types, read: s.g.e.Read()})
		case n < 98 && len(s.questions) > 0:
			i := len(s.questions) - 1 - s.r.IntN(1+s.r.IntN(len(s.questions))) // the latest more often
			if q := s.questions[i]; q.page == nil {
				s.pull(q)
			} else {
				s.questions = slices.Delete(s.questions, i, i+1)
				s.release(q)
			}
		case n == 99 && s.r.IntN(10) == 0:
			s.cut()
		}
	}
	// In the end everybody has everything.
	for len(s.rounds) > 0 {
		s.settle()
	}
	for _, d := range s.devices {
		for more := true; more; {
			q := &question{device: d, key: d.key, read: s.g.e.Read()}
			s.pull(q)
			s.release(q)
			more = q.page.More
		}
		for _, c := range s.logs[d.user] {
			if c.typ != hongyan.TypeMessage && d.states[nameOf(c.typ, c.item)] < c.Version {
				t.Errorf("a device of %d never got %+v", d.user, c)
			}
		}
	}
	t.Logf("%d batches, %d pages", len(s.tape.batches), s.pages)
}

func nameOf(t hongyan.Type, item string) string { return string(rune('0'+t)) + item }

func (s *syncing) reopen() {
	s.t.Helper()
	records, err := store.Open(s.tape, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.g.e, err = Open(records, 0, s.hint); err != nil {
		s.t.Fatal(err)
	}
}

// commit runs a round of some operations of some accounts.
func (s *syncing) commit() {
	batch := len(s.tape.batches) + 1
	var do []func(tx *Tx) error
	for range s.r.IntN(6) {
		do = append(do, func(tx *Tx) error {
			u := hongyan.UserID(1 + s.r.IntN(3))
			c := logged{typ: hongyan.Types[s.r.IntN(len(hongyan.Types))], batch: batch}
			var inline *hongyan.Change
			if s.r.IntN(4) > 0 {
				inline = &hongyan.Change{}
			}
			switch {
			case s.r.IntN(30) == 0 && len(s.logs[u]) > 0:
				line := s.logs[u][s.r.IntN(len(s.logs[u]))].Version
				if was := s.lines[u]; line > was {
					store.TrimEntries(tx.Tx, u, was, store.TrimLine{Line: line})
					s.lines[u] = line
				}
				return nil
			case c.typ == hongyan.TypeMessage || s.r.IntN(3) > 0:
				c.typ = hongyan.TypeMessage
				tx.AddEntry(u, store.MessageRef(store.RefOwn, hongyan.Direct(u, u), 1), inline)
			default:
				c.item = string(rune('a' + s.r.IntN(4)))
				if err := tx.SetItem(u, c.typ, []byte(c.item), inline); err != nil {
					return err
				}
			}
			c.Version = tx.Newest()
			if s.given[c.Version] {
				s.t.Fatalf("version %x is given twice", c.Version)
			}
			s.given[c.Version] = true
			s.logs[u] = append(s.logs[u], c)
			return nil
		})
	}
	s.g.nowMS += s.r.Int64N(clockEvery / 4)
	r, _ := s.g.commit(do...)
	s.rounds, s.written = append(s.rounds, r), append(s.written, len(s.tape.batches))
}

func (s *syncing) settle() {
	s.durable = s.written[0]
	r := s.rounds[0]
	s.rounds, s.written = s.rounds[1:], s.written[1:]
	s.g.settle(r)
}

// hint checks that what a hint tells is all there is between its versions.
func (s *syncing) hint(h Hint) {
	var want []hongyan.Version
	for _, c := range s.logs[h.User] {
		if c.Version > h.Previous && c.Version <= h.Version {
			want = append(want, c.Version)
		}
		if c.Version == h.Version && c.batch > s.durable {
			s.t.Fatalf("a hint tells of version %x before it is durable", c.Version)
		}
	}
	if h.Changes == nil {
		return
	}
	var got []hongyan.Version
	for _, c := range h.Changes {
		got = append(got, c.Version)
	}
	if h.Previous == 0 || !slices.Equal(got, want) {
		s.t.Fatalf("the hint from %x tells %x, between are %x", h.Previous, got, want)
	}
}

func (s *syncing) pull(q *question) {
	page, err := q.read.Pull(q.device.user, q.key, q.types, 1+s.r.IntN(7))
	if err != nil {
		s.t.Fatalf("the key %+v of a device of %d: %v", q.key, q.device.user, err)
	}
	q.page = &page
	s.pages++
}

func (s *syncing) release(q *question) {
	q.read.Release(func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
		s.apply(q)
	})
}

// apply checks an answer against everything that was ever written, and gives it to the device if that has not gone on
// meanwhile.
func (s *syncing) apply(q *question) {
	d, page, log := q.device, q.page, s.logs[q.device.user]
	if len(q.types) == 0 {
		q.types = hongyan.Types[:]
	}
	for _, c := range log {
		if c.Version <= page.Key.Newest() && c.batch > s.durable {
			s.t.Fatalf("a page up to %x is released, and version %x is not durable", page.Key.Newest(), c.Version)
		}
	}
	if page.Reset != NoReset {
		if !q.key.IsZero() && q.key.Seen(hongyan.TypeMessage) >= s.lines[d.user] {
			s.t.Fatalf("a key at %x is reset, the line is %x", q.key.Seen(hongyan.TypeMessage), s.lines[d.user])
		}
		if d.key == q.key { // a window brings the states
			d.key = page.Key
			for _, c := range log {
				if c.typ != hongyan.TypeMessage && c.Version <= page.Key.Seen(c.typ) {
					d.states[nameOf(c.typ, c.item)] = c.Version
				}
			}
		}
		return
	}
	var messages []hongyan.Version
	last := hongyan.Version(0)
	got := map[string]hongyan.Version{}
	for _, e := range page.Entries {
		if e.Version <= last || !slices.Contains(q.types, e.Type) || e.Version <= q.key.Seen(e.Type) || e.Version > page.Key.Seen(e.Type) {
			s.t.Fatalf("entry %+v from %+v to %+v", e, q.key, page.Key)
		}
		if last = e.Version; e.Type == hongyan.TypeMessage {
			messages = append(messages, e.Version)
			continue
		}
		got[nameOf(e.Type, string(e.Ref.Item))] = e.Version
		if !slices.ContainsFunc(log, func(c logged) bool {
			return c.Version == e.Version && c.typ == e.Type && c.item == string(e.Ref.Item)
		}) {
			s.t.Fatalf("entry %+v was never written", e)
		}
	}
	var want []hongyan.Version
	for _, c := range log {
		if c.typ == hongyan.TypeMessage && c.Version > q.key.Seen(c.typ) && c.Version <= page.Key.Seen(c.typ) {
			want = append(want, c.Version)
		}
	}
	if !slices.Equal(messages, want) {
		s.t.Fatalf("messages %x from %x to %x, want %x", messages, q.key.Seen(hongyan.TypeMessage), page.Key.Seen(hongyan.TypeMessage), want)
	}
	for _, typ := range hongyan.Types {
		if !slices.Contains(q.types, typ) && page.Key.Seen(typ) != q.key.Seen(typ) {
			s.t.Fatalf("the key went on for type %d, which was not asked for", typ)
		}
	}
	if d.key != q.key {
		return
	}
	d.key = page.Key
	for name, v := range got {
		d.states[name] = v
	}
	// Of each item the device has the latest version up to its key, or there is a later one to come.
	for _, c := range log {
		name := nameOf(c.typ, c.item)
		if c.typ == hongyan.TypeMessage || c.Version > d.key.Seen(c.typ) || d.states[name] >= c.Version {
			continue
		}
		if !slices.ContainsFunc(log, func(later logged) bool {
			return later.typ == c.typ && later.item == c.item && later.Version > d.key.Seen(c.typ)
		}) {
			s.t.Fatalf("the key %+v passed over %+v", d.key, c)
		}
	}
}

// cut takes the power away: of what is not durable some is lost. Questions are never answered then.
func (s *syncing) cut() {
	n := s.durable + s.r.IntN(len(s.tape.batches)-s.durable+1)
	s.tape = s.tape.cut(s.t, n)
	s.g.kv = s.tape
	for u, log := range s.logs {
		s.logs[u] = slices.DeleteFunc(log, func(c logged) bool { return c.batch > n })
	}
	s.rounds, s.written, s.questions, s.durable = nil, nil, nil, n
	s.reopen()
	for u := range s.lines {
		s.lines[u] = 0
		view := s.g.e.Read()
		if line, err := store.TrimLines.Get(view, u); err != nil {
			s.t.Fatal(err)
		} else if line != nil {
			s.lines[u] = line.Line
		}
		view.Close()
	}
}
