// Package api is the short link: every operation of the long link as an HTTP request, with JSON or protobuf bodies, and
// the account's changes as a stream of server-sent events, for clients that cannot keep a link of their own.
//
//	request ─► exchange (who, body) ─► API.Start ─► operation.Desk ─► exchange ─► answer, or a problem
//	                                      └─ Sync with wait: hold ◄─ news, time, drain, client gone
//
// It is an adapter. It has no queue, no cursor and no message of its own: a request is what a frame of the long link is,
// with the same permissions and the same deduplication, and a stream is a loop of Syncs whose key the client holds. So
// any server of an account answers any request, and nothing is lost with the one that answered the last.
//
// An exchange is one request of net/http, which gives it a goroutine. What may be held for long, Start, needs none: it
// takes a request that was read and gives the answer to a callback.
//
// Beside that the package says where the server is found, takes the reports of clients whose network fails them, and is
// the way to the media store.
package api

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api/report"
	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// Prefix is the path under which everything of this package lies.
const Prefix = "/v1/"

// Limits of the short link. Those that the long link has too are the same.
const (
	MaxBody        = wire.MaxFrame       // bytes of a request's body
	MaxBodyUnauth  = wire.MaxFrameUnauth // of one that comes without a token
	BodyTime       = time.Minute         // for a whole body to arrive
	BodyTimeUnauth = 10 * time.Second    // for one that comes without a token
	MediaTime      = 5 * time.Minute     // for a whole file, or a part of one, to arrive
	MaxHeld        = 20_000              // requests that are held for news at a time, those of streams included
	MaxHeldBody    = 4096                // bytes of each, as protobuf: enough for any key
)

// Peer is what is known of the other side.
type Peer struct {
	account.Peer
	Secure   bool // nobody on the way can read along, or the operator does not mind
	TLS      bool
	Operator bool // came by the admin socket
}

// Config is what an API is made of.
type Config struct {
	Desk *operation.Desk
	// Peer says who sent a request.
	Peer func(*http.Request) Peer
	// Origins are the origins of web pages, besides the server's own, that may use the API; "*" is any.
	Origins []string
	// Places are where clients find the server. Without any they are told the name that they have used already, with the
	// port that they have used and Ports.
	Places  []Place
	Ports   []uint16
	Reports *report.Log // of clients whose network fails them
	Media   *media.Store
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// API answers HTTP requests below Prefix. It is an http.Handler.
type API struct {
	desk    *operation.Desk
	peer    func(*http.Request) Peer
	origins origins
	log     *slog.Logger
	routes  map[string]route // by the path behind Prefix; an asterisk is any name
	held    holds
	streams streams
	tickets *tickets
	metrics *metrics

	places   []Place
	ports    []uint16
	resolver *resolver
	reports  *report.Log
	media    *media.Store
	quota    *quota

	bodyTime, bodyTimeUnauth, mediaTime time.Duration // BodyTime, BodyTimeUnauth and MediaTime, but in tests
}

// route is what answers one path, by method.
type route map[string]func(*exchange)

// allows lists the methods of a route (RFC 9110 §10.2.1).
func (r route) allows() string {
	return strings.Join(append(slices.Sorted(maps.Keys(r)), http.MethodOptions), ", ")
}

// find returns the route of a path behind Prefix, and what stands in the path where the route has an asterisk.
func (a *API) find(path string) (to route, name string, ok bool) {
	if to, ok = a.routes[path]; ok {
		return to, "", true
	}
	steps := strings.Split(path, "/")
	for i, step := range steps {
		steps[i] = "*"
		if to, ok = a.routes[strings.Join(steps, "/")]; ok {
			return to, step, true
		}
		steps[i] = step
	}
	return nil, "", false
}

// New makes the API of a desk.
func New(c Config) (*API, error) {
	a := &API{
		desk: c.Desk, peer: c.Peer, origins: newOrigins(c.Origins), log: c.Log, held: newHolds(MaxHeld),
		streams: streams{of: map[hongyan.UserID][]chan struct{}{}}, tickets: newTickets(c.Desk.Now),
		places: c.Places, ports: c.Ports, resolver: newResolver(c.Places, c.Desk.Now), reports: c.Reports, media: c.Media,
		bodyTime: BodyTime, bodyTimeUnauth: BodyTimeUnauth, mediaTime: MediaTime,
	}
	page, err := makePage(document)
	if err != nil {
		return nil, err
	}
	if a.quota, err = newQuota(); err != nil {
		return nil, err
	}
	a.routes = map[string]route{
		"":              show("text/html; charset=utf-8", page),
		"openapi.json":  show(typeJSON, document),
		"addresses":     {http.MethodGet: (*exchange).addresses},
		"report":        {http.MethodPost: (*exchange).takeReport},
		"reports":       {http.MethodGet: (*exchange).listReports},
		"events":        {http.MethodGet: (*exchange).events},
		"events/ticket": {http.MethodPost: (*exchange).grantTicket},
		"events/cookie": {http.MethodPost: (*exchange).grantCookie},

		"media":                  {http.MethodPost: (*exchange).beginUpload},
		"media/whole":            {http.MethodPost: (*exchange).takeWhole},
		"media/uploads/*":        {http.MethodPut: (*exchange).takePart, http.MethodGet: (*exchange).showUpload, http.MethodDelete: (*exchange).abortUpload},
		"media/uploads/*/finish": {http.MethodPost: (*exchange).finishUpload},
		"media/*":                {http.MethodGet: (*exchange).showMedia, http.MethodHead: (*exchange).showMedia},
		"media/*/thumbnail":      {http.MethodGet: (*exchange).showThumbnail, http.MethodHead: (*exchange).showThumbnail},
	}
	for i := range wire.Operations {
		row := &wire.Operations[i]
		a.routes[wire.Path(row.Name)] = route{http.MethodPost: func(x *exchange) { x.call(row) }}
	}
	a.routes[wire.Path(syncRow.Name)][http.MethodGet] = (*exchange).poll
	a.metrics, err = newMetrics(a, c.Metrics)
	return a, err
}

// Drain answers what is held for news. Whoever gets nothing by that is asked to come back after a time that retry draws.
// The API goes on to answer, but holds nothing any more.
func (a *API) Drain(retry func() time.Duration) {
	a.held.drain(retry)
}
