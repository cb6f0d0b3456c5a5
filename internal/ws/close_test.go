package ws

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// RFC 6455 §7.4: every code there is.
func TestCodeValid(t *testing.T) {
	t.Parallel()
	legal := map[int]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true, 1009: true, 1010: true,
		1011: true, 1012: true, 1013: true, 1014: true}
	for c := 3000; c < 5000; c++ {
		legal[c] = true
	}
	for c := range 1 << 16 {
		if Code(c).Valid() != legal[c] {
			t.Errorf("Valid(%d) is %v", c, !legal[c])
		}
	}
}

func closeFrame(body string) []byte {
	return AppendFrame(nil, Header{Fin: true, Op: Close}, []byte(body))
}

func TestCloseReceived(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("r", maxReason)
	for name, c := range map[string]struct {
		body   string
		code   Code
		reason string
		bad    Code
	}{
		"no body":               {body: "", code: CodeNoStatus},
		"half a code":           {body: "\x03", bad: CodeProtocolError},
		"code":                  {body: "\x03\xe8", code: CodeNormal},
		"code and reason":       {body: "\x03\xe9going", code: CodeGoingAway, reason: "going"},
		"reason of 123 bytes":   {body: "\x03\xe8" + long, code: CodeNormal, reason: long},
		"reason in Chinese":     {body: "\x0f\xa0再见", code: 4000, reason: "再见"},
		"reason not UTF-8":      {body: "\x03\xe8\xff", bad: CodeInvalidData},
		"reason cut in a point": {body: "\x03\xe8\xe5\x86", bad: CodeInvalidData},
		"1005":                  {body: "\x03\xed", bad: CodeProtocolError},
		"1006":                  {body: "\x03\xee", bad: CodeProtocolError},
		"1015":                  {body: "\x03\xf7", bad: CodeProtocolError},
		"0":                     {body: "\x00\x00", bad: CodeProtocolError},
		"999":                   {body: "\x03\xe7", bad: CodeProtocolError},
		"1004":                  {body: "\x03\xec", bad: CodeProtocolError},
		"1016":                  {body: "\x03\xf8", bad: CodeProtocolError},
		"2999":                  {body: "\x0b\xb7", bad: CodeProtocolError},
		"5000":                  {body: "\x13\x88", bad: CodeProtocolError},
		"65535":                 {body: "\xff\xff", bad: CodeProtocolError},
	} {
		r := NewReader(Client, 1<<10, nil)
		ev, n, err := r.Next(closeFrame(c.body))
		if got := codeOf(t, err); got != c.bad {
			t.Errorf("%s: failed with %d, want %d", name, got, c.bad)
		} else if c.bad == 0 && (ev.Op != Close || ev.Code != c.code || string(ev.Data) != c.reason || n != 2+len(c.body)) {
			t.Errorf("%s: %+v, %d", name, ev, n)
		}
	}
}

// §1.4: what follows a Close is discarded, even what breaks the rules.
func TestNothingAfterClose(t *testing.T) {
	t.Parallel()
	r := NewReader(Client, 1<<10, nil)
	chunk := append(closeFrame("\x03\xe8"), "\xff\xff\xff\xff"...)
	ev, n, err := r.Next(chunk)
	if ev.Op != Close || n != 4 || err != nil {
		t.Fatalf("%+v, %d, %v", ev, n, err)
	}
	for range 2 {
		if ev, n, err = r.Next(chunk[4:]); ev.Op != NoEvent || n != 4 || err != nil {
			t.Fatalf("after Close: %+v, %d, %v", ev, n, err)
		}
	}
}

func TestClosingAnswersOnce(t *testing.T) {
	t.Parallel()
	var c Closing
	if !c.Open() || c.Done() {
		t.Fatal("the zero Closing is not open")
	}
	out := c.Answer(nil, Event{Op: Close, Code: CodeGoingAway}, nil)
	if string(out) != "\x88\x02\x03\xe9" || c.Open() || !c.Done() {
		t.Fatalf("answer % x, open %v, done %v", out, c.Open(), c.Done())
	}
	if out = c.Answer(nil, Event{Op: Close, Code: CodeGoingAway}, nil); len(out) != 0 {
		t.Fatalf("second answer % x", out)
	}
	if out = c.Start(nil, CodeNormal, "", nil); len(out) != 0 {
		t.Fatalf("Close after the answer % x", out)
	}
}

func TestClosingStartedHere(t *testing.T) {
	t.Parallel()
	var c Closing
	out := c.Start(nil, CodeServiceRestart, "back soon", nil)
	if string(out) != "\x88\x0b\x03\xf4back soon" || c.Open() || c.Done() {
		t.Fatalf("% x, open %v, done %v", out, c.Open(), c.Done())
	}
	if out = c.Start(nil, CodeNormal, "", nil); len(out) != 0 {
		t.Fatalf("second Close % x", out)
	}
	if out = c.Answer(nil, Event{Op: Close, Code: CodeServiceRestart}, nil); len(out) != 0 || !c.Done() {
		t.Fatalf("answered its own Close: % x, done %v", out, c.Done())
	}
}

func TestClosingEmptyIsAnsweredEmpty(t *testing.T) {
	t.Parallel()
	var c Closing
	if out := c.Answer(nil, Event{Op: Close, Code: CodeNoStatus}, nil); string(out) != "\x88\x00" {
		t.Fatalf("% x", out)
	}
}

func TestClosingOfAClientIsMasked(t *testing.T) {
	t.Parallel()
	var c Closing
	key := Key(0x04030201)
	if out := c.Start(nil, CodeNormal, "", &key); string(out) != "\x88\x82\x01\x02\x03\x04\x02\xea" {
		t.Fatalf("% x", out)
	}
}

func TestClosingFailIsFinal(t *testing.T) {
	t.Parallel()
	var c Closing
	if out := c.Fail(nil, errText, nil); !bytes.HasPrefix(out[2:], []byte("\x03\xef")) || !c.Done() {
		t.Fatalf("% x, done %v", out, c.Done())
	}
}

// Whatever is asked for, a Close that is sent is one that every peer must accept.
func TestClosingSendsOnlyLegalFrames(t *testing.T) {
	t.Parallel()
	reasons := []string{"", "bye", strings.Repeat("长", 60), strings.Repeat("x", 122) + "é", "bad \xff reason", strings.Repeat("z", 4096)}
	for code := range 1 << 16 {
		if code%7 != 0 && (code < 990 || code > 1020) {
			continue
		}
		for _, reason := range reasons {
			var c Closing
			out := c.Start(nil, Code(code), reason, nil)
			r := NewReader(Client, 0, nil)
			ev, n, err := r.Next(out)
			if err != nil || ev.Op != Close || n != len(out) {
				t.Fatalf("code %d, reason %.20q: %+v, %d of %d, %v", code, reason, ev, n, len(out), err)
			}
			if Code(code).Valid() && ev.Code != Code(code) || !strings.HasPrefix(reason, string(ev.Data)) {
				t.Fatalf("code %d, reason %.20q: arrived as %+v", code, reason, ev)
			}
			if Code(code).Valid() && utf8.ValidString(reason) && len(reason)-len(ev.Data) > 0 && len(ev.Data) < maxReason-3 {
				t.Fatalf("reason %.20q was cut to %d bytes", reason, len(ev.Data))
			}
		}
	}
}

// Every reason with which a Reader fails a connection fits into the Close frame that reports it.
func TestErrorsFitIntoClose(t *testing.T) {
	t.Parallel()
	for _, e := range []*Error{errOpcode, errLongCtl, errFragCtl, errNotMinimal, errLengthSign, errUnmasked, errMasked,
		errReserved, errNoMessage, errInterleaved, errTooBig, errText, errCloseBody, errCloseCode, errCloseReason, errInflate} {
		if len(e.Reason) > maxReason || !e.Code.Valid() || e.Error() == "" {
			t.Errorf("%v", e)
		}
	}
}
