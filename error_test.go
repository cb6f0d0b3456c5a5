package hongyan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestError(t *testing.T) {
	t.Parallel()
	plain := Errorf(Busy, "%d requests are under way", 256)
	hinted := plain.WithHint("wait for an answer")
	delayed := hinted.WithRetryAfter(time.Second)
	for _, tt := range []struct {
		e    *Error
		text string
		want Error
	}{
		{plain, "256 requests are under way (busy)", Error{Code: Busy, Message: "256 requests are under way"}},
		{hinted, "256 requests are under way (busy): wait for an answer",
			Error{Code: Busy, Message: "256 requests are under way", Hint: "wait for an answer"}},
		{delayed, "256 requests are under way (busy): wait for an answer",
			Error{Code: Busy, Message: "256 requests are under way", Hint: "wait for an answer", RetryAfter: time.Second}},
	} {
		if *tt.e != tt.want || tt.e.Error() != tt.text {
			t.Errorf("%+v says %q, want %+v, %q", *tt.e, tt.e, tt.want, tt.text)
		}
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want Code
	}{
		{nil, 0},
		{errors.New("disk"), Internal},
		{Errorf(Muted, "no"), Muted},
		{fmt.Errorf("send: %w", Errorf(Muted, "no")), Muted},
		{errors.Join(errors.New("disk"), Errorf(Muted, "no")), Muted},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("the code of %v is %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	all := Codes()
	names := map[string]bool{}
	for c := Internal; c <= Unavailable; c++ {
		name := all[c]
		if c.String() != name || names[name] || !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(name) {
			t.Errorf("code %d is called %q and %q", uint16(c), name, c)
		}
		names[name] = true
	}
	if len(all) != int(Unavailable) {
		t.Errorf("%d codes have a name, %d numbers are taken", len(all), Unavailable)
	}
	if got := Code(999).String(); got != "code_999" {
		t.Errorf("an unknown code is called %q", got)
	}
	clear(all)
	if len(Codes()) == 0 {
		t.Error("a caller can change the names")
	}
}

// TestRetryable pins which refusals clients repeat by themselves: docs/PROTOCOL.md tells them.
func TestRetryable(t *testing.T) {
	t.Parallel()
	retryable := []Code{Internal, Throttled, Busy, StorageLow, Unavailable}
	for c := range Codes() {
		if c.Retryable() != slices.Contains(retryable, c) {
			t.Errorf("%v: Retryable is %v", c, c.Retryable())
		}
	}
}
