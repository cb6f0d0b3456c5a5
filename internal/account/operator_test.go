package account

import (
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestOperatorsMakeAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Registration = ByOperator })
	rec, err := w.create(" Alice", "alice-secret", "Alice")
	must(t, err)
	if rec.Name != "alice" || rec.DisplayName != "Alice" || rec.User == 0 || rec.CreatedMS != w.Now().UnixMilli() || rec.Devices != 0 {
		t.Errorf("the account is %+v", rec)
	}
	if id := w.logsIn("alice", phone(""), ""); id.User != rec.User {
		t.Errorf("the login is that of %+v", id)
	}
	_, err = w.create("bot", "", "")
	must(t, err)
	_, err = w.login(home, Credentials{Name: "bot", Password: "anything at all", Device: phone("")})
	wantCode(t, "a login without a password", err, hongyan.BadCredentials)
	for name, tt := range map[string]struct {
		name, password, display string
		code                    hongyan.Code
	}{
		"a taken name": {"ALICE", "", "", hongyan.Exists}, "a bad name": {"a", "", "", hongyan.Invalid},
		"a short password": {"carol", "short", "", hongyan.Invalid}, "a bad display name": {"carol", "", " ", hongyan.Invalid},
	} {
		_, err := w.create(tt.name, tt.password, tt.display)
		wantCode(t, name, err, tt.code)
	}
}

func TestAccountsAreListedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, name := range []string{"dora", "anna", "carl", "bert", "emil"} {
		w.account(name)
	}
	w.logsIn("carl", phone(""), "")
	var got []string
	for after, more := "", true; more; {
		page, err := ask(w, func(done func(Listed, error)) { w.accounts.List(after, 2, done) })
		must(t, err)
		for _, a := range page.Accounts {
			got = append(got, a.Name)
			after = a.Name
			if want := map[string]int{"carl": 2}[a.Name]; a.Devices != max(1, want) {
				t.Errorf("%s has %d devices", a.Name, a.Devices)
			}
		}
		more = page.More
	}
	if want := []string{"anna", "bert", "carl", "dora", "emil"}; !slices.Equal(got, want) {
		t.Errorf("listed were %q, want %q", got, want)
	}
	for after, want := range map[string]int{"": 5, "b": 4, "zzz": 0, strings.Repeat("z", 1<<20): 0} {
		page, err := ask(w, func(done func(Listed, error)) { w.accounts.List(after, 0, done) })
		if must(t, err); len(page.Accounts) != want || page.More {
			t.Errorf("after %.5q come %d accounts, more %v", after, len(page.Accounts), page.More)
		}
	}
}

func TestOperatorsSetAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.account("alice")
	yes, no, password, none, short := true, false, "another secret", "", "short"
	rec, err := w.set("Alice", Settings{Retention: &store.Retention{Days: 7, Messages: 100}})
	must(t, err)
	if rec.Retention != (store.Retention{Days: 7, Messages: 100}) || rec.Devices != 1 || len(w.ended) != 0 {
		t.Errorf("the account is %+v, ended were %q", rec, w.ended)
	}
	_, err = w.set("alice", Settings{Password: &short})
	wantCode(t, "a short password", err, hongyan.Invalid)
	rec, err = w.set("alice", Settings{Password: &password})
	must(t, err)
	if want := []string{end(alice, "revoked")}; !slices.Equal(w.ended, want) || rec.Devices != 0 {
		t.Errorf("a new password left %d devices, ended were %q", rec.Devices, w.ended)
	}
	login := func(password string) (Identity, error) {
		return w.login(home, Credentials{Name: "alice", Password: password, Device: phone("")})
	}
	again, err := login(password)
	wantCode(t, "the new password", err, 0)
	rec, err = w.set("alice", Settings{Disabled: &yes})
	must(t, err)
	if want := end(again, "revoked"); !rec.Disabled || rec.Devices != 0 || w.ended[len(w.ended)-1] != want {
		t.Errorf("disabled: %+v, ended were %q", rec, w.ended)
	}
	_, err = w.auth(again.DeviceToken)
	wantCode(t, "a device of a disabled account", err, hongyan.Revoked)
	_, err = login(password)
	wantCode(t, "a login to a disabled account", err, hongyan.BadCredentials)
	_, err = w.mint("alice", phone(""))
	wantCode(t, "a token for a disabled account", err, hongyan.NotFound)
	_, err = w.set("alice", Settings{Disabled: &no})
	must(t, err)
	_, err = w.auth(again.DeviceToken)
	wantCode(t, "a device from before", err, hongyan.Revoked)
	_, err = login(password)
	wantCode(t, "a login after all", err, 0)
	_, err = w.set("alice", Settings{Password: &none})
	must(t, err)
	_, err = login(password)
	wantCode(t, "a login without a password", err, hongyan.BadCredentials)
	for _, name := range []string{"nobody", "", strings.Repeat("x", 1<<20)} {
		_, err := w.set(name, Settings{Disabled: &yes})
		wantCode(t, "nobody", err, hongyan.NotFound)
		if len(err.Error()) > 250 {
			t.Errorf("the refusal has %d bytes", len(err.Error()))
		}
		_, err = w.mint(name, phone(""))
		wantCode(t, "a token for nobody", err, hongyan.NotFound)
	}
}

func TestMintedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	rec, err := w.create("bot", "", "")
	must(t, err)
	minted, err := w.mint("Bot", NewDevice{"worker", hongyan.ClassBot})
	must(t, err)
	if minted.User != rec.User || minted.DeviceToken == "" || minted.Ticket != "" {
		t.Errorf("minted: %+v", minted)
	}
	id, err := w.auth(minted.DeviceToken)
	must(t, err)
	if id.Device != minted.Device || id.Name != "bot" {
		t.Errorf("it is that of %+v", id)
	}
	if known := look(w, func(r store.Reader) (bool, error) { return w.accounts.knownFrom(r, rec.User, Peer{}.Addr) }); known {
		t.Error("nobody has logged in from anywhere, and it is known")
	}
	_, err = w.mint("bot", NewDevice{Class: 0})
	wantCode(t, "without a class", err, hongyan.Invalid)
}

func TestServerAPIKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	create := func(name string) (string, error) {
		return ask(w, func(done func(string, error)) { w.accounts.CreateKey(name, done) })
	}
	key, err := create("the shop")
	must(t, err)
	id, err := w.auth(key)
	must(t, err)
	if id.User != 0 || id.Device != 0 || !id.Operator || id.Name != "the shop" || id.Ticket != "" || id.DeviceToken != "" {
		t.Errorf("the key is that of %+v", id)
	}
	other, err := auth.NewAPIKey(w.Random)
	must(t, err)
	for name, tt := range map[string]struct {
		key  string
		code hongyan.Code
	}{"unknown": {other.Reveal(), hongyan.Revoked}, "cut": {key[:20], hongyan.Unauthenticated}} {
		_, err := w.auth(tt.key)
		wantCode(t, name, err, tt.code)
	}
	for _, name := range []string{"", strings.Repeat("x", hongyan.MaxLabel+1)} {
		_, err := create(name)
		wantCode(t, "a key for nothing", err, hongyan.Invalid)
	}
}
