package chat

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

func TestSettingsAreSharedByAllDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice := w.people("alice")[0]
	alice2 := w.device("alice")
	must(t, alice.setting("theme", "dark"))
	must(t, alice.setting("tone", "goose"))
	alice2.sync()
	must(t, alice2.setting("theme", "light"))
	must(t, alice2.setting("tone", ""))
	late := w.device("alice")
	for _, d := range []*device{alice, alice2, late} {
		d.sync()
		if want := map[string]string{"theme": "light"}; !maps.Equal(d.settings, want) {
			t.Errorf("a device has %v, want %v", d.settings, want)
		}
	}
	must(t, alice.setting("theme", "light"))
	must(t, alice.setting("tone", ""))
	must(t, alice.setting("never set", ""))
	if alice2.sync(); len(alice2.changes) != 0 {
		t.Errorf("settings that stay the same came as %+v", alice2.changes)
	}
}

func TestSettingsThatThereCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice := w.people("alice")[0]
	codes := map[hongyan.Code]int{}
	for i := range MaxSettings + 5 { // all in one round
		setting := hongyan.Setting{Name: fmt.Sprint("setting", i), Value: []byte("x")}
		w.chat.SetSetting(alice.Caller, setting, func(err error) { codes[hongyan.CodeOf(err)]++ })
	}
	w.Step()
	if want := map[hongyan.Code]int{0: MaxSettings, hongyan.TooMany: 5}; !maps.Equal(codes, want) {
		t.Errorf("the answers were %v, want %v", codes, want)
	}
	must(t, alice.setting("setting0", "another value"))
	must(t, alice.setting("setting1", ""))
	must(t, alice.setting("another", "x"))
	for name, tt := range map[string]struct {
		name, value string
		code        hongyan.Code
	}{
		"one more":     {"one more", "x", hongyan.TooMany},
		"no name":      {"", "x", hongyan.Invalid},
		"a long name":  {strings.Repeat("n", hongyan.MaxSettingName+1), "x", hongyan.Invalid},
		"a long value": {"setting2", strings.Repeat("v", hongyan.MaxSetting+1), hongyan.TooLarge},
		"the longest":  {"setting2", strings.Repeat("v", hongyan.MaxSetting), 0},
	} {
		if err := alice.setting(tt.name, tt.value); hongyan.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %v", name, err, tt.code)
		}
	}
}
