package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 0)
	stored, err := h.Hash(t.Context(), seeded(1), password(t, "cafe\u0301 au lait"))
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParsePasswordHash(stored.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Verify(t.Context(), read, password(t, "caf\u00e9\u3000au\u00a0lait")); err != nil {
		t.Errorf("the same password from another keyboard: %v", err)
	}
	for _, wrong := range []string{"cafe au lait", "caf\u00e9 au lait ", "CAF\u00c9 AU LAIT", "x"} {
		if err := h.Verify(t.Context(), read, password(t, wrong)); err != ErrWrongPassword {
			t.Errorf("Verify(%q): %v", wrong, err)
		}
	}
	if other, err := h.Hash(t.Context(), seeded(2), password(t, "caf\u00e9 au lait")); err != nil ||
		other.Reveal() == stored.Reveal() {
		t.Errorf("another salt gives the same hash (%v)", err)
	}
}

func TestHashRefusesShortPasswords(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 0)
	for typed, ok := range map[string]bool{
		"1234567": false, "12345678": true,
		"密码密码密码密": false, "密码密码密码密码": true,
		"e\u0301e\u0301e\u0301e\u0301": false, // eight code points typed, four after composing
	} {
		_, err := h.Hash(t.Context(), seeded(1), password(t, typed))
		var rule *RuleError
		if ok != (err == nil) || !ok && !errors.As(err, &rule) {
			t.Errorf("Hash(%q): %v", typed, err)
		}
	}
}

func TestHashNeedsRandomness(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 0)
	_, err := h.Hash(t.Context(), bytes.NewReader(make([]byte, saltSize-1)), password(t, "alice-secret"))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestUnknownAccountNeverPasses(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 0)
	if err := h.Verify(t.Context(), PasswordHash{}, password(t, "alice-secret")); err != ErrWrongPassword {
		t.Errorf("got %v", err)
	}
	if h.NeedsRehash(PasswordHash{}) {
		t.Error("no hash needs a rehash")
	}
}

// Time is not measured but caused by memory traffic: the work for an account that does not exist must touch as much
// memory as that for one that does.
func TestUnknownAccountCostsTheSame(t *testing.T) {
	h := newHasher(t, Params{Memory: 4 << 10, Time: 2, Threads: 1}, 1, 0)
	pw := password(t, "alice-secret")
	stored, err := h.Hash(t.Context(), seeded(1), pw)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(stored PasswordHash) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = h.Verify(t.Context(), stored, pw)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	known, unknown := cost(stored), cost(PasswordHash{})
	if known < 4<<20 {
		t.Fatalf("verifying took %d bytes, want at least 4 MiB", known)
	}
	if diff := max(known, unknown) - min(known, unknown); diff > known/20 {
		t.Errorf("a known account costs %d bytes, an unknown one %d", known, unknown)
	}
}

func TestNeedsRehash(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 0)
	stored, err := h.Hash(t.Context(), seeded(1), password(t, "alice-secret"))
	if err != nil {
		t.Fatal(err)
	}
	if h.NeedsRehash(stored) {
		t.Error("a hash of the same costs needs a rehash")
	}
	for _, p := range []Params{{16, 1, 1}, {8, 2, 1}, {16, 1, 2}} {
		if !newHasher(t, p, 1, 0).NeedsRehash(stored) {
			t.Errorf("%+v: needs no rehash", p)
		}
	}
}

func TestNewHasherRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		p                   Params
		concurrent, waiting int
	}{
		{Params{}, 1, 1}, {Params{4 << 20, 2, 1}, 1, 1}, {cheap, 0, 1}, {cheap, 1, -1},
	} {
		if _, err := NewHasher(test.p, test.concurrent, test.waiting); err == nil {
			t.Errorf("%+v accepted", test)
		}
	}
}

func TestHasherBoundsTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, cheap, 2, 3)
		pw := password(t, "alice-secret")
		for range 2 { // two computations that do not end
			h.line <- struct{}{}
			h.slots <- struct{}{}
		}
		results := make(chan error, 3)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { results <- h.Verify(ctx, PasswordHash{}, pw) }()
		for range 2 {
			go func() { results <- h.Verify(t.Context(), PasswordHash{}, pw) }()
		}
		synctest.Wait()
		if computing, waiting := h.Load(); computing != 2 || waiting != 3 {
			t.Fatalf("%d compute and %d wait, want 2 and 3", computing, waiting)
		}

		var busy *BusyError
		if err := h.Verify(t.Context(), PasswordHash{}, pw); !errors.As(err, &busy) || busy.RetryAfter < time.Second {
			t.Errorf("beyond the line: %v", err)
		}
		if _, err := h.Hash(t.Context(), seeded(1), pw); !errors.As(err, &busy) {
			t.Errorf("beyond the line: %v", err)
		}

		cancel()
		if err := <-results; err != context.Canceled {
			t.Errorf("a caller that left the line: %v", err)
		}
		if _, waiting := h.Load(); waiting != 2 {
			t.Errorf("%d wait, want 2", waiting)
		}

		for range 2 {
			<-h.slots
			<-h.line
		}
		for range 2 {
			if err := <-results; err != ErrWrongPassword {
				t.Errorf("a caller that waited: %v", err)
			}
		}
		if computing, waiting := h.Load(); computing != 0 || waiting != 0 {
			t.Errorf("%d compute and %d wait at the end", computing, waiting)
		}
	})
}

func TestCancelledCallerComputesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := newHasher(t, cheap, 1, 0)
	for range 100 { // the free slot and the end of ctx are both ready, and select picks either
		if err := h.Verify(ctx, PasswordHash{}, password(t, "alice-secret")); err != context.Canceled {
			t.Fatalf("got %v", err)
		}
	}
}

func TestBusyErrorGrowsWithTheLine(t *testing.T) {
	t.Parallel()
	short := newHasher(t, DefaultParams(), 1, 8).drainTime()
	long := newHasher(t, DefaultParams(), 1, 800).drainTime()
	wide := newHasher(t, DefaultParams(), 8, 800).drainTime()
	if short < time.Second || long < 10*short || wide >= long {
		t.Errorf("short line %v, long line %v, long line with more slots %v", short, long, wide)
	}
	if msg := (&BusyError{short}).Error(); !strings.Contains(msg, short.String()) {
		t.Errorf("no hint in %q", msg)
	}
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(b, DefaultParams(), 1, 0)
	pw := password(b, "alice-secret")
	random := seeded(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), random, pw); err != nil {
			b.Fatal(err)
		}
	}
}
