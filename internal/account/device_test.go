package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/store"
)

func (w *world) kick(by Identity, device hongyan.DeviceID) error {
	return shardtest.Try(w.Shard, func(done func(error)) { w.accounts.Kick(by.User, by.Device, device, done) })
}

func (w *world) logout(id Identity) error {
	return shardtest.Try(w.Shard, func(done func(error)) { w.accounts.Logout(id.User, id.Device, done) })
}

func TestTokensAndTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.account("alice"), w.account("bob")
	forged, err := auth.NewDeviceToken(w.Random, uint64(alice.User), uint64(alice.Device))
	must(t, err)
	stranger, err := auth.NewDeviceToken(w.Random, 4711, 4711)
	must(t, err)
	other, err := auth.NewKeyRing(w.Random)
	must(t, err)
	foreign, err := other.Sign(auth.Ticket{Account: uint64(alice.User), Device: uint64(alice.Device), Epoch: 1, Issued: w.Now(), Expires: w.Now().Add(day)})
	must(t, err)
	for name, tt := range map[string]struct {
		token string
		code  hongyan.Code
	}{
		"the token":                {alice.DeviceToken, 0},
		"the ticket":               {alice.Ticket, 0},
		"nothing":                  {"", hongyan.Unauthenticated},
		"nonsense":                 {strings.Repeat("x", 4000), hongyan.Unauthenticated},
		"a cut token":              {alice.DeviceToken[:40], hongyan.Unauthenticated},
		"a cut ticket":             {alice.Ticket[:40], hongyan.Unauthenticated},
		"a mistyped token":         {strings.Map(mistype, alice.DeviceToken), hongyan.Unauthenticated},
		"a made-up token":          {forged.Reveal(), hongyan.Revoked},
		"a token of nobody":        {stranger.Reveal(), hongyan.Revoked},
		"another server's ticket":  {foreign.Reveal(), hongyan.TokenExpired},
		"an API key there is none": {"hyk_" + alice.DeviceToken[4:], hongyan.Unauthenticated},
	} {
		id, err := w.auth(tt.token)
		wantCode(t, name, err, tt.code)
		if err == nil && (id.User != alice.User || id.Device != alice.Device || id.Name != "alice" || id.Operator ||
			id.DeviceToken != "" || id.Ticket == "" || id.Epoch != alice.Epoch || id.Head == 0) {
			t.Errorf("%s is that of %+v", name, id)
		}
	}
	w.Advance(TicketTTL)
	_, err = w.auth(alice.Ticket)
	wantCode(t, "a ticket after its time", err, hongyan.TokenExpired)
	again, err := w.auth(alice.DeviceToken)
	wantCode(t, "the token after years", err, 0)
	if _, err = w.auth(again.Ticket); err != nil || again.Ticket == alice.Ticket {
		t.Errorf("the new ticket: %v", err)
	}
	if _, err = w.auth(bob.DeviceToken); err != nil {
		t.Error(err)
	}
}

func mistype(r rune) rune {
	if r == 'B' {
		return 'C'
	}
	return r
}

func TestADeviceIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.account("alice")
	seen := func() int64 { return w.devices(alice.User)[0].LastSeenMS }
	first := seen()
	w.Advance(seenEvery - time.Millisecond)
	_, err := w.auth(alice.Ticket)
	must(t, err)
	if seen() != first {
		t.Error("every use is noted")
	}
	w.Advance(time.Millisecond)
	_, err = ask(w, func(done func(Identity, error)) { w.accounts.Authenticate(office, alice.Ticket, done) })
	must(t, err)
	if seen() != w.Now().UnixMilli() {
		t.Error("a use after an hour is not noted")
	}
	known := look(w, func(r store.Reader) (bool, error) { return w.accounts.knownFrom(r, alice.User, office.Addr) })
	if !known {
		t.Error("the network is not known")
	}
}

func TestEndingDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.account("alice")
	second, third := w.logsIn("alice", phone("second"), ""), w.logsIn("alice", phone("third"), "")
	bob := w.account("bob")
	wantCode(t, "a device there is none", w.kick(first, 4711), hongyan.NotFound)
	wantCode(t, "another account's", w.kick(first, bob.Device), hongyan.NotFound)
	wantCode(t, "another one", w.kick(first, second.Device), 0)
	wantCode(t, "again", w.kick(first, second.Device), hongyan.NotFound)
	wantCode(t, "by one that was kicked", w.kick(second, first.Device), hongyan.Revoked)
	wantCode(t, "oneself", w.kick(third, third.Device), 0)
	wantCode(t, "logging out", w.logout(first), 0)
	wantCode(t, "logging out again", w.logout(first), hongyan.Revoked)
	want := []string{end(second, "kicked"), end(third, "kicked"), end(first, "logged out")}
	if !slices.Equal(w.ended, want) {
		t.Errorf("ended were %q, want %q", w.ended, want)
	}
	for _, id := range []Identity{first, second, third} {
		for _, token := range []string{id.DeviceToken, id.Ticket} {
			_, err := w.auth(token)
			wantCode(t, "an ended device", err, hongyan.Revoked)
		}
	}
	if n := len(w.devices(first.User)); n != 0 {
		t.Errorf("there are %d devices", n)
	}
	if id := w.logsIn("alice", phone("again"), first.DeviceToken); id.Device == first.Device {
		t.Error("an ended device was taken over")
	}
}

func TestANewPasswordEndsTheOtherDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.account("alice")
	second := w.logsIn("alice", phone("second"), "")
	for name, tt := range map[string]struct {
		old, new string
		code     hongyan.Code
	}{
		"no old one":            {"", "long enough", hongyan.BadCredentials},
		"a wrong old one":       {"wrong", "long enough", hongyan.BadCredentials},
		"no new one":            {"alice-secret", "", hongyan.Invalid},
		"a new one too short":   {"alice-secret", "short", hongyan.Invalid},
		"a new one not in text": {"alice-secret", "a\xff\xff\xff\xff\xff\xff\xff", hongyan.Invalid},
	} {
		wantCode(t, name, w.setPassword(first, tt.old, tt.new), tt.code)
	}
	if len(w.ended) != 0 {
		t.Fatalf("ended were %q", w.ended)
	}
	wantCode(t, "a good one", w.setPassword(first, "alice-secret", "another secret"), 0)
	if want := []string{end(second, "revoked")}; !slices.Equal(w.ended, want) {
		t.Errorf("ended were %q, want %q", w.ended, want)
	}
	_, err := w.auth(first.DeviceToken)
	wantCode(t, "the device itself", err, 0)
	_, err = w.auth(second.Ticket)
	wantCode(t, "the other device", err, hongyan.Revoked)
	_, err = w.login(home, Credentials{Name: "alice", Password: "alice-secret", Device: phone("")})
	wantCode(t, "the old password", err, hongyan.BadCredentials)
	_, err = w.login(home, Credentials{Name: "alice", Password: "another secret", Device: phone("")})
	wantCode(t, "the new password", err, 0)
}

// A thief who is kicked while the password is being hashed does not get to end everybody else.
func TestAPasswordOfADeviceThatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner := w.account("alice")
	thief := w.logsIn("alice", phone("thief"), "")
	w.held = true
	var got error
	w.accounts.SetPassword(office, thief.User, thief.Device, "alice-secret", "of the thief", func(err error) { got = err })
	w.Rest()
	must(t, w.kick(owner, thief.Device))
	w.release()
	wantCode(t, "the thief's password", got, hongyan.Revoked)

	// Of two changes at once the first counts.
	var first, second error
	w.accounts.SetPassword(home, owner.User, owner.Device, "alice-secret", "the first one", func(err error) { first = err })
	w.accounts.SetPassword(home, owner.User, owner.Device, "alice-secret", "the second one", func(err error) { second = err })
	w.release()
	wantCode(t, "the first change", first, 0)
	wantCode(t, "the second change", second, hongyan.BadCredentials)
}
