package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.account("alice")
	second, err := w.login(home, Credentials{Name: " ALICE ", Password: "alice-secret", Device: NewDevice{"desk", hongyan.ClassDesktop}})
	must(t, err)
	if second.User != first.User || second.Device == first.Device || second.Head <= first.Head || second.Name != "alice" {
		t.Errorf("the first login gave %+v, the second %+v", first, second)
	}
	list := w.devices(first.User)
	if len(list) != 2 || list[0].ID != first.Device || list[1].Name != "desk" || list[1].Class != hongyan.ClassDesktop ||
		list[1].CreatedMS != w.Now().UnixMilli() || list[1].LastSeenMS != w.Now().UnixMilli() {
		t.Errorf("the devices are %+v", list)
	}
	if _, err := w.create("bot", "", ""); err != nil {
		t.Fatal(err)
	}
	disabled := true
	w.account("gone")
	_, err = w.set("gone", Settings{Disabled: &disabled})
	must(t, err)
	var texts []string
	for name, c := range map[string]Credentials{
		"a wrong password":   {Name: "alice", Password: "alice-Secret"},
		"no password":        {Name: "alice"},
		"a long password":    {Name: "alice", Password: strings.Repeat("x", 2000)},
		"nobody":             {Name: "nobody", Password: "alice-secret"},
		"no name":            {Password: "alice-secret"},
		"a bad name":         {Name: "a b", Password: "alice-secret"},
		"without a password": {Name: "bot", Password: "bot-secret"},
		"a disabled account": {Name: "gone", Password: "gone-secret"},
	} {
		c.Device = phone("")
		_, err := w.login(home, c)
		wantCode(t, name, err, hongyan.BadCredentials)
		texts = append(texts, err.Error())
	}
	slices.Sort(texts)
	if texts = slices.Compact(texts); len(texts) != 1 {
		t.Errorf("the refusals differ: %q", texts)
	}
	_, err = w.login(home, Credentials{Name: "alice", Password: "alice-secret"})
	wantCode(t, "without a class", err, hongyan.Invalid)
	if n := len(w.devices(first.User)); n != 2 {
		t.Errorf("there are %d devices", n)
	}
}

func TestALoginMayTakeItsOldDeviceOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.account("alice")
	bob := w.account("bob")
	again := w.logsIn("alice", phone("renamed"), first.DeviceToken)
	if again.Device != first.Device || again.Epoch != first.Epoch+1 || again.DeviceToken == first.DeviceToken {
		t.Errorf("taken over: %+v, after %+v", again, first)
	}
	if list := w.devices(first.User); len(list) != 1 || list[0].Name != "renamed" {
		t.Errorf("the devices are %+v", list)
	}
	// Who holds the old token or an old ticket is the device no more, and its connections end.
	for name, token := range map[string]string{"token": first.DeviceToken, "ticket": first.Ticket} {
		_, err := w.auth(token)
		wantCode(t, "the old "+name, err, hongyan.Revoked)
	}
	for name, token := range map[string]string{"token": again.DeviceToken, "ticket": again.Ticket} {
		id, err := w.auth(token)
		wantCode(t, "the new "+name, err, 0)
		if id.Device != first.Device || id.Epoch != again.Epoch {
			t.Errorf("the new %s is that of %+v", name, id)
		}
	}
	if want := []string{end(first, "replaced")}; !slices.Equal(w.ended, want) {
		t.Errorf("ended were %q, want %q", w.ended, want)
	}
	for name, token := range map[string]string{
		"an old token": first.DeviceToken, "another account's": bob.DeviceToken, "no token": "nonsense",
	} {
		if id := w.logsIn("alice", phone(name), token); id.Device == first.Device || id.Device == bob.Device || id.User != first.User {
			t.Errorf("%s took over: %+v", name, id)
		}
	}
}

func TestLoginPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.account("alice")
	for range 3 {
		w.logsIn("alice", phone(""), "")
	}
	_, err := w.login(home, Credentials{Name: "alice", Password: "alice-secret", Device: phone("")})
	wantCode(t, "one device more than there may be", err, hongyan.TooMany)
	w.logsIn("alice", phone(""), first.DeviceToken) // takes a place that is counted already
	_, err = w.mint("alice", phone(""))
	wantCode(t, "a token for one device more", err, hongyan.TooMany)

	w = newWorld(t, func(c *Config) { c.OnePerClass = true; c.MaxDevices = 2 })
	first = w.account("alice")
	desk := w.logsIn("alice", NewDevice{"desk", hongyan.ClassDesktop}, "")
	second := w.logsIn("alice", phone("second"), "")
	if want := []string{end(first, "replaced")}; !slices.Equal(w.ended, want) {
		t.Errorf("ended were %q, want %q", w.ended, want)
	}
	_, err = w.auth(first.DeviceToken)
	wantCode(t, "the phone before", err, hongyan.Revoked)
	for name, token := range map[string]string{"desk": desk.DeviceToken, "phone": second.Ticket} {
		_, err = w.auth(token)
		wantCode(t, name, err, 0)
	}
	// A device that changes its class ends the other one of that class, and not itself.
	turned := w.logsIn("alice", phone("the desk, now a phone"), desk.DeviceToken)
	if list := w.devices(first.User); turned.Device != desk.Device || len(list) != 1 || list[0].ID != desk.Device {
		t.Errorf("the devices are %+v", list)
	}
	_, err = w.login(home, Credentials{Name: "alice", Password: "alice-secret", Device: NewDevice{"tablet", hongyan.ClassTablet}})
	wantCode(t, "another class", err, 0)
	_, err = w.login(home, Credentials{Name: "alice", Password: "alice-secret", Device: NewDevice{"web", hongyan.ClassWeb}})
	wantCode(t, "a third class of two", err, hongyan.TooMany)
}

// What changes between the check of the password and the round of the login is respected.
func TestALoginThatIsOvertaken(t *testing.T) {
	t.Parallel()
	disabled, password := true, "another-secret"
	for name, s := range map[string]Settings{"disabled": {Disabled: &disabled}, "another password": {Password: &password}} {
		w := newWorld(t, nil)
		w.account("alice")
		var got error
		w.accounts.Login(home, Credentials{Name: "alice", Password: "alice-secret", Device: phone("")},
			func(_ Identity, err error) { got = err })
		// The login waits for its round; the operator's change gets in before it.
		w.Overtake(func() {
			_, err := w.set("alice", s)
			must(t, err)
		})
		w.Rest()
		wantCode(t, name, got, hongyan.BadCredentials)
	}
}

func TestGuessesAreSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.account("alice") // at home
	try := func(p Peer, password string) error {
		_, err := w.login(p, Credentials{Name: "alice", Password: password, Device: phone("")})
		return err
	}
	w.busy = true
	for range 100 {
		wantCode(t, "busy", try(office, "wrong"), hongyan.Busy)
	}
	w.busy = false
	guesses := 0
	for hongyan.CodeOf(try(office, "wrong")) == hongyan.BadCredentials {
		guesses++
	}
	if guesses != 6 {
		t.Errorf("%d guesses were free", guesses)
	}
	err := try(office, "alice-secret")
	wantCode(t, "the right password, too soon", err, hongyan.Throttled)
	var refusal *hongyan.Error
	if e, ok := err.(*hongyan.Error); ok {
		refusal = e
	}
	if refusal == nil || refusal.RetryAfter <= 0 {
		t.Fatalf("the refusal is %v", err)
	}
	wantCode(t, "from home", try(home, "alice-secret"), 0)
	w.Advance(refusal.RetryAfter)
	wantCode(t, "after the wait", try(office, "alice-secret"), 0)
	for range 5 {
		wantCode(t, "a success forgives", try(office, "wrong"), hongyan.BadCredentials)
	}
	// A guess at the old password by somebody who has the device counts in the same way.
	w.Advance(day)
	w.busy = true
	for range 20 {
		wantCode(t, "busy", w.setPassword(alice, "wrong", "long enough"), hongyan.Busy)
	}
	w.busy = false
	for i := range 7 {
		want := hongyan.BadCredentials
		if i == 6 {
			want = hongyan.Throttled
		}
		wantCode(t, "the old password", w.setPassword(alice, "wrong", "long enough"), want)
	}
	wantCode(t, "the right old password, too soon", w.setPassword(alice, "alice-secret", "long enough"), hongyan.Throttled)
	w.Advance(time.Hour)
	wantCode(t, "the right old password", w.setPassword(alice, "alice-secret", "long enough"), 0)
}
