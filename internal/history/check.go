package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hongyan-im/hongyan"
)

// Rule names a promise of docs/RELIABILITY.md.
type Rule string

// The promises.
const (
	Durable    Rule = "durable"    // what was acknowledged or shown is there in the end, on every device that is to have it
	Once       Rule = "once"       // a client id stands for one message and one result
	Order      Rule = "order"      // one conversation, one order, the same for all, and no later than what had returned before
	Key        Rule = "key"        // a key passes over nothing, and a pull finds what was acknowledged before it
	Recalled   Rule = "recalled"   // what was recalled is shown no more
	Membership Rule = "membership" // who writes and who reads was a member at that place, and not blocked
	Unread     Rule = "unread"     // the count is what its formula says
	Receipts   Rule = "receipts"   // nobody is said to have received or read what it has not
	Versions   Rule = "versions"   // versions grow, stay below 2^53 and are used once
	Progress   Rule = "progress"   // every send is answered in the end
)

// Violation is a broken promise.
type Violation struct {
	Rule   Rule
	Detail string
}

func (v Violation) String() string { return fmt.Sprintf("%s: %s", v.Rule, v.Detail) }

// MaxViolations bounds what Check returns: the first few tell the story.
const MaxViolations = 20

// Check returns the promises that the history breaks, none if all is well. It expects that every device has come to rest
// and that its Holding was recorded.
func Check(h *History) []Violation {
	c := newChecker(h)
	for _, check := range []func(){
		c.checkProgress, c.checkRetries, c.checkOrder, c.checkCommits, c.checkPages, c.checkBlocks, c.checkHoldings,
		c.checkStates, c.checkReceipts, c.checkViews,
	} {
		check()
	}
	return c.found
}

// checker holds what is known of the truth: the union of everything that anybody was told.
type checker struct {
	h      *History
	found  []Violation
	logs   map[hongyan.ConversationID]map[hongyan.Ordinal]*message
	sends  map[sendKey][]*Op
	stands map[sendKey]*message                         // where a client id's message stands, the first that was heard of
	places map[hongyan.UserID]map[hongyan.Version]place // what a version of an account is for, messages and recalls
	resets map[Device][]*Commit
}

type sendKey struct {
	user   hongyan.UserID
	client hongyan.ClientID
}

// message is one place of a conversation.
type message struct {
	hongyan.Message
	acked   Moment // when its send was first known to be done, 0 never
	invoked Moment // when its send began, 0 for notices
	shown   Moment // when a page first brought it to a device, 0 never
	recall  *Op    // that is known to be done
	tried   bool   // somebody tried to recall it
}

// place is what an entry of an account's log refers to.
type place struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
	recall       bool
}

func (p place) String() string {
	what := "message"
	if p.recall {
		what = "recall of"
	}
	return fmt.Sprintf("%s %s/%d", what, p.conversation, p.ordinal)
}

func newChecker(h *History) *checker {
	c := &checker{
		h: h, logs: map[hongyan.ConversationID]map[hongyan.Ordinal]*message{}, sends: map[sendKey][]*Op{},
		stands: map[sendKey]*message{},
		places: map[hongyan.UserID]map[hongyan.Version]place{}, resets: map[Device][]*Commit{},
	}
	c.collect()
	return c
}

func (c *checker) fail(r Rule, format string, args ...any) {
	if len(c.found) < MaxViolations {
		c.found = append(c.found, Violation{r, fmt.Sprintf(format, args...)})
	}
}

// collect gathers the truth. Two who were told different things about one place break a promise already.
func (c *checker) collect() {
	for _, o := range c.h.Ops {
		if o.Kind == Send {
			k := sendKey{o.User, o.Client}
			c.sends[k] = append(c.sends[k], o)
		}
	}
	for _, o := range c.h.Ops {
		if o.Kind == Send && o.Done() {
			m := c.learn(hongyan.Message{
				ID: o.Result.ID, Conversation: o.Conversation, Ordinal: o.Result.Ordinal, From: o.User, ClientID: o.Client,
				TimeMS: o.Result.TimeMS, Content: hongyan.Text(o.Text),
			}, acknowledgement{o}, o.Completed)
			if m.acked == 0 {
				m.acked = o.Completed
			}
		}
	}
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		for _, change := range p.Changes {
			if change.Message != nil {
				m := c.learn(*change.Message, p, p.Shown)
				if m != nil && m.shown == 0 {
					m.shown = p.Shown
				}
			}
			c.learnPlace(p.User, change)
		}
		for _, m := range p.Messages {
			c.learn(m, p, p.Shown)
		}
		for _, conversation := range p.Conversations {
			if m := conversation.LastMessage; m != nil {
				c.learn(*m, p, p.Shown)
			}
		}
	}
	for i := range c.h.Commits {
		if commit := &c.h.Commits[i]; commit.Reset {
			c.resets[commit.Device] = append(c.resets[commit.Device], commit)
		}
	}
	for _, o := range c.h.Ops {
		if m := c.logs[o.Conversation][o.Ordinal]; o.Kind == Recall && m != nil {
			m.tried = m.tried || o.Completed == 0 || o.Code == 0 || !final(o.Code)
			if o.Done() && (m.recall == nil || o.Completed < m.recall.Completed) {
				m.recall = o
			}
		}
	}
}

// acknowledgement is how a device learns where its message stands.
type acknowledgement struct{ *Op }

func (a acknowledgement) String() string {
	return fmt.Sprintf("the sender, device %d", a.Device.Device)
}

func (p *Page) String() string {
	return fmt.Sprintf("%s device %d", [...]string{"", "", "the backfill of", "a push to", "a look of"}[p.Source], p.Device.Device)
}

// final reports whether a refusal says for sure that nothing was done.
func final(code hongyan.Code) bool {
	return code != hongyan.Unavailable && code != hongyan.Internal && !code.Retryable()
}

// learn adds what somebody was told of a place to the truth, and compares.
func (c *checker) learn(m hongyan.Message, by fmt.Stringer, at Moment) *message {
	if m.State == hongyan.Expired {
		return nil // it tells nothing but the place
	}
	log := c.logs[m.Conversation]
	if log == nil {
		log = map[hongyan.Ordinal]*message{}
		c.logs[m.Conversation] = log
	}
	known := log[m.Ordinal]
	if known == nil {
		known = &message{Message: m}
		log[m.Ordinal] = known
		if k := (sendKey{m.From, m.ClientID}); c.stands[k] == nil {
			c.stands[k] = known
		}
		c.origin(known, by, at)
		return known
	}
	if known.ID != m.ID || known.From != m.From || known.ClientID != m.ClientID || known.TimeMS != m.TimeMS {
		c.fail(Order, "%s/%d is message %d of account %d to %s, message %d of account %d to others",
			m.Conversation, m.Ordinal, m.ID, m.From, by, known.ID, known.From)
		return known
	}
	if known.invoked > at {
		c.fail(Once, "%v was shown message %d in %s/%d before account %d began to send it", by, m.ID, m.Conversation, m.Ordinal, m.From)
	}
	if known.State == hongyan.Recalled && m.State == hongyan.Present {
		known.Content, known.State = m.Content, hongyan.Present // whether it was recalled is judged by the requests
	}
	if m.State == hongyan.Present && m.Content.Text != known.Content.Text {
		c.fail(Order, "%s/%d reads %q to %s and %q to others", m.Conversation, m.Ordinal, m.Content.Text, by, known.Content.Text)
	}
	return known
}

// origin looks for the request that a message comes from.
func (c *checker) origin(m *message, by fmt.Stringer, at Moment) {
	if m.Content.Kind == hongyan.KindNotice {
		return
	}
	for _, o := range c.sends[sendKey{m.From, m.ClientID}] {
		same := o.Conversation == m.Conversation && (m.State != hongyan.Present || o.Text == m.Content.Text)
		if same && (m.invoked == 0 || o.Invoked < m.invoked) {
			m.invoked = o.Invoked
		}
	}
	if m.invoked == 0 || m.invoked > at {
		c.fail(Once, "%s was shown message %d in %s/%d, %q, which account %d had not sent",
			by, m.ID, m.Conversation, m.Ordinal, m.Content.Text, m.From)
	}
}

func (c *checker) learnPlace(u hongyan.UserID, change hongyan.Change) {
	p, ok := placeOf(change)
	if !ok {
		return
	}
	log := c.places[u]
	if log == nil {
		log = map[hongyan.Version]place{}
		c.places[u] = log
	}
	if known, ok := log[change.Version]; ok && known != p {
		c.fail(Versions, "version %d of account %d is %v and %v", change.Version, u, known, p)
	}
	log[change.Version] = p
}

// placeOf returns what a change of the message type refers to.
func placeOf(change hongyan.Change) (place, bool) {
	switch {
	case change.Message != nil:
		return place{change.Message.Conversation, change.Message.Ordinal, false}, true
	case change.Recall != nil:
		return place{change.Recall.Conversation, change.Recall.Ordinal, true}, true
	}
	return place{}, false
}

// conversations returns what is known, in a stable order.
func (c *checker) conversations() []hongyan.ConversationID {
	return slices.SortedFunc(maps.Keys(c.logs), func(a, b hongyan.ConversationID) int { return cmp.Compare(a.String(), b.String()) })
}
