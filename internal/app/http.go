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
	"github.com/hongyan-im/hongyan/internal/operation"
)

// handler answers HTTP on every listener: health for load balancers, metrics for this machine, and a word to whoever
// looks with a browser.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle(api.Prefix, s.api)
	mux.Handle("GET /metrics", local(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "Hongyan %s, an instant-messaging server.\n\n"+
			"This port speaks the long link, plain and over TLS; see docs/PROTOCOL.md. /v1/ takes the same requests by HTTP.\n"+
			"GET /healthz says whether the server works. GET /metrics is for this machine only.\n", hongyan.Release)
	})
	return mux
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
		Places: places, Ports: portsOf(s.config.Listen), Reports: s.report,
		Peer: func(r *http.Request) api.Peer {
			p, _ := gate.PeerOf(r.Context())
			return api.Peer{
				Peer: accountPeer(p), Secure: p.Secure || s.config.TLS.AllowPlain, TLS: p.TLS, Operator: p.Operator,
			}
		},
	})
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
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil && !from.Addr().Unmap().IsLoopback() {
			http.Error(w, "metrics are shown to the server's own machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
