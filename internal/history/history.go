// Package history records what the devices of a test asked of a server and what they were shown, and checks that the
// promises of docs/RELIABILITY.md were kept. It knows clients' words alone, so that a simulation and a rig of real
// processes can use it alike.
//
//	Begin, Complete, Refuse, Show, Commit, Hold, Settle ──► History ──Check──► violations
package history

import (
	"cmp"
	"slices"
	"sync"

	"github.com/hongyan-im/hongyan"
)

// Moment is a place in the order of everything that was recorded, from 1.
type Moment int64

// Device is who asks, and who is shown something.
type Device struct {
	User   hongyan.UserID
	Device hongyan.DeviceID
}

// Kind is what an Op asks for.
type Kind uint8

// The kinds of requests.
const (
	Send Kind = iota + 1
	Recall
	MarkRead
	Invite
	Remove
	Leave
	Block
	Unblock
	Set
)

var kinds = [...]string{
	Send: "send", Recall: "recall", MarkRead: "read", Invite: "invite", Remove: "remove", Leave: "leave",
	Block: "block", Unblock: "unblock", Set: "set",
}

func (k Kind) String() string { return kinds[k] }

// Op is one request. As long as Completed is zero nobody knows whether it was done.
type Op struct {
	Device
	Kind         Kind
	Conversation hongyan.ConversationID
	Client       hongyan.ClientID // of a Send: the same in all its retries
	Text         string           // of a Send; of a Set the value
	Name         string           // of a Set: a state that the devices of an account share
	Ordinal      hongyan.Ordinal  // of a Recall or MarkRead
	Users        []hongyan.UserID // of an Invite, Remove, Block or Unblock
	Patient      bool             // it is repeated until it is answered

	Invoked   Moment
	Completed Moment
	Code      hongyan.Code // why it was refused; 0 if it was done
	Result    Result       // of a Send that was done
}

// Done reports whether the request is known to have been done.
func (o *Op) Done() bool { return o.Completed != 0 && o.Code == 0 }

// Result is what a Send is answered with.
type Result struct {
	ID      hongyan.MessageID
	Ordinal hongyan.Ordinal
	TimeMS  int64
}

// Source is how a device came to see a Page.
type Source uint8

// The ways by which changes reach a device.
const (
	Pulled     Source = iota + 1
	Backfilled        // what a reset left out
	Pushed            // with a notification
	Looked            // the history or the state of conversations, which moves no key
)

// Page is what a device was shown at once.
type Page struct {
	Device
	Source        Source
	Asked         Moment          // when it was asked for; 0 if pushed
	Shown         Moment          // set by Show
	Version       hongyan.Version // what the key of the page stands for; 0 if it has none
	More          bool
	Reset         bool
	Changes       []hongyan.Change
	Conversations []hongyan.Conversation
	Messages      []hongyan.Message // of a look
}

// Commit says that a device stored changes together with the key that stands for them.
type Commit struct {
	Device
	Moment            Moment // set by Commit
	Previous, Version hongyan.Version
	Reset             bool // what was known is replaced: a backfill brings the rest
	Backfilled        bool // the changes are part of that rest
	Whole             bool // nothing of it is left to come
	Changes           []hongyan.Change
}

// Holding is what a device holds in the end.
type Holding struct {
	Device
	Messages []hongyan.Message // without expired ones
	States   map[string]string // what it knows of contacts, groups, its views of conversations and settings, by name
}

// View is what a device was told of a conversation when everything had come to rest.
type View struct {
	Device
	Conversation hongyan.Conversation
}

// History is what was recorded. Its methods may be called from several goroutines; its fields may be read when all
// recording is over.
type History struct {
	// Kept is how many of its newest messages an account keeps, 0 for all.
	Kept int

	Ops      []*Op
	Pages    []Page
	Commits  []Commit
	Holdings []Holding
	Views    []View

	mu   sync.Mutex
	last Moment
}

// Now is the moment of the last record.
func (h *History) Now() Moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// tick gives the next moment. Under the lock.
func (h *History) tick() Moment {
	h.last++
	return h.last
}

// Sort puts records whose moments were set elsewhere, by a clock that all devices share, in the order of the moments.
// History is complete then.
func (h *History) Sort() {
	slices.SortStableFunc(h.Ops, func(a, b *Op) int { return cmp.Compare(a.Invoked, b.Invoked) })
	slices.SortStableFunc(h.Pages, func(a, b Page) int { return cmp.Compare(a.Shown, b.Shown) })
	slices.SortStableFunc(h.Commits, func(a, b Commit) int { return cmp.Compare(a.Moment, b.Moment) })
	for _, o := range h.Ops {
		h.last = max(h.last, o.Invoked, o.Completed)
	}
	for i := range h.Pages {
		h.last = max(h.last, h.Pages[i].Shown)
	}
	for i := range h.Commits {
		h.last = max(h.last, h.Commits[i].Moment)
	}
}

// Begin records a request before anything of it leaves the device.
func (h *History) Begin(o Op) *Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	o.Invoked = h.tick()
	h.Ops = append(h.Ops, &o)
	return &o
}

// Complete records that a request was done. An answer that comes again changes nothing.
func (h *History) Complete(o *Op, r Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.Completed == 0 {
		o.Completed, o.Result = h.tick(), r
	}
}

// Refuse records that a request was refused for good.
func (h *History) Refuse(o *Op, code hongyan.Code) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.Completed == 0 {
		o.Completed, o.Code = h.tick(), code
	}
}

// Ask gives the moment at which something is asked for that is going to be shown as a Page.
func (h *History) Ask() Moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tick()
}

// Show records a page as it arrives.
func (h *History) Show(p Page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.Shown = h.tick()
	h.Pages = append(h.Pages, p)
}

// Commit records that a page was stored, before the device presents its key.
func (h *History) Commit(c Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.Moment = h.tick()
	h.Commits = append(h.Commits, c)
}

// Hold records what a device holds in the end, once for each.
func (h *History) Hold(d Holding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Holdings = append(h.Holdings, d)
}

// Settle records what a device was told of a conversation in the end.
func (h *History) Settle(v View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Views = append(h.Views, v)
}
