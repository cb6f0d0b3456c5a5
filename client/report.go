package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
)

// When a report is offered, and how it is sent.
const (
	reportAfter = 2               // rounds of attempts that failed, one after the other,
	reportSpan  = 8 * time.Second // or one that took so long

	reportMin   = 2 * time.Second // between attempts to send it: doubled each time,
	reportMax   = time.Minute     // up to this
	reportTime  = 10 * time.Second
	reportPlain = 2 * time.Second // for an answer without encryption
	maxReported = 8               // places that are tried without encryption

	maxText     = 160      // bytes of an error in a report,
	attemptSize = 160      // of the rest of an attempt, about,
	maxReport   = 15 << 10 // and of all attempts: servers take 16 KiB
)

// Report is what a device tells the operator of a network that fails it. It holds no names, texts or tokens.
type Report struct {
	Since    time.Time // since when there was no link
	Waiting  int       // messages that wait to be sent
	Attempts []Attempt // oldest first, at most 64
}

// outage is what happens while Run has no link.
type outage struct {
	since   time.Time
	failed  int
	offered bool
}

// attemptsFailed notes that a round of attempts has failed, and offers a report when it is time.
func (c *Client) attemptsFailed(o *outage) {
	if o.failed == 0 {
		o.since = time.Now()
		if list := c.attempts.since(o.since.Add(-dialTimeout)); len(list) > 0 {
			o.since = list[0].At
		}
	}
	if o.failed++; !o.offered && (o.failed >= reportAfter || time.Since(o.since) >= reportSpan) {
		o.offered = true
		c.feed.tell(ReportEvent{c.report(o.since)})
	}
}

// report makes a report of what happened since a time.
func (c *Client) report(since time.Time) Report {
	r := Report{Since: since, Attempts: c.attempts.since(since)}
	ctx, cancel := context.WithTimeout(c.ctx, time.Second) // for another process that is sending
	defer cancel()
	if items, err := c.Outbox(ctx); err == nil {
		for _, it := range items {
			if it.State == StateWaiting {
				r.Waiting++
			}
		}
	}
	return r
}

// Survey tries every way to the server to its end, however many work, and reports what became of each.
func (c *Client) Survey(ctx context.Context) (Report, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	began := time.Now()
	_, _, err := c.dialBy(ctx, c.credentials().Secure, everyRoute, true)
	r := c.report(began)
	if len(r.Attempts) > 0 {
		err = nil
	}
	return r, err
}

// SendReport sends a report over whatever path works, without encryption too if nothing else does, and tries until the
// context ends. It returns the id under which the operator finds the report.
func (c *Client) SendReport(ctx context.Context, r Report) (id string, err error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	body, err := json.Marshal(reported(r))
	if err != nil {
		return "", err
	}
	for pause := reportMin; ; pause = min(2*pause, reportMax) {
		_, _, changed := c.line.now()
		id, err = c.sendReport(ctx, body)
		if e := refusal(err); err == nil || e != nil && !e.Code.Retryable() {
			return id, err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-changed: // perhaps there is a link
		case <-ctx.Done():
			err = fmt.Errorf("the report could not be sent: %w", err)
		}
		timer.Stop()
		if ctx.Err() != nil {
			return "", err
		}
	}
}

// sendReport tries once: by the route of the link, by the best that is open, and where there is a server that cannot be
// spoken to in private, without encryption.
func (c *Client) sendReport(ctx context.Context, body []byte) (id string, err error) {
	post := func(base string, client *http.Client) (err error) {
		id, err = postReport(ctx, client, base, body)
		return err
	}
	if s, _, _ := c.line.now(); s != nil {
		if err := c.short(ctx, s, post); err == nil || refusal(err) != nil {
			return id, err
		}
	}
	s, _, err := c.dial(ctx, c.credentials().Secure)
	if err == nil {
		defer s.conn.Close()
		err = c.short(ctx, s, post)
		return id, err
	}
	if slices.Index(stages, stageConnect) >= stageOf(err) {
		return "", err
	}
	places, perr := c.network.places(rand.Int64N)
	if perr != nil {
		return "", perr
	}
	for _, p := range places[:min(len(places), maxReported)] {
		client := newShortClient(func(ctx context.Context) (net.Conn, error) { return c.connectPlain(ctx, p) })
		plain := post(shortBase(nameOf(core.Route{Host: p.Host, Port: p.Port}), false), client)
		client.CloseIdleConnections()
		if plain == nil || refusal(plain) != nil {
			return id, plain
		}
	}
	return "", err
}

// connectPlain connects to a place for what anybody may read.
func (c *Client) connectPlain(ctx context.Context, p core.Place) (nc net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, reportPlain)
	defer cancel()
	for _, ip := range append([]netip.Addr{{}}, p.IPs...) {
		if nc, err = c.opts.Dial.connect(ctx, addressOf(core.Route{Host: p.Host, Port: p.Port, IP: ip})); err == nil {
			return nc, nil
		}
	}
	return nil, err
}

// postReport sends a report, and returns its id.
func postReport(ctx context.Context, client *http.Client, base string, body []byte) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"report", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	_, err = readShort(response)
	return response.Header.Get("X-Request-Id"), err
}

// reported is a report as the server reads it.
func reported(r Report) any {
	type attempt struct {
		Transport string `json:"transport"`
		Address   string `json:"address"`
		AtMS      int64  `json:"atMs,string"`
		TookMS    int64  `json:"tookMs"`
		Stage     string `json:"stage"`
		Error     string `json:"error,omitempty"`
	}
	list := []attempt{}
	size := 0
	for _, a := range slices.Backward(r.Attempts) {
		text := ""
		if a.Err != nil {
			text = a.Err.Error()
			text = strings.ToValidUTF8(text[:min(len(text), maxText)], "")
		}
		if size += attemptSize + len(a.Address) + len(text); size > maxReport {
			break
		}
		list = append(list, attempt{a.Transport, a.Address, a.At.UnixMilli(), a.Took.Milliseconds(), a.Stage, text})
	}
	slices.Reverse(list)
	return struct {
		Client   string    `json:"client"`
		SinceMS  int64     `json:"sinceMs,string"`
		Waiting  int       `json:"waiting"`
		Attempts []attempt `json:"attempts"`
	}{"hongyan-go " + hongyan.Release + " " + runtime.GOOS, r.Since.UnixMilli(), r.Waiting, list}
}
