package app

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

// Who lives in every world, and on how many devices.
var (
	inhabitants = []string{"anna", "bert", "carl", "dora", "emil"}
	devicesOf   = []int{2, 2, 1, 1, 1}
)

// world is the inhabitants on one server, who reach it in certain ways and know nobody else on it.
type world struct {
	people []*inhabitant
	tag    string // what all names of this world end with

	attempts map[int]int64           // when each message was first sent, by its slot
	sent     map[int]*wire.SendReply // by slot
	groups   map[int]*wire.Group     // by slot; what the last answer said

	labels map[drawn]string // see label
	seen   map[string]int
	lines  []string // what everybody was told
}

type inhabitant struct {
	id      uint64
	name    string
	devices []*remote
}

// remote is a device, far from the server.
type remote struct {
	askers []asker // taken in turns
	asked  int
	key    []byte
}

func (r *remote) ask(op wire.Op, req, reply proto.Message) error {
	r.asked++
	return r.askers[r.asked%len(r.askers)].ask(op, req, reply)
}

// worlds counts them: each has accounts of its own.
var worlds atomic.Uint64

// newWorld makes the accounts of a world on a server, and connects their devices in each of some ways.
func newWorld(t *testing.T, s *Server, by []way) (*world, error) {
	w := &world{
		tag: fmt.Sprintf(".w%d", worlds.Add(1)), attempts: map[int]int64{}, sent: map[int]*wire.SendReply{},
		groups: map[int]*wire.Group{}, labels: map[drawn]string{}, seen: map[string]int{},
	}
	conn, err := net.Dial("unix", config.AdminSocket(s.config.Data))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	operator := newPeer(t, conn)
	for i, name := range inhabitants {
		p := &inhabitant{name: name + w.tag}
		w.people = append(w.people, p)
		made := new(wire.CreateAccountReply)
		if err := operator.ask(wire.OpCreateAccount, &wire.CreateAccountRequest{Name: p.name}, made); err != nil {
			return w, err
		}
		p.id = made.Account.User
		w.labels[drawn{"account", p.id}] = name
		for n := range devicesOf[i] {
			minted, r := new(wire.MintTokenReply), new(remote)
			p.devices = append(p.devices, r)
			device := wire.FromDevice(hongyan.Device{Name: fmt.Sprint("device ", n+1), Class: hongyan.ClassPhone})
			if err := operator.ask(wire.OpMintToken, &wire.MintTokenRequest{Name: p.name, Device: device}, minted); err != nil {
				return w, err
			}
			w.labels[drawn{"device", minted.Device}] = fmt.Sprint(name, "-", n+1)
			for _, way := range by {
				a, err := way.open(t, s, minted.DeviceToken)
				if err != nil {
					return w, fmt.Errorf("%s: %w", way.name, err)
				}
				r.askers = append(r.askers, a)
			}
		}
	}
	return w, nil
}

// end hangs up.
func (w *world) end() {
	for _, p := range w.people {
		for _, r := range p.devices {
			for _, a := range r.askers {
				a.hangUp()
			}
		}
	}
}

func (w *world) user(who int) hongyan.UserID { return hongyan.UserID(w.people[who].id) }

// noGroup is the id of a group that nobody has made.
const noGroup = 4711

func (w *world) group(slot int) uint64 {
	if g := w.groups[slot]; g != nil {
		return g.Id
	}
	return noGroup
}

func (w *world) link(slot int) string {
	if g := w.groups[slot]; g != nil {
		return g.Link
	}
	return "no-such-link"
}

// take does a step, and writes down what it was answered. An error is one of the carrier, or of the test.
func (w *world) take(s step) error {
	r := w.people[s.who].devices[s.device]
	if s.op == wire.OpSync {
		if err := r.acknowledge(); err != nil {
			return err
		}
	}
	reply, err := w.ask(fmt.Sprint(inhabitants[s.who], "-", s.device+1), r, s.op, s.request(w))
	if err != nil || reply == nil {
		return err
	}
	switch reply := reply.(type) {
	case *wire.SendReply:
		w.sent[s.slot] = reply
	case *wire.SyncReply:
		r.key = reply.Key
	case *wire.CreateGroupReply:
		w.groups[s.slot] = reply.Group
	case *wire.SetGroupReply:
		w.groups[s.slot] = reply.Group
	}
	return nil
}

// ask makes a request and writes down what was asked and answered. The reply of a refused one is nil.
func (w *world) ask(who string, r *remote, op wire.Op, req proto.Message) (proto.Message, error) {
	row, ok := wire.Lookup(op)
	if !ok {
		return nil, fmt.Errorf("no operation %d", op)
	}
	reply := row.NewReply()
	asked := fmt.Sprintf("%s %s %s: ", who, op, w.plain(req))
	err := r.ask(op, req, reply)
	var refusal *hongyan.Error
	switch {
	case errors.As(err, &refusal):
		w.lines = append(w.lines, asked+"refused, "+refusal.Code.String())
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s%w", asked, err)
	}
	w.lines = append(w.lines, asked+w.plain(reply))
	return reply, nil
}

// acknowledge presents the key of the device and waits until that has had its effect, for which the server does not let
// anybody wait: a change that is asked for later, and changes nothing, is answered later.
func (r *remote) acknowledge() error {
	if r.key == nil {
		return nil
	}
	if err := r.ask(wire.OpAck, &wire.AckRequest{Key: r.key}, new(wire.AckReply)); err != nil {
		return err
	}
	return r.ask(wire.OpSetSetting, &wire.SetSettingRequest{Setting: &wire.Setting{Name: "nothing"}}, new(wire.SetSettingReply))
}

// inspect writes down all that each account can find out: its whole log, its conversations with their messages, its
// contacts, groups and devices.
func (w *world) inspect() error {
	for i, p := range w.people {
		who, r := inhabitants[i]+" finally", p.devices[0]
		first, err := w.ask(who, r, wire.OpSync, &wire.SyncRequest{})
		if err != nil {
			return err
		}
		if first == nil {
			return fmt.Errorf("%s is refused the first sync", who)
		}
		for token := first.(*wire.SyncReply).GetReset_().GetBackfill(); len(token) > 0; {
			page, err := w.ask(who, r, wire.OpBackfill, &wire.BackfillRequest{Token: token, Limit: 40})
			if err != nil {
				return err
			}
			if page == nil {
				return fmt.Errorf("%s is refused a page", who)
			}
			token = page.(*wire.BackfillReply).Token
		}
		questions := []question{
			{wire.OpConversations, &wire.ConversationsRequest{Limit: 100}}, {wire.OpContacts, &wire.ContactsRequest{}},
			{wire.OpDevices, &wire.DevicesRequest{}}, {wire.OpSearch, &wire.SearchRequest{Text: "text"}},
		}
		for _, c := range w.conversations(i) {
			questions = append(questions, question{wire.OpHistory, &wire.HistoryRequest{Conversation: c, Limit: 200}},
				question{wire.OpReaders, &wire.ReadersRequest{Conversation: c, Ordinal: 3}})
		}
		for _, slot := range sortedKeys(w.groups) {
			questions = append(questions, question{wire.OpGetGroup, &wire.GetGroupRequest{Group: w.group(slot)}})
		}
		for _, q := range questions {
			if _, err := w.ask(who, r, q.op, q.body); err != nil {
				return err
			}
		}
	}
	return nil
}

type question struct {
	op   wire.Op
	body proto.Message
}

// conversations are all that somebody can have in the world.
func (w *world) conversations(who int) []string {
	var list []string
	for other := range w.people {
		list = append(list, hongyan.Direct(w.user(who), w.user(other)).String())
	}
	for _, slot := range sortedKeys(w.groups) {
		list = append(list, hongyan.GroupConversation(hongyan.GroupID(w.group(slot))).String())
	}
	return list
}

func sortedKeys[V any](m map[int]V) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// firstAttempt is when a message was first sent, by a clock that may be wrong by skew.
func (w *world) firstAttempt(slot int, skew time.Duration) int64 {
	at, ok := w.attempts[slot]
	if !ok {
		at = time.Now().Add(skew).UnixMilli()
		w.attempts[slot] = at
	}
	return at
}
