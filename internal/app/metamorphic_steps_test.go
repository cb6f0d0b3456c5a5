package app

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// step is one request of one device. It knows the world only by what is the same in all of them: people by their
// number, messages and groups by the slot of the step that made them. So a list of steps can lose any of them and go on.
type step struct {
	who, device int
	op          wire.Op
	slot        int // of the message or group that it makes
	request     func(*world) proto.Message
}

// author draws steps.
type author struct {
	*rand.Rand
	steps  []step
	drafts []draft
	groups []step // that make them
	slots  int
}

// draft is a message of an earlier step.
type draft struct {
	step
	at place
}

// place is a conversation.
type place func(*world) string

// write draws a list of steps.
func write(seed uint64, steps int) []step {
	a := &author{Rand: rand.New(rand.NewPCG(seed, 0))}
	a.newGroup()
	a.newGroup()
	for len(a.steps) < steps {
		a.next()
	}
	return a.steps
}

func (a *author) slot() int { a.slots++; return a.slots }

func (a *author) person() int { return a.IntN(len(inhabitants)) }

func (a *author) group() int { return a.groups[a.IntN(len(a.groups))].slot }

func (a *author) flip() *bool { b := a.IntN(2) == 0; return &b }

// add adds a step of anybody.
func (a *author) add(op wire.Op, request func(*world) proto.Message) {
	a.addAs(a.person(), op, 0, request)
}

func (a *author) addAs(who int, op wire.Op, slot int, request func(*world) proto.Message) {
	a.steps = append(a.steps, step{who, a.IntN(devicesOf[who]), op, slot, request})
}

// place draws a conversation, mostly one of who's.
func (a *author) place(who int) place {
	other := a.person()
	if a.IntN(20) == 0 {
		who = a.person()
	}
	if a.IntN(2) == 0 {
		return func(w *world) string { return hongyan.Direct(w.user(who), w.user(other)).String() }
	}
	slot := a.group()
	return func(w *world) string { return hongyan.GroupConversation(hongyan.GroupID(w.group(slot))).String() }
}

// message draws a message that was sent before, or one beside it, which may be a notice or none.
func (a *author) message() (draft, func(*world) uint64) {
	if len(a.drafts) == 0 {
		return draft{at: a.place(a.person())}, func(*world) uint64 { return 1 }
	}
	d := a.drafts[max(0, len(a.drafts)-1-a.IntN(12))]
	beside := uint64(0)
	if a.IntN(5) == 0 {
		beside = uint64(a.IntN(3))
	}
	return d, func(w *world) uint64 { return w.sent[d.slot].GetOrdinal() + beside }
}

func (a *author) next() {
	u := a.person()
	switch a.IntN(46) {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:
		a.send()
	case 10, 11:
		a.again()
	case 12, 13, 14:
		d, ordinal := a.message()
		who := d.who
		if a.IntN(3) == 0 {
			who = u
		}
		a.addAs(who, wire.OpRecall, 0, func(w *world) proto.Message {
			return &wire.RecallRequest{Conversation: d.at(w), Ordinal: ordinal(w)}
		})
	case 15:
		d, ordinal := a.message()
		a.add(wire.OpRemove, func(w *world) proto.Message {
			return &wire.RemoveRequest{Conversation: d.at(w), Ordinals: []uint64{ordinal(w)}}
		})
	case 16:
		d, ordinal := a.message()
		a.add(wire.OpClearHistory, func(w *world) proto.Message {
			return &wire.ClearHistoryRequest{Conversation: d.at(w), Ordinal: ordinal(w)}
		})
	case 17, 18, 19, 20:
		d, ordinal := a.message()
		a.add(wire.OpMarkRead, func(w *world) proto.Message {
			return &wire.MarkReadRequest{Conversation: d.at(w), Ordinal: ordinal(w)}
		})
	case 21, 22, 23, 24, 25:
		limit := uint32(a.IntN(20))
		device := a.IntN(devicesOf[u])
		a.steps = append(a.steps, step{u, device, wire.OpSync, 0, func(w *world) proto.Message {
			return &wire.SyncRequest{Key: w.people[u].devices[device].key, Limit: limit}
		}})
	case 26, 27:
		a.look()
	case 28, 29:
		a.setUp()
	case 30, 31, 32, 33, 34:
		a.contact(u)
	default:
		a.actInGroup(a.group(), u)
	}
}

// send writes something, to a conversation or to a name.
func (a *author) send() {
	who := a.person()
	slot, at, content := a.slot(), a.place(who), a.content()
	skew := time.Duration(0)
	switch a.IntN(40) {
	case 0:
		skew = -8 * 24 * time.Hour
	case 1:
		skew = 2 * time.Hour
	}
	target := func(w *world, r *wire.SendRequest) { r.Target = &wire.SendToConversation{Conversation: at(w)} }
	if a.IntN(6) == 0 {
		other := a.person()
		at = func(w *world) string { return hongyan.Direct(w.user(who), w.user(other)).String() }
		target = func(w *world, r *wire.SendRequest) { r.Target = &wire.SendToName{Name: w.people[other].name} }
	}
	a.addAs(who, wire.OpSend, slot, func(w *world) proto.Message {
		r := &wire.SendRequest{ClientId: clientIDOf(slot), FirstAttemptMs: w.firstAttempt(slot, skew), Content: wire.FromContent(content(w))}
		target(w, r)
		return r
	})
	a.drafts = append(a.drafts, draft{a.steps[len(a.steps)-1], at})
}

func clientIDOf(slot int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 8, 16), uint64(slot))
}

// again repeats a request that makes a message or a group, from any device of whoever made it, or sends something else
// under the same client id.
func (a *author) again() {
	if a.IntN(6) == 0 {
		a.steps = append(a.steps, a.groups[a.IntN(len(a.groups))])
		return
	}
	d, _ := a.message()
	if d.request == nil {
		return
	}
	s := d.step
	s.device = a.IntN(devicesOf[s.who])
	if a.IntN(4) == 0 {
		before := s.request
		s.request = func(w *world) proto.Message {
			r := before(w).(*wire.SendRequest)
			r.Content = wire.FromContent(hongyan.Text("something else"))
			return r
		}
	}
	a.steps = append(a.steps, s)
}

// content draws what a message says, now and then something that is refused.
func (a *author) content() func(*world) hongyan.Content {
	n, u := a.IntN(1000), a.person()
	var c hongyan.Content
	switch a.IntN(12) {
	case 0:
		c = hongyan.Text("雁 😀 \u202e\x01\u2028<b>&amp; \"text\"\\ \r\n\t" + fmt.Sprint(n))
	case 1:
		c = hongyan.Text(strings.Repeat("long text 鸿雁 ", 200+n))
	case 2:
		return func(w *world) hongyan.Content {
			c := hongyan.Text("text for somebody")
			c.Mentions = []hongyan.UserID{w.user(u)}
			c.Quote = &hongyan.Quote{Ordinal: 1, From: w.user(u), Excerpt: "text"}
			return c
		}
	case 3:
		c = hongyan.Content{Kind: hongyan.KindImage, Text: "text of a picture", Media: &hongyan.Media{
			Ref: "sha256-abc", Name: "a b.png", MIME: "image/png", Size: 1 << 40, Width: 640, Height: 480,
			SHA256: []byte(strings.Repeat("\xff\x00", 16)), Thumbnail: []byte{0x89, 'P', 'N', 'G', 0, 0xff},
		}}
	case 4:
		c = hongyan.Content{Kind: hongyan.KindLocation, Location: &hongyan.Location{
			Latitude: 31.2304, Longitude: -121.47370000000001, Name: "a place", Address: "an address",
		}}
	case 5:
		c = hongyan.Content{Kind: hongyan.KindCustom, Custom: &hongyan.Custom{Type: "app/move", Data: []byte{0, 1, 0xfe, 0xff}}}
	case 6:
		c = hongyan.Text("") // which is refused
	default:
		c = hongyan.Text(fmt.Sprint("text ", n))
	}
	return func(*world) hongyan.Content { return c }
}

// look reads something.
func (a *author) look() {
	d, ordinal := a.message()
	switch a.IntN(5) {
	case 0:
		limit := uint32(a.IntN(8))
		a.add(wire.OpHistory, func(w *world) proto.Message {
			return &wire.HistoryRequest{Conversation: d.at(w), Before: ordinal(w), Limit: limit}
		})
	case 1:
		a.add(wire.OpConversations, func(w *world) proto.Message {
			return &wire.ConversationsRequest{Ids: []string{d.at(w), "g:1"}}
		})
	case 2:
		a.add(wire.OpReaders, func(w *world) proto.Message {
			return &wire.ReadersRequest{Conversation: d.at(w), Ordinal: ordinal(w)}
		})
	case 3:
		u := a.person()
		a.add(wire.OpProfiles, func(w *world) proto.Message {
			return &wire.ProfilesRequest{Users: []uint64{1, uint64(w.user(u))}, Names: []string{"nobody", w.people[0].name}}
		})
	default:
		a.add(wire.OpSync, func(*world) proto.Message { return &wire.SyncRequest{Key: []byte("no key")} })
	}
}

// setUp changes what concerns oneself alone.
func (a *author) setUp() {
	n := a.IntN(4)
	switch who := a.person(); a.IntN(3) {
	case 0:
		name, bio := fmt.Sprint("Name ", n), strings.Repeat("bio ", n*30)
		a.addAs(who, wire.OpSetProfile, 0, func(*world) proto.Message {
			return &wire.SetProfileRequest{DisplayName: &name, Bio: &bio}
		})
	case 1:
		setting := &wire.Setting{Name: fmt.Sprint("setting ", n), Value: []byte{0, 0xff, byte(n)}[:n%4]}
		a.addAs(who, wire.OpSetSetting, 0, func(*world) proto.Message { return &wire.SetSettingRequest{Setting: setting} })
	default:
		at, set := a.place(who), [3]*bool{}
		set[a.IntN(3)] = a.flip()
		a.addAs(who, wire.OpSetConversation, 0, func(w *world) proto.Message {
			return &wire.SetConversationRequest{Conversation: at(w), Pinned: set[0], Muted: set[1], Hidden: set[2]}
		})
	}
}

// contact asks, answers, remarks, blocks or ends.
func (a *author) contact(u int) {
	flag := a.flip()
	switch a.IntN(9) {
	case 0, 1, 2:
		a.add(wire.OpAskContact, func(w *world) proto.Message {
			return &wire.AskContactRequest{Target: &wire.AskName{Name: w.people[u].name}, Note: "it is me"}
		})
	case 3, 4, 5:
		a.add(wire.OpAnswerContact, func(w *world) proto.Message {
			return &wire.AnswerContactRequest{User: uint64(w.user(u)), Accept: *flag}
		})
	case 6:
		remark := fmt.Sprint("remark ", a.IntN(3))
		a.add(wire.OpSetContact, func(w *world) proto.Message {
			return &wire.SetContactRequest{User: uint64(w.user(u)), Remark: &remark}
		})
	case 7:
		a.add(wire.OpSetContact, func(w *world) proto.Message {
			return &wire.SetContactRequest{User: uint64(w.user(u)), Blocked: flag}
		})
	default:
		a.add(wire.OpRemoveContact, func(w *world) proto.Message {
			return &wire.RemoveContactRequest{User: uint64(w.user(u))}
		})
	}
}

// newGroup founds a group with most of the others.
func (a *author) newGroup() {
	who, slot, policy := a.person(), a.slot(), wire.JoinPolicy(1+a.IntN(3))
	var others []int
	for i := range inhabitants {
		if a.IntN(3) > 0 {
			others = append(others, i)
		}
	}
	a.addAs(who, wire.OpCreateGroup, slot, func(w *world) proto.Message {
		r := &wire.CreateGroupRequest{Title: fmt.Sprint("group ", slot), Policy: policy, ClientId: clientIDOf(slot)}
		for _, i := range others {
			r.Names = append(r.Names, w.people[i].name)
		}
		return r
	})
	a.groups = append(a.groups, a.steps[len(a.steps)-1])
}

// actInGroup does something in a group, whether allowed or not.
func (a *author) actInGroup(slot, u int) {
	flag := a.flip()
	switch a.IntN(22) {
	case 0:
		if len(a.groups) < 4 {
			a.newGroup()
		}
	case 1, 2, 3, 4:
		a.add(wire.OpInvite, func(w *world) proto.Message {
			return &wire.InviteRequest{Group: w.group(slot), Users: []uint64{uint64(w.user(u))}}
		})
	case 5, 6:
		a.add(wire.OpJoin, func(w *world) proto.Message { return &wire.JoinRequest{Link: w.link(slot), Note: "please"} })
	case 7, 8:
		a.add(wire.OpAnswerJoin, func(w *world) proto.Message {
			return &wire.AnswerJoinRequest{Group: w.group(slot), User: uint64(w.user(u)), Accept: *flag}
		})
	case 9:
		a.add(wire.OpLeave, func(w *world) proto.Message { return &wire.LeaveRequest{Group: w.group(slot)} })
	case 10, 11:
		a.add(wire.OpRemoveMember, func(w *world) proto.Message {
			return &wire.RemoveMemberRequest{Group: w.group(slot), Users: []uint64{uint64(w.user(u))}}
		})
	case 12, 13:
		role := wire.Role(1 + a.IntN(3))
		a.add(wire.OpSetRole, func(w *world) proto.Message {
			return &wire.SetRoleRequest{Group: w.group(slot), User: uint64(w.user(u)), Role: role}
		})
	case 14, 15, 16:
		a.setGroup(slot, flag)
	case 17, 18:
		until := time.Duration(a.IntN(3)-1) * 24 * time.Hour
		a.add(wire.OpMuteMember, func(w *world) proto.Message {
			return &wire.MuteMemberRequest{Group: w.group(slot), User: uint64(w.user(u)), UntilMs: time.Now().Add(until).UnixMilli()}
		})
	case 19, 20:
		a.add(wire.OpGetGroup, func(w *world) proto.Message { return &wire.GetGroupRequest{Group: w.group(slot)} })
	default:
		if a.IntN(6) == 0 {
			a.add(wire.OpDissolve, func(w *world) proto.Message { return &wire.DissolveRequest{Group: w.group(slot)} })
		}
	}
}

func (a *author) setGroup(slot int, flag *bool) {
	kind, policy := a.IntN(5), wire.JoinPolicy(1+a.IntN(3))
	title := fmt.Sprint("title ", a.IntN(3))
	a.addAs(a.person(), wire.OpSetGroup, slot, func(w *world) proto.Message {
		r := &wire.SetGroupRequest{Group: w.group(slot)}
		switch kind {
		case 0:
			r.Title = &title
		case 1:
			r.Announcement = &title
		case 2:
			r.Policy = &policy
		case 3:
			r.MutedAll = flag
		default:
			r.NewLink = true
		}
		return r
	})
}
