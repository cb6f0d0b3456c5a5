package account

import (
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestWhoMayRegister(t *testing.T) {
	t.Parallel()
	tests := []struct {
		registration                      Registration
		anybody, here, invited, wrongCode hongyan.Code
	}{
		{ByOperator, hongyan.RegistrationClosed, hongyan.RegistrationClosed, hongyan.RegistrationClosed, hongyan.RegistrationClosed},
		{ByInvitation, hongyan.RegistrationClosed, hongyan.RegistrationClosed, 0, hongyan.RegistrationClosed},
		{OnLoopback, hongyan.RegistrationClosed, 0, 0, hongyan.RegistrationClosed},
		{Open, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		w := newWorld(t, func(c *Config) { c.Registration = tt.registration })
		code, err := w.invite(0, 0)
		must(t, err)
		other, err := auth.NewCode(w.Random)
		must(t, err)
		for name, try := range map[string]struct {
			peer Peer
			code string
			want hongyan.Code
		}{
			"anybody": {home, "", tt.anybody}, "here": {loopback, "", tt.here},
			"invited": {home, strings.ToLower(code), tt.invited}, "wrong-code": {home, other.Reveal(), tt.wrongCode},
		} {
			id, err := w.register(try.peer, NewAccount{Name: name, Password: "long enough", Invitation: try.code, Device: phone("")})
			wantCode(t, name, err, try.want)
			if err == nil && (id.User == 0 || id.Device == 0 || id.Name != name || id.Operator || id.Head == 0 ||
				id.DeviceToken == "" || id.Ticket == "" || !id.TicketExpires.Equal(w.Now().Add(TicketTTL))) {
				t.Errorf("mode %d: %s is %+v", tt.registration, name, id)
			}
		}
	}
}

func TestAnInvitationServesAsOftenAndAsLongAsItSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Registration = ByInvitation })
	code, err := w.invite(2, 3)
	must(t, err)
	short, err := w.invite(1, 1)
	must(t, err)
	try := func(name, code string) error {
		_, err := w.register(home, NewAccount{Name: name, Password: "long enough", Invitation: code, Device: phone("")})
		return err
	}
	wantCode(t, "the first", try("anna", code), 0)
	wantCode(t, "a name that is taken uses nothing up", try("anna", code), hongyan.Exists)
	w.Advance(day)
	wantCode(t, "to the last moment", try("bert", short), 0)
	wantCode(t, "the second", try("carl", code), 0)
	wantCode(t, "the third", try("dora", code), hongyan.RegistrationClosed)
	if kept := look(w, func(r store.Reader) (*store.Invitation, error) { return store.Invitations.Get(r, code) }); kept != nil {
		t.Errorf("what is used up is kept: %+v", kept)
	}
	late, err := w.invite(1, 1)
	must(t, err)
	w.Advance(day + time.Millisecond)
	wantCode(t, "an expired one", try("emil", late), hongyan.RegistrationClosed)
	for _, bad := range []string{"x", "0000-0000-000U"} {
		wantCode(t, bad, try("fritz", bad), hongyan.Invalid)
	}
	for _, bad := range [][2]uint32{{MaxInvitations + 1, 1}, {1, 366}} {
		_, err := w.invite(bad[0], bad[1])
		wantCode(t, "an invitation without end", err, hongyan.Invalid)
	}
}

// Several people use the same invitation at once: no more come in than it serves.
func TestAnInvitationUsedInOneRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Registration = ByInvitation })
	code, err := w.invite(2, 1)
	must(t, err)
	codes := map[hongyan.Code]int{}
	for _, name := range []string{"anna", "bert", "carl", "anna"} {
		w.accounts.Register(home, NewAccount{Name: name, Password: "long enough", Invitation: code, Device: phone("")},
			func(_ Identity, err error) { codes[hongyan.CodeOf(err)]++ })
	}
	w.Step()
	if codes[0] != 2 || codes[hongyan.RegistrationClosed] != 2 {
		t.Errorf("the answers were %v", codes)
	}
}

func TestWhatCannotBeRegistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.account("taken")
	good := NewAccount{Name: "good", Password: "long enough", Device: phone("")}
	for name, tt := range map[string]struct {
		change func(n *NewAccount)
		code   hongyan.Code
	}{
		"no name":            {func(n *NewAccount) { n.Name = "" }, hongyan.Invalid},
		"a bad name":         {func(n *NewAccount) { n.Name = "a b" }, hongyan.Invalid},
		"a taken name":       {func(n *NewAccount) { n.Name = " Taken" }, hongyan.Exists},
		"no password":        {func(n *NewAccount) { n.Password = "" }, hongyan.Invalid},
		"a short password":   {func(n *NewAccount) { n.Password = "short" }, hongyan.Invalid},
		"a long password":    {func(n *NewAccount) { n.Password = strings.Repeat("x", 1025) }, hongyan.Invalid},
		"a bad display name": {func(n *NewAccount) { n.DisplayName = "\u202e" }, hongyan.Invalid},
		"no class":           {func(n *NewAccount) { n.Device.Class = 0 }, hongyan.Invalid},
		"an unknown class":   {func(n *NewAccount) { n.Device.Class = 7 }, hongyan.Invalid},
		"a long device name": {func(n *NewAccount) { n.Device.Name = strings.Repeat("x", MaxDeviceName+1) }, hongyan.Invalid},
		"a bad device name":  {func(n *NewAccount) { n.Device.Name = "a\nb" }, hongyan.Invalid},
	} {
		n := good
		tt.change(&n)
		_, err := w.register(home, n)
		wantCode(t, name, err, tt.code)
	}
	_, err := w.register(home, good)
	wantCode(t, "all good", err, 0)
	w.Engine().Refuse(hongyan.Errorf(hongyan.StorageLow, "no room"))
	good.Name = "late"
	_, err = w.register(home, good)
	wantCode(t, "on a full disk", err, hongyan.StorageLow)
}

// Registering costs nothing, guessing codes and names does, and what never got a verdict is given back.
func TestWhatRegistrationsCostTheirNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Registration = OnLoopback })
	code, err := w.invite(1, 1)
	must(t, err)
	wrong := "0000-0000-0000"
	try := func(p Peer, name, code string) error {
		_, err := w.register(p, NewAccount{Name: name, Password: "long enough", Invitation: code, Device: phone("")})
		return err
	}
	for i := range 40 {
		name := "local" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		wantCode(t, name, try(loopback, name, ""), 0)
	}
	w.busy = true
	for range 40 {
		wantCode(t, "busy", try(home, "anna", code), hongyan.Busy)
	}
	w.busy = false
	for range 40 {
		_, err := w.register(home, NewAccount{Name: "anna", Password: "short", Invitation: code, Device: phone("")})
		wantCode(t, "short", err, hongyan.Invalid)
	}
	guesses := 0
	for hongyan.CodeOf(try(home, "anna", wrong)) == hongyan.RegistrationClosed {
		guesses++
	}
	wantCode(t, "after many guesses", try(home, "anna", wrong), hongyan.Throttled)
	wantCode(t, "with the right code", try(home, "anna", code), hongyan.Throttled)
	wantCode(t, "from elsewhere", try(office, "anna", code), 0)
	if guesses < 10 || guesses > 100 {
		t.Errorf("%d guesses were free", guesses)
	}
	w.Advance(day)
	wantCode(t, "a day later", try(home, "bert", wrong), hongyan.RegistrationClosed)
	if err := try(home, "bert", wrong); err == nil || strings.Contains(err.Error(), wrong) {
		t.Errorf("the refusal repeats the code: %v", err)
	}
}
