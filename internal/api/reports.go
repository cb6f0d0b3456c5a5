package api

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/api/report"
	"github.com/hongyan-im/hongyan/internal/auth"
)

// Limits of reports, besides those of package report.
const (
	reportsPerHour  = 20   // from one network
	reportNetworks  = 4096 // that are remembered
	defaultReported = 100  // reports in an answer, if nobody says how many
)

// quota counts the reports of each network within an hour.
type quota struct {
	mu       sync.Mutex
	networks *lru.Cache[netip.Prefix, counted]
}

// counted is how many came since when.
type counted struct {
	since time.Time
	n     int
}

func newQuota() (*quota, error) {
	networks, err := lru.New[netip.Prefix, counted](reportNetworks)
	return &quota{networks: networks}, err
}

// take counts one more, or says when there is room again.
func (q *quota) take(now time.Time, from netip.Prefix) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, _ := q.networks.Get(from)
	if now.Sub(c.since) >= time.Hour {
		c = counted{since: now}
	}
	if c.n >= reportsPerHour {
		return hongyan.Errorf(hongyan.Throttled, "%d reports came from your network within an hour", c.n).
			WithHint("keep the latest and send it later").WithRetryAfter(time.Hour - now.Sub(c.since))
	}
	c.n++
	q.networks.Add(from, c)
	return nil
}

// takeReport keeps what a client tells of its network. Anybody may, and without encryption too: whoever gets through only
// so has most to tell, and a report holds nothing that others may not see.
func (x *exchange) takeReport() {
	in, _, err := formats(x.r)
	if err == nil && in != formatJSON {
		err = refuse(http.StatusUnsupportedMediaType, hongyan.Errorf(hongyan.Invalid, "a report is JSON"))
	}
	from := auth.Network(x.caller.Peer.Addr)
	now := x.api.desk.Now()
	if err == nil {
		err = x.api.quota.take(now, from)
	}
	var body []byte
	if err == nil {
		body, err = x.bodyWithin(report.MaxBody, x.api.bodyTimeUnauth)
	}
	var r report.Report
	if err == nil {
		r, err = report.Parse(body)
	}
	if err == nil {
		err = x.api.reports.Add(report.Entry{
			ReceivedMS: now.UnixMilli(), RequestID: x.id, From: from.String(), User: x.reporter(), Report: r,
		})
	}
	if err == nil {
		x.api.metrics.reports.Inc()
	}
	x.finish(typeJSON, []byte("{}"), err)
}

// reporter is whose report it is, if it comes with a token that is still good and that nobody else can have read.
func (x *exchange) reporter() hongyan.UserID {
	token, err := bearer(x.r.Header.Get("Authorization"))
	if err != nil || token == "" || !x.caller.Secure {
		return 0
	}
	id, err := x.identify(token)
	if err != nil {
		return 0
	}
	return id.User
}

// listReports shows the operator the latest reports.
func (x *exchange) listReports() {
	token, err := bearer(x.r.Header.Get("Authorization"))
	if err == nil && token != "" {
		_, err = x.identify(token)
	}
	if err == nil && !x.caller.Operator {
		err = hongyan.Errorf(hongyan.Forbidden, "reports are the operator's").
			WithHint("use the admin socket, or a server API key")
	}
	limit := defaultReported
	if text := x.r.URL.Query().Get("limit"); err == nil && text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > report.MaxListed {
			err = hongyan.Errorf(hongyan.Invalid, "limit: %q is no number from 1 to %d", text, report.MaxListed)
		}
	}
	var list []report.Entry
	if err == nil {
		list, err = x.api.reports.List(limit)
	}
	var body []byte
	if err == nil {
		body, err = json.Marshal(map[string]any{"reports": list})
	}
	x.finish(typeJSON, body, err)
}
