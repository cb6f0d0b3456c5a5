package app

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hongyan-im/hongyan"
)

// handler answers HTTP on every listener: health for load balancers, metrics for this machine, and a word to whoever
// looks with a browser.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", local(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "Hongyan %s, an instant-messaging server.\n\n"+
			"This port speaks the long link, plain and over TLS; see docs/PROTOCOL.md.\n"+
			"GET /healthz says whether the server works. GET /metrics is for this machine only.\n", hongyan.Release)
	})
	return mux
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
