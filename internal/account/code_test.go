package account

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// never holds a request for ever.
func never(func()) func() { return func() {} }

func (w *world) asks(p Peer) AskedLogin {
	w.t.Helper()
	a, err := w.accounts.AskLogin(p, NewDevice{"browser", hongyan.ClassWeb})
	must(w.t, err)
	return a
}

func (w *world) await(secret string, known CodeState) (CodeProgress, error) {
	return ask(w, func(done func(CodeProgress, error)) { w.accounts.AwaitLogin(home, secret, known, never, done) })
}

func (w *world) reads(id Identity, code string) error {
	_, err := ask(w, func(done func(PendingLogin, error)) { w.accounts.ReadLogin(id.User, id.Device, code, done) })
	return err
}

func (w *world) answers(id Identity, code string, accept bool) error {
	_, err := ask(w, func(done func(struct{}, error)) {
		w.accounts.AnswerLogin(id.User, id.Device, code, accept, func(err error) { done(struct{}{}, err) })
	})
	return err
}

func TestLoginByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.account("alice"), w.account("bob")
	a := w.asks(home)
	wantCode(t, "an answer before it was read", w.answers(alice, a.Code, true), hongyan.Invalid)
	must(t, w.reads(alice, a.Code))
	must(t, w.reads(alice, a.Code)) // again
	wantCode(t, "read by somebody else", w.reads(bob, a.Code), hongyan.Forbidden)
	wantCode(t, "answered by somebody else", w.answers(bob, a.Code, true), hongyan.Forbidden)
	must(t, w.answers(alice, a.Code, true))
	wantCode(t, "answered again", w.answers(alice, a.Code, false), hongyan.Conflict)
	wantCode(t, "read when it was answered", w.reads(alice, a.Code), hongyan.Conflict)
	got, err := w.await(a.Secret, CodeScanned)
	must(t, err)
	if got.State != CodeAccepted || got.Login == nil || got.Login.User != alice.User || got.Login.Ticket == "" || got.Login.DeviceToken == "" {
		t.Fatalf("got %+v", got)
	}
	again, err := w.await(a.Secret, CodeAccepted)
	must(t, err)
	if again.Login == nil || *again.Login != *got.Login {
		t.Errorf("asked again, the login is %+v, not %+v", again.Login, got.Login)
	}
	if list := w.devices(alice.User); len(list) != 2 || list[1].Name != "browser" || list[1].Class != hongyan.ClassWeb {
		t.Errorf("the devices are %+v", list)
	}
	if id, err := w.auth(got.Login.DeviceToken); err != nil || id.User != alice.User {
		t.Errorf("its token: %+v, %v", id, err)
	}
}

func TestLoginByCodeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.account("alice")
	a := w.asks(home)
	must(t, w.reads(alice, a.Code))
	must(t, w.answers(alice, a.Code, false))
	if got, err := w.await(a.Secret, CodeScanned); err != nil || got.State != CodeDeclined || got.Login != nil {
		t.Errorf("declined: %+v, %v", got, err)
	}
	a = w.asks(home)
	_, err := w.await(a.Code, CodeWaiting)
	wantCode(t, "the code in place of the secret", err, hongyan.NotFound)
	wantCode(t, "the secret in place of the code", w.reads(alice, a.Secret), hongyan.NotFound)
	w.Advance(CodeTTL)
	wantCode(t, "too late", w.reads(alice, a.Code), hongyan.NotFound)
	_, err = w.await(a.Secret, CodeWaiting)
	wantCode(t, "too late", err, hongyan.NotFound)

	a = w.asks(home)
	must(t, w.reads(alice, a.Code))
	disabled := true
	_, err = w.set("alice", Settings{Disabled: &disabled})
	must(t, err)
	wantCode(t, "by a device that has ended", w.answers(alice, a.Code, true), hongyan.Revoked)
}

func TestLoginsByCodeAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range MaxCodeLoginsNetwork {
		w.asks(home)
	}
	_, err := w.accounts.AskLogin(home, NewDevice{"browser", hongyan.ClassWeb})
	wantCode(t, "one more from there", err, hongyan.Throttled)
	w.asks(at("198.51.100.7"))
	w.Advance(CodeTTL)
	w.asks(home)
	c := w.accounts.codes
	if len(c.byCode) != 1 || len(c.bySecret) != 1 || len(c.oldest) != 1 || len(c.networks) != 1 {
		t.Errorf("%d codes, %d secrets, %d in order, %d networks are kept", len(c.byCode), len(c.bySecret), len(c.oldest), len(c.networks))
	}
}

func TestAwaitLoginIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.account("alice")
	a := w.asks(home)
	var answers []CodeProgress
	var wakes []func()
	stopped := 0
	wait := func() {
		w.accounts.AwaitLogin(home, a.Secret, CodeWaiting, func(wake func()) func() {
			wakes = append(wakes, wake)
			return func() { stopped++ }
		}, func(p CodeProgress, err error) {
			must(t, err)
			answers = append(answers, p)
		})
	}
	wait()
	wait() // takes the place of the first
	if len(answers) != 1 || answers[0].State != CodeWaiting {
		t.Fatalf("the older request has %+v", answers)
	}
	must(t, w.reads(alice, a.Code))
	for _, wake := range wakes {
		wake()
	}
	if len(answers) != 2 || answers[1].State != CodeScanned || answers[1].By.Name != "alice" || stopped != 2 {
		t.Errorf("the answers are %+v, %d timers were stopped", answers, stopped)
	}
	w.Advance(time.Second)
}
