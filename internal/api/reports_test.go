package api

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api/report"
)

func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	elsewhere := Peer{Peer: account.Peer{Addr: netip.MustParseAddr("2001:db8::7")}}
	at := func(p Peer) { w.peer.Store(&p) }
	body := `{"client":"test","attempts":[{"transport":"tls","address":"a:1","error":"refused"}]}`

	at(elsewhere) // without encryption, and with a token that it should not have sent
	if a := anna.post("report", body); a.StatusCode != 200 || string(a.body) != "{}" {
		t.Fatalf("a report: %s %s", a.Status, a.body)
	}
	elsewhere.Secure = true
	at(elsewhere)
	last := anna.post("report", body)
	if a := (&device{world: w, token: "hya_old"}).post("report", body); a.StatusCode != 200 {
		t.Errorf("a report of one who is nobody any more: %s %s", a.Status, a.body)
	}
	for status, headers := range map[int][]string{415: {"Content-Type", typeProtobuf}, 400: {"Content-Type", typeJSON}} {
		if p := w.do("POST", "/v1/report", "\n", headers...).problem(t); p.Status != status {
			t.Errorf("%v: %+v", headers, p)
		}
	}
	if p := anna.post("report", `{"client":"`+strings.Repeat("x", report.MaxBody)).problem(t); p.Code != "TOO_LARGE" {
		t.Errorf("too much: %+v", p)
	}
	for range reportsPerHour {
		if a := anna.post("report", body); a.StatusCode != 200 {
			if p := a.problem(t); p.Code != "THROTTLED" || p.RetryAfterMS <= 0 || a.Header.Get("Retry-After") == "" {
				t.Errorf("too often: %+v", p)
			}
			break
		}
	}
	if p := anna.post("report", body).problem(t); p.Code != "THROTTLED" {
		t.Errorf("too often: %+v", p)
	}

	if p := w.do("GET", "/v1/reports", "", anna.bearer()...).problem(t); p.Code != "FORBIDDEN" {
		t.Errorf("anna reads the reports: %+v", p)
	}
	if p := w.do("GET", "/v1/reports", "").problem(t); p.Code != "FORBIDDEN" {
		t.Errorf("a stranger reads the reports: %+v", p)
	}
	at(Peer{Secure: true, Operator: true})
	for _, limit := range []string{"0", "-1", "x", "1001"} {
		if p := w.do("GET", "/v1/reports?limit="+limit, "").problem(t); p.Code != "INVALID" {
			t.Errorf("limit %s: %+v", limit, p)
		}
	}
	var got struct{ Reports []report.Entry }
	if a := w.do("GET", "/v1/reports?limit=1000", ""); json.Unmarshal(a.body, &got) != nil || len(got.Reports) < 3 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	first, second := got.Reports[len(got.Reports)-1], got.Reports[len(got.Reports)-2]
	if first.User != 0 || first.From != "2001:db8::/64" || first.Report.Attempts[0].Error != "refused" ||
		time.Since(time.UnixMilli(first.ReceivedMS)) > time.Minute {
		t.Errorf("the first report is %+v", first)
	}
	if second.User != hongyan.UserID(anna.user) || second.RequestID != last.Header.Get("X-Request-Id") {
		t.Errorf("the second report is %+v", second)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	q, err := newQuota()
	if err != nil {
		t.Fatal(err)
	}
	now, from := time.Unix(1_700_000_000, 0), netip.MustParsePrefix("192.0.2.1/32")
	for n := range reportsPerHour {
		if err := q.take(now.Add(time.Duration(n)*time.Minute), from); err != nil {
			t.Fatal(err)
		}
	}
	full := now.Add(59 * time.Minute)
	if err := q.take(full, from); hongyan.CodeOf(err) != hongyan.Throttled || err.(*hongyan.Error).RetryAfter != time.Minute {
		t.Errorf("one more: %v", err)
	}
	if err := q.take(full, netip.MustParsePrefix("192.0.2.2/32")); err != nil {
		t.Errorf("another network: %v", err)
	}
	if err := q.take(now.Add(time.Hour), from); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}
