package app

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/static"
	"github.com/hongyan-im/hongyan/internal/webwx"
	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/web"
)

// handler answers HTTP on every listener: health for load balancers, metrics for this machine, and the web client for
// whoever comes with a browser.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle(api.Prefix, s.api)
	mux.Handle("GET /metrics", s.local(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})))
	mux.Handle("/", web.New(http.HandlerFunc(greet)))
	if s.webwx == nil {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if webwx.Serves(r) {
			s.webwx.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// greet says what this is to whoever asks for no web page, as curl does.
func greet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Hongyan %s, an instant-messaging server.\n\n"+
		"Open this address in a browser to chat. This port also speaks the long link, plain, over TLS and over WebSocket\n"+
		"("+LinkPath+"); see docs/PROTOCOL.md. /v1/ takes the same requests by HTTP.\n"+
		"GET /healthz says whether the server works. GET /metrics is for this machine only.\n", hongyan.Release)
}

// LinkPath is where a WebSocket carries the long link.
const LinkPath = "/v1/link"

// router answers what is not for net/http: the long link over WebSocket, and the files of the operator's folder.
func (s *Server) router() (func(*gate.Request), error) {
	if root := s.config.HTTP.Root; root != "" {
		var err error
		if s.site, err = static.Open(root); err != nil {
			return nil, fmt.Errorf("http.root: %w", err)
		}
	}
	acceptor := &ws.Acceptor{
		Origins: append([]string{ws.SameHost}, s.config.HTTP.Origins...), Protocols: []string{gate.ProtocolBinary, gate.ProtocolText},
		Deflate: &ws.Deflate{ServerNoContext: true, ClientNoContext: true},
	}
	return func(r *gate.Request) {
		path := string(r.Path)
		s.lookBehind(r)
		switch {
		case path == LinkPath:
			_ = r.OpenLink(acceptor)
		case s.api.Poll(r.Exchange, s.apiPeer(r.Peer())):
		case r.HasToken("upgrade", "websocket"):
			r.Respond(http1.Text(http.StatusNotFound, "WebSocket is at "+LinkPath))
		case s.webwx != nil && webwx.ServesPath(path):
		case s.site == nil || path == "/healthz" || path == "/metrics" || strings.HasPrefix(path, api.Prefix):
		default:
			s.site.Serve(r.Exchange, "/")
		}
	}, nil
}

// makeAPI makes the short link of a desk.
func (s *Server) makeAPI(desk *operation.Desk) (*api.API, error) {
	advertised, err := s.config.HTTP.Places()
	if err != nil {
		return nil, err
	}
	var places []api.Place
	for _, p := range advertised {
		places = append(places, api.Place(p))
	}
	return api.New(api.Config{
		Desk: desk, Origins: s.config.HTTP.Origins, Log: s.log, Metrics: s.metrics,
		Places: places, Ports: portsOf(s.config.Listen), Reports: s.report, Media: s.media,
		Peer: func(r *http.Request) api.Peer {
			return s.apiPeer(s.peer(r))
		},
	})
}

// lookBehind finds out who has sent a request that came by a trusted proxy.
func (s *Server) lookBehind(r *gate.Request) {
	if len(s.proxies) == 0 {
		return
	}
	c, ok := s.proxies.Client(r.Peer().Addr.Addr(), func(field string) (values []string) {
		for v := range r.All(field) {
			values = append(values, string(v))
		}
		return values
	})
	if ok {
		r.Behind(c.Addr, c.Secure)
	}
}

// peer is who has sent a request of net/http, behind a trusted proxy too.
func (s *Server) peer(r *http.Request) gate.Peer {
	p, _ := gate.PeerOf(r.Context())
	if c, ok := s.proxies.Client(p.Addr.Addr(), r.Header.Values); ok {
		return p.Behind(c.Addr, c.Secure)
	}
	return p
}

// apiPeer is what package api wants to know of a connection.
func (s *Server) apiPeer(p gate.Peer) api.Peer {
	return api.Peer{
		Peer: accountPeer(p), Secure: p.Secure || s.config.TLS.AllowPlain, TLS: p.TLS, Operator: p.Operator,
	}
}

// portsOf returns the ports of the addresses to listen on, as far as they are settled.
func portsOf(listen []string) (ports []uint16) {
	for _, addr := range listen {
		if ap, err := netip.ParseAddrPort("0.0.0.0" + addr[strings.LastIndexByte(addr, ':'):]); err == nil && ap.Port() != 0 {
			ports = append(ports, ap.Port())
		}
	}
	return ports
}

// accountPeer is what package account wants to know of a connection.
func accountPeer(p gate.Peer) account.Peer {
	return account.Peer{Addr: p.Addr.Addr(), Loopback: p.Loopback || p.Operator}
}

// health is 200 while the server can read and write, 503 with the reason otherwise. A nearly full disk does not make it
// unhealthy: reading goes on, and a restart would not help.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if s.engine.Failure() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "the store has failed")
		return
	}
	fmt.Fprintln(w, "ok")
}

// local lets only this machine through: metrics tell an outsider too much.
func (s *Server) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.peer(r); !p.Loopback && !p.Operator {
			http.Error(w, "metrics are shown to the server's own machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
