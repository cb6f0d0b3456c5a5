package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
)

// origins are the origins of web pages, besides the server's own, that may use the API.
type origins struct {
	any  bool
	list []string
}

func newOrigins(list []string) origins {
	return origins{slices.Contains(list, "*"), list}
}

// own reports whether an origin is that of the page of this very server: a page at the host and port that the request
// goes to. The scheme is not compared, because a proxy may have taken the TLS off.
func own(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

func (o origins) allow(origin string) bool {
	return o.any || slices.ContainsFunc(o.list, func(one string) bool { return strings.EqualFold(one, origin) })
}

// What a page of another origin may send and read. A token goes in a header, so that no page gets at the cookies of
// another: credentials are never allowed.
const (
	corsMethods = "GET, HEAD, POST, PUT, DELETE"
	corsHeaders = "Authorization, Content-Type, If-None-Match, If-Range, Last-Event-ID, Range, X-Request-Id"
	corsExposed = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, WWW-Authenticate, X-Request-Id"
	corsMaxAge  = "7200" // seconds; browsers take no more
)

// crossOrigin applies the CORS protocol (Fetch Standard §3.3) and reports whether the exchange goes on. Clients that are
// no browsers send no Origin.
func (x *exchange) crossOrigin() bool {
	origin := x.r.Header.Get("Origin")
	h := x.w.Header()
	h.Set("Vary", "Origin")
	foreign := origin != "" && !own(origin, x.r.Host)
	if foreign && !x.api.origins.allow(origin) {
		x.refuse(hongyan.Errorf(hongyan.Forbidden, "pages of %q may not use this server", origin).
			WithHint("the operator can allow it: add it to http.origins"))
		return false
	}
	if foreign {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", corsExposed)
	}
	if x.r.Method != http.MethodOptions {
		return true
	}
	if foreign {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	h.Set("Allow", corsMethods+", OPTIONS")
	x.w.WriteHeader(http.StatusNoContent)
	return false
}
