package chat

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// TestRandom lets several accounts with several devices do whatever comes to mind, some of it in the same round, and
// compares answers, and what each device has after syncing, with the model. A failure names the seed to run it again:
//
//	go test -run 'TestRandom/seed=7$' ./internal/chat
func TestRandom(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2, 3, 4, 5, uint64(time.Now().UnixNano())}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			r := newRandom(t, seed)
			for range 25 {
				for range 20 {
					r.act()
				}
				r.flush()
				for _, d := range r.devices {
					if r.IntN(3) == 0 {
						r.check(d)
					}
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			for _, d := range r.devices {
				r.check(d)
			}
		})
	}
}

// random is a random test under way.
type random struct {
	*rand.Rand
	t       *testing.T
	w       *world
	m       *model
	devices []*device
	groups  []hongyan.GroupID
	sent    []sentDraft
	log     []string // what was done since the last flush
	checks  []func()
}

type sentDraft struct {
	by    hongyan.UserID
	draft Draft
	sent  Sent
}

const randomWindow = time.Minute

func newRandom(t *testing.T, seed uint64) *random {
	r := &random{Rand: rand.New(rand.NewPCG(seed, 0)), t: t, w: newWorld(t, Config{RecallWindow: randomWindow}), m: newModel()}
	r.devices = r.w.people("anna", "bert", "carl", "dora", "emil")
	for _, d := range r.devices {
		r.m.add(d.User, d.name)
	}
	r.m.now = r.w.Now().UnixMilli()
	return r
}

func (r *random) device() *device { return r.devices[r.IntN(len(r.devices))] }

// other is any account, sometimes d's own.
func (r *random) other() hongyan.UserID { return r.device().User }

func (r *random) group() hongyan.GroupID {
	if len(r.groups) == 0 {
		return 4711
	}
	return r.groups[r.IntN(len(r.groups))]
}

func (r *random) conversation(d *device) hongyan.ConversationID {
	switch r.IntN(8) {
	case 0:
		return hongyan.Direct(r.other(), r.other()) // perhaps others'
	case 1, 2, 3:
		return hongyan.Direct(d.User, r.other())
	default:
		return hongyan.GroupConversation(r.group())
	}
}

// ordinal is one of a conversation, or a little beside it.
func (r *random) ordinal(c hongyan.ConversationID) hongyan.Ordinal {
	return hongyan.Ordinal(r.IntN(int(r.m.last(c)) + 2))
}

func (r *random) flip() *bool { b := r.IntN(2) == 0; return &b }

// expect takes note of what is asked, and of whether the model allows it. The answer comes with the next flush.
func (r *random) expect(allowed bool, d *device, format string, args ...any) func(error) {
	what := d.name + " " + fmt.Sprintf(format, args...)
	r.log = append(r.log, what)
	answers := 0
	var got error
	r.checks = append(r.checks, func() {
		var refusal *hongyan.Error
		switch {
		case answers != 1:
			r.t.Errorf("%s: %d answers", what, answers)
		case (got == nil) != allowed || got != nil && !errors.As(got, &refusal):
			r.t.Errorf("%s: %v, and the model allows it: %v", what, got, allowed)
		}
	})
	return func(err error) { got = err; answers++ }
}

func drop[R any](done func(error)) func(R, error) { return func(_ R, err error) { done(err) } }

// flush commits what was asked as one round, or as few as it takes, and looks at the answers.
func (r *random) flush() {
	r.w.Rest()
	for _, check := range r.checks {
		check()
	}
	if r.t.Failed() {
		r.t.Logf("in this round: %q", r.log)
	}
	r.checks, r.log = nil, nil
	r.w.Advance(time.Duration(1+r.IntN(10_000)) * time.Millisecond)
	r.m.now = r.w.Now().UnixMilli()
}

func (r *random) act() {
	d := r.device()
	c, u := r.conversation(d), r.other()
	chat, m := r.w.chat, r.m
	switch r.IntN(40) {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		draft := r.w.text(c, fmt.Sprint("text ", r.IntN(1000)))
		allowed := m.send(d.User, c, draft.Content.Text)
		done := r.expect(allowed, d, "writes to %s", c)
		chat.Send(d.Caller, draft, func(s Sent, err error) {
			if err == nil {
				r.sent = append(r.sent, sentDraft{d.User, draft, s})
			}
			done(err)
		})
	case 8:
		r.retry(d)
	case 9, 10:
		o := r.ordinal(c)
		allowed := m.recall(d.User, c, o, randomWindow.Milliseconds())
		chat.Recall(d.Caller, c, o, r.expect(allowed, d, "recalls %d of %s", o, c))
	case 11:
		o := r.ordinal(c)
		chat.Remove(d.Caller, c, []hongyan.Ordinal{o}, r.expect(m.remove(d.User, c, o), d, "removes %d of %s", o, c))
	case 12:
		o := r.ordinal(c)
		chat.ClearHistory(d.Caller, c, o, r.expect(m.clear(d.User, c, o), d, "clears %s up to %d", c, o))
	case 13, 14, 15:
		r.flush() // what is read was there before
		o := r.ordinal(c)
		chat.MarkRead(d.Caller, c, o, r.expect(m.read(d.User, c, o), d, "reads %s up to %d", c, o))
		r.flush()
	case 16:
		r.set(d, c)
	case 17:
		if r.IntN(3) == 0 {
			chat.RemoveContact(d.Caller, u, r.expect(m.unfriend(d.User, u), d, "is no contact of %d any more", u))
		} else {
			chat.AskContact(d.Caller, Target{User: u}, "hello", drop[hongyan.Contact](r.expect(m.ask(d.User, u), d, "asks %d", u)))
		}
	case 18:
		accept := *r.flip()
		chat.AnswerContact(d.Caller, u, accept, drop[hongyan.Contact](r.expect(m.answer(d.User, u, accept), d, "answers %d", u)))
	case 19:
		change := ContactChange{}
		if r.IntN(2) == 0 {
			blocked := r.IntN(4) == 0
			change.Blocked = &blocked
		} else {
			remark := fmt.Sprint("remark ", r.IntN(3))
			change.Remark = &remark
		}
		allowed := m.setContact(d.User, u, change.Blocked, change.Remark)
		chat.SetContact(d.Caller, u, change, drop[hongyan.Contact](r.expect(allowed, d, "sets %d", u)))
	case 20:
		name := fmt.Sprint("Name ", r.IntN(5))
		m.people[d.User].display = name
		chat.SetProfile(d.Caller, ProfileChange{DisplayName: &name}, drop[hongyan.Profile](r.expect(true, d, "is called %s", name)))
	case 21:
		name, value := fmt.Sprint("setting ", r.IntN(5)), []string{"", "a", "b"}[r.IntN(3)]
		if m.people[d.User].settings[name] = value; value == "" {
			delete(m.people[d.User].settings, name)
		}
		chat.SetSetting(d.Caller, hongyan.Setting{Name: name, Value: []byte(value)}, r.expect(true, d, "sets %s to %q", name, value))
	case 22:
		r.changeDevices(d)
	default:
		r.actInGroup(d, r.group(), u)
	}
	if r.IntN(3) == 0 {
		r.flush()
	}
}

// retry sends again what was sent, at once or later, from any device of the sender.
func (r *random) retry(d *device) {
	r.flush()
	if len(r.sent) == 0 {
		return
	}
	s := r.sent[r.IntN(len(r.sent))]
	if s.by != d.User {
		return
	}
	if again, err := d.draft(s.draft); err != nil || again != s.sent {
		r.t.Errorf("%s sends again: %+v, %v, want %+v", d.name, again, err, s.sent)
	}
}

func (r *random) set(d *device, c hongyan.ConversationID) {
	change := ViewChange{}
	v := r.m.view(d.User, c)
	switch r.IntN(3) {
	case 0:
		change.Pinned = r.flip()
		if v != nil {
			v.pinned = *change.Pinned
		}
	case 1:
		change.Muted = r.flip()
		if v != nil {
			v.muted = *change.Muted
		}
	default:
		change.Hidden = r.flip()
		if v != nil {
			v.hidden, v.hiddenAt = *change.Hidden, r.m.last(c)
		}
	}
	r.w.chat.SetConversation(d.Caller, c, change, r.expect(v != nil, d, "sets %s", c))
}

// changeDevices gives a device's account another one, or takes the device away.
func (r *random) changeDevices(d *device) {
	r.flush()
	n := 0
	for _, o := range r.devices {
		if o.User == d.User {
			n++
		}
	}
	if n < 3 && r.IntN(2) == 0 {
		r.devices = append(r.devices, r.w.device(d.name))
		return
	}
	if n < 2 {
		return
	}
	done := r.expect(true, d, "logs out")
	r.w.accounts.Logout(d.User, d.Device, done)
	r.w.chat.Send(d.Caller, r.w.text(d.with(d), "too late"), drop[Sent](r.expect(false, d, "writes after that")))
	r.flush()
	for i, o := range r.devices {
		if o == d {
			r.devices = append(r.devices[:i], r.devices[i+1:]...)
			return
		}
	}
}
