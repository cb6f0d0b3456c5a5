package torture

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

const (
	remembered = 64 // messages that a device may come back to: to recall, repeat or read
	lanes      = 16 // sends of a lean device that are under way at a time
	retryRest  = 50 * time.Millisecond
)

// actor is what every device does, however it talks to the server: it wants things, and records what comes of them.
type actor struct {
	device
	plan *plan
	rec  *recorder
	ask  func(ctx context.Context, op wire.Op, request, reply proto.Message) error
	// deliver sends a message until it is answered for good.
	deliver func(ctx context.Context, s *sending)

	mu      sync.Mutex
	rng     *rand.Rand
	seen    []seen
	places  int // messages seen so far
	marks   map[hongyan.ConversationID]hongyan.Ordinal
	waiting map[int]*sending // patient sends without an answer, by number
	acked   int              // sends that were answered
	fault   string           // the last trouble, for people
}

// seen is a message that the device knows.
type seen struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
	from         hongyan.UserID
	client       hongyan.ClientID
	text         string
}

// sending is a send that is repeated until it is answered.
type sending struct {
	op           int
	conversation string
	client       []byte
	text         string
	firstMS      int64
}

func newActor(p *plan, d *device) (*actor, []entry, error) {
	rec, entries, err := openRecord(d.Record)
	if err != nil {
		return nil, nil, err
	}
	return &actor{
		device: *d, plan: p, rec: rec, rng: rand.New(rand.NewPCG(p.Seed^uint64(d.Device), uint64(rec.ops))),
		marks: map[hongyan.ConversationID]hongyan.Ordinal{}, waiting: map[int]*sending{},
	}, entries, nil
}

// replay takes over what an earlier life of the process has asked for.
func (a *actor) replay(e *entry) {
	switch e.What {
	case begins:
		if e.Kind == history.Send && e.Patient && !a.sdk() {
			a.waiting[e.Op] = &sending{e.Op, e.Conversation, e.Client, e.Text, e.FirstMS}
		}
	case done, refused:
		a.answered(e.Op, e.What == done && e.ID != 0)
	}
}

func (a *actor) answered(op int, sent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, op)
	if sent {
		a.acked++
	}
}

// see remembers what changes bring.
func (a *actor) see(changes []*wire.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range changes {
		m := c.GetMessage()
		if m == nil {
			continue
		}
		id, err := hongyan.ParseConversation(m.Conversation)
		if err != nil {
			continue // the check of the record says so
		}
		a.marks[id] = max(a.marks[id], hongyan.Ordinal(m.Ordinal))
		s := seen{id, hongyan.Ordinal(m.Ordinal), hongyan.UserID(m.From), hongyan.ClientID{}, m.GetContent().GetText()}
		copy(s.client[:], m.ClientId)
		if len(a.seen) < remembered {
			a.seen = append(a.seen, s)
		} else {
			a.seen[a.places%remembered] = s
		}
		a.places++
	}
}

// draw draws a number from 0 to n-1.
func (a *actor) draw(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rng.IntN(n)
}

// some draws a message that the device knows.
func (a *actor) some(suits func(*seen) bool) *seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range 8 {
		if len(a.seen) == 0 {
			return nil
		}
		if s := a.seen[a.rng.IntN(len(a.seen))]; suits(&s) {
			return &s
		}
	}
	return nil
}

func (a *actor) trouble(err error) {
	if err == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = err.Error()
}

// request makes a request that is not repeated, and records what comes of it.
func (a *actor) request(ctx context.Context, op wire.Op, request, reply proto.Message, e entry) {
	n := a.rec.begin(e)
	err := a.ask(ctx, op, request, reply)
	a.record(n, reply, err)
}

// record records the outcome of a request, if there is one.
func (a *actor) record(n int, reply proto.Message, err error) {
	var refusal *hongyan.Error
	switch sent, _ := reply.(*wire.SendReply); {
	case errors.As(err, &refusal):
		a.rec.add(entry{What: refused, Op: n, Code: uint16(refusal.Code)}, nil)
	case err != nil:
	case sent != nil:
		a.rec.add(entry{What: done, Op: n, ID: sent.Id, Ordinal: sent.Ordinal, TimeMS: sent.TimeMs}, nil)
	default:
		a.rec.add(entry{What: done, Op: n}, nil)
	}
}

// nowMS is the device's clock, which may be wrong.
func (a *actor) nowMS() int64 { return time.Now().UnixMilli() + a.SkewMS }

// send begins to send a message, under a client id of its own.
func (a *actor) send(ctx context.Context, to, text string) {
	var id hongyan.ClientID
	binary.BigEndian.PutUint64(id[:], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	a.sendAs(ctx, id, to, text, a.nowMS())
}

func (a *actor) sendAs(ctx context.Context, id hongyan.ClientID, to, text string, firstMS int64) {
	s := &sending{conversation: to, client: id[:], text: text, firstMS: firstMS}
	s.op = a.rec.begin(entry{Kind: history.Send, Conversation: to, Client: id[:], Text: text, Patient: true, FirstMS: firstMS})
	a.mu.Lock()
	a.waiting[s.op] = s
	a.mu.Unlock()
	a.deliver(ctx, s)
}

// transmit sends until there is an answer, as long as the context lasts.
func (a *actor) transmit(ctx context.Context, s *sending) {
	request := &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: s.conversation}, ClientId: s.client, FirstAttemptMs: s.firstMS,
		Content: wire.FromContent(hongyan.Text(s.text)),
	}
	for ctx.Err() == nil {
		reply := new(wire.SendReply)
		err := a.ask(ctx, wire.OpSend, request, reply)
		code := hongyan.CodeOf(err)
		var refusal *hongyan.Error
		if err == nil || errors.As(err, &refusal) && !code.Retryable() {
			a.record(s.op, reply, err)
			a.answered(s.op, err == nil)
			return
		}
		a.trouble(err)
		rest(ctx, retryRest+time.Duration(rand.Int64N(int64(4*retryRest))))
	}
}

// somewhere draws a conversation: most are of two.
func (a *actor) somewhere() string {
	if len(a.plan.Groups) > 0 && a.draw(4) == 0 {
		return hongyan.GroupConversation(a.plan.Groups[a.draw(len(a.plan.Groups))].ID).String()
	}
	return hongyan.Direct(a.User, a.plan.People[a.draw(len(a.plan.People))].User).String()
}

// chorusBeat is how often the devices of an account say the same under the same client id, each by itself.
const chorusBeat = 2 * time.Second

// chorus sends what all devices of the account send at this time, so that the server has to take them for one.
func (a *actor) chorus(ctx context.Context, at time.Time) {
	beat := at.UnixNano() / int64(chorusBeat)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d", a.plan.Seed, a.User, beat))
	to := a.plan.People[int(sum[31])%len(a.plan.People)].User
	a.sendAs(ctx, hongyan.ClientID(sum[:16]), hongyan.Direct(a.User, to).String(), fmt.Sprintf("chorus of %d, %d", a.User, beat), at.UnixMilli())
}

// wish is one thing besides sending that somebody wants.
func (a *actor) wish(ctx context.Context) {
	switch k := a.draw(100); {
	case k < 25:
		if s := a.some(func(s *seen) bool { return s.from == a.User && s.client != hongyan.ClientID{} && s.text != "" }); s != nil {
			a.repeat(ctx, s, a.draw(6) == 0)
		}
	case k < 40:
		if s := a.some(func(s *seen) bool { return s.from == a.User && s.text != "" }); s != nil {
			a.request(ctx, wire.OpRecall, &wire.RecallRequest{Conversation: s.conversation.String(), Ordinal: uint64(s.ordinal)},
				new(wire.RecallReply), entry{Kind: history.Recall, Conversation: s.conversation.String(), Ordinal: uint64(s.ordinal)})
		}
	case k < 65:
		if s := a.some(func(s *seen) bool { return s.from != a.User }); s != nil {
			a.request(ctx, wire.OpMarkRead, &wire.MarkReadRequest{Conversation: s.conversation.String(), Ordinal: uint64(s.ordinal)},
				new(wire.MarkReadReply), entry{Kind: history.MarkRead, Conversation: s.conversation.String(), Ordinal: uint64(s.ordinal)})
		}
	case k < 80:
		a.look(ctx)
	case k < 92:
		a.changeGroup(ctx)
	case k < 96:
		a.block(ctx)
	default:
		name, value := []string{"colour", "language"}[a.draw(2)], fmt.Sprintf("%d of %d", rand.Uint64(), a.Device)
		a.request(ctx, wire.OpSetSetting, &wire.SetSettingRequest{Setting: &wire.Setting{Name: name, Value: []byte(value)}},
			new(wire.SetSettingReply), entry{Kind: history.Set, Name: name, Text: value})
	}
}

// repeat sends again what some device of the account has sent, under the same id; or, if changed, something else.
func (a *actor) repeat(ctx context.Context, s *seen, changed bool) {
	text := s.text
	if changed {
		text += " (changed)"
	}
	a.request(ctx, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: s.conversation.String()}, ClientId: s.client[:],
		FirstAttemptMs: a.nowMS(), Content: wire.FromContent(hongyan.Text(text)),
	}, new(wire.SendReply), entry{
		Kind: history.Send, Conversation: s.conversation.String(), Client: s.client[:], Text: text,
	})
}

// look reads a conversation, or the list of them.
func (a *actor) look(ctx context.Context) {
	asked := monotonic()
	if a.draw(2) == 0 {
		reply := new(wire.ConversationsReply)
		if a.ask(ctx, wire.OpConversations, &wire.ConversationsRequest{}, reply) == nil {
			a.rec.add(entry{What: list, Asked: asked}, reply)
		}
		return
	}
	reply := new(wire.HistoryReply)
	if a.ask(ctx, wire.OpHistory, &wire.HistoryRequest{Conversation: a.somewhere(), Limit: 20}, reply) == nil {
		a.rec.add(entry{What: look, Asked: asked}, reply)
	}
}

// changeGroup goes, or, as the owner, brings somebody in or out.
func (a *actor) changeGroup(ctx context.Context) {
	if len(a.plan.Groups) == 0 {
		return
	}
	g := a.plan.Groups[a.draw(len(a.plan.Groups))]
	e := entry{Conversation: hongyan.GroupConversation(g.ID).String()}
	if g.Owner != a.User {
		if a.draw(12) == 0 {
			e.Kind = history.Leave
			a.request(ctx, wire.OpLeave, &wire.LeaveRequest{Group: uint64(g.ID)}, new(wire.LeaveReply), e)
		}
		return
	}
	u := a.plan.People[a.draw(len(a.plan.People))].User
	if u == a.User {
		return
	}
	e.Users = []uint64{uint64(u)}
	if a.draw(3) == 0 {
		e.Kind = history.Remove
		a.request(ctx, wire.OpRemoveMember, &wire.RemoveMemberRequest{Group: uint64(g.ID), Users: e.Users}, new(wire.RemoveMemberReply), e)
		return
	}
	e.Kind = history.Invite
	a.request(ctx, wire.OpInvite, &wire.InviteRequest{Group: uint64(g.ID), Users: e.Users}, new(wire.InviteReply), e)
}

// block blocks somebody for a moment, or lifts that.
func (a *actor) block(ctx context.Context) {
	u := a.plan.People[a.draw(len(a.plan.People))].User
	if u == a.User {
		return
	}
	blocked := a.draw(8) == 0 // few are blocked at a time
	e := entry{Kind: history.Unblock, Users: []uint64{uint64(u)}}
	if blocked {
		e.Kind = history.Block
	}
	a.request(ctx, wire.OpSetContact, &wire.SetContactRequest{User: uint64(u), Blocked: &blocked}, new(wire.SetContactReply), e)
}

// play wants things until the context ends, and returns when nothing that it began is under way any more. Lean devices
// send rate messages a second, or fewer if they are not answered.
func (a *actor) play(ctx, linger context.Context, rate float64) {
	var working sync.WaitGroup
	defer working.Wait()
	work := make(chan func())
	for range lanes {
		working.Go(func() {
			for do := range work {
				do()
			}
		})
	}
	defer close(work)
	put := func(until context.Context, do func()) bool {
		select {
		case work <- do:
			return true
		case <-until.Done():
			return false
		}
	}
	a.mu.Lock()
	left := make([]*sending, 0, len(a.waiting))
	for _, s := range a.waiting {
		if !a.sdk() { // whose outbox goes on by itself
			left = append(left, s)
		}
	}
	a.mu.Unlock()
	for _, s := range left {
		if !put(linger, func() { a.deliver(linger, s) }) { // however little is to be wanted any more
			return
		}
	}
	beat := time.NewTicker(chorusBeat)
	defer beat.Stop()
	pace := time.NewTicker(time.Duration(float64(time.Second) / max(rate, 0.01)))
	defer pace.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case at := <-beat.C:
			if !a.sdk() && !put(ctx, func() { a.chorus(linger, at.Truncate(chorusBeat)) }) {
				return
			}
		case <-pace.C:
			do := func() { a.send(linger, a.somewhere(), fmt.Sprintf("%d-%d of %d", n, rand.Uint32(), a.Device)) }
			if n%8 == 7 {
				do = func() { a.wish(linger) }
			}
			if !put(ctx, do) {
				return
			}
		}
	}
}
