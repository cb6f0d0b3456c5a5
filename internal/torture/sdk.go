package torture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// heldPage is how many messages of what a profile holds stand in one entry.
const heldPage = 200

// sdk is a device on the Go SDK: a profile on disk that a killed process finds again.
type sdk struct {
	*actor
	client *client.Client

	sends sync.Mutex     // held from before a message is queued until its id is recorded
	ops   map[string]int // numbers of sends by client id
}

func newSDK(p *plan, d *device) (*sdk, error) {
	s := &sdk{ops: map[string]int{}}
	var entries []entry
	var err error
	if s.actor, entries, err = newActor(p, d); err != nil {
		return nil, err
	}
	s.actor.ask = func(ctx context.Context, op wire.Op, request, reply proto.Message) error {
		return s.client.Do(ctx, op, request, reply)
	}
	s.actor.deliver = s.queue
	for i := range entries {
		e := &entries[i]
		s.replay(e)
		switch e.What {
		case queued:
			s.ops[string(e.Client)] = e.Op
			s.waiting[e.Op] = &sending{op: e.Op, client: e.Client}
		case told:
			b := new(wire.Change)
			if err := wire.Unmarshal(e.Body, b); err != nil {
				return nil, err
			}
			s.see([]*wire.Change{b})
		}
	}
	return s, nil
}

// open opens the profile, which the first life makes.
func (s *sdk) open(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(s.Profile), 0o700); err != nil {
		return err
	}
	o := client.Options{OnEvent: s.event, Dial: dialOptions(s.Way, s.plan.Server)}
	for ctx.Err() == nil {
		var err error
		if s.client, err = client.Open(s.Profile, o); errors.Is(err, fs.ErrNotExist) {
			s.client, err = client.LoginToken(ctx, s.Profile, s.plan.Server, s.Token, o)
		}
		if err == nil {
			return s.reconcile(ctx)
		}
		s.trouble(err)
		rest(ctx, redialRest)
	}
	return context.Cause(ctx)
}

// reconcile looks what waits in the outbox. What does not was answered, and the kill came before that was recorded.
func (s *sdk) reconcile(ctx context.Context) error {
	items, err := s.client.Outbox(ctx)
	if err != nil {
		return err
	}
	waits := map[string]bool{}
	for _, it := range items {
		waits[string(it.ID[:])] = it.State == client.StateWaiting
	}
	for id, op := range s.ops {
		if !waits[id] {
			delete(s.ops, id)
			s.answered(op, false)
		}
	}
	return nil
}

// event records what the program is told.
func (s *sdk) event(e client.Event) error {
	var c hongyan.Change
	backfilled := false
	switch e := e.(type) {
	case client.MessageEvent:
		c, backfilled = hongyan.Change{Version: e.Version, Message: &e.Message}, e.Backfilled
	case client.RecallEvent:
		c = hongyan.Change{Version: e.Version, Recall: &e.Recall}
	case client.ReceiptEvent:
		c = hongyan.Change{Version: e.Version, Receipt: &e.Receipt}
	case client.ContactEvent:
		c = hongyan.Change{Version: e.Version, Contact: &e.Contact}
	case client.GroupEvent:
		c = hongyan.Change{Version: e.Version, Group: &e.Group}
	case client.SettingEvent:
		c = hongyan.Change{Version: e.Version, Setting: &e.Setting}
	case client.ResetEvent:
		s.rec.add(entry{What: reset}, nil)
		return nil
	case client.OutboxEvent:
		s.left(e.Item)
		return nil
	case client.TroubleEvent:
		s.trouble(e.Err)
		return nil
	case client.LinkEvent:
		s.trouble(e.Link.Err)
		return nil
	default:
		return nil
	}
	b := wire.FromChange(c)
	s.rec.add(entry{What: told, Backfilled: backfilled}, b)
	s.see([]*wire.Change{b})
	return nil
}

// queue puts a message into the outbox of the profile. If the process is killed in between, the record knows the message
// by its text, which no other has.
func (s *sdk) queue(ctx context.Context, m *sending) {
	to, err := hongyan.ParseConversation(m.conversation)
	if err != nil {
		panic(err) // it is made of ids
	}
	s.sends.Lock()
	defer s.sends.Unlock()
	id, err := s.client.Queue(ctx, client.ToConversation(to), hongyan.Text(m.text))
	if err != nil {
		s.trouble(err)
		s.answered(m.op, false)
		return
	}
	s.ops[string(id[:])] = m.op
	s.rec.add(entry{What: queued, Op: m.op, Client: id[:]}, nil)
}

// left records what became of a message of the outbox.
func (s *sdk) left(it client.OutboxItem) {
	if it.State == client.StateWaiting {
		return
	}
	s.sends.Lock()
	op, ok := s.ops[string(it.ID[:])]
	delete(s.ops, string(it.ID[:]))
	s.sends.Unlock()
	if !ok {
		return // its answer was recorded before
	}
	if it.State == client.StateSent {
		s.rec.add(entry{What: done, Op: op, ID: uint64(it.Result.ID), Ordinal: uint64(it.Result.Ordinal), TimeMS: it.Result.TimeMS}, nil)
	} else {
		s.rec.add(entry{What: refused, Op: op, Code: uint16(it.Code)}, nil)
	}
	s.answered(op, it.State == client.StateSent)
}

// hold brings the device up to date once more and records everything that it holds.
func (s *sdk) hold(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hang, errNoReply)
	defer cancel()
	if err := s.client.Sync(ctx); err != nil {
		return fmt.Errorf("device %d does not catch up: %w", s.Device, err)
	}
	conversations, err := s.client.Conversations()
	if err != nil {
		return err
	}
	page := new(wire.SyncReply)
	put := func(c hongyan.Change, last bool) {
		if !last {
			page.Changes = append(page.Changes, wire.FromChange(c))
		}
		if len(page.Changes) >= heldPage || last {
			s.rec.add(entry{What: held}, page)
			page = new(wire.SyncReply)
		}
	}
	for i := range conversations {
		c := conversations[i]
		below := hongyan.Ordinal(math.MaxUint64)
		for {
			messages, err := s.client.Messages(c.ID, below, heldPage)
			if err != nil {
				return err
			}
			for j := range messages {
				put(hongyan.Change{Message: &messages[j]}, false)
			}
			if len(messages) < heldPage {
				break
			}
			below = messages[0].Ordinal
		}
		c.LastMessage = nil
		put(hongyan.Change{Conversation: &c}, false)
	}
	contacts, err := s.client.Contacts()
	if err != nil {
		return err
	}
	for i := range contacts {
		put(hongyan.Change{Contact: &contacts[i]}, false)
	}
	groups, err := s.client.Groups()
	if err != nil {
		return err
	}
	for i := range groups {
		put(hongyan.Change{Group: &groups[i]}, false)
	}
	settings, err := s.client.Settings()
	if err != nil {
		return err
	}
	for i := range settings {
		put(hongyan.Change{Setting: &settings[i]}, false)
	}
	put(hongyan.Change{}, true)
	s.rec.add(entry{What: whole}, nil)
	return nil
}
