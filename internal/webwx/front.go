package webwx

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/api"
)

// Domains are the domains of the hosts that clients of the protocol know by heart, and Hosts those hosts. A front answers
// for them and for no others.
var (
	Domains = []string{"qq.com", "wechat.com"}
	Hosts   = []string{
		"*.qq.com", "*.wx.qq.com", "*.wx2.qq.com", "*.wx8.qq.com", "*.weixin.qq.com", "*.wechat.com", "*.web.wechat.com", "*.web2.wechat.com",
	}
)

// Limits of a front.
const (
	tunnelHandshake = 10 * time.Second // for the TLS handshake and the first request
	tunnelIdle      = 2 * time.Minute  // between requests
)

// front is an HTTPS proxy (RFC 9110 §9.3.6) that connects to nobody: what a client believes to be a tunnel to one of the
// original hosts ends here. So a program whose hosts are fixed needs no change, only to be told of the proxy and of the
// certificate authority.
type front struct {
	tls    *tls.Config
	server *http.Server
	conns  chan net.Conn
	done   chan struct{}
	serve  sync.WaitGroup
	once   sync.Once
}

func newFront(s *Server, config *tls.Config) *front {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	f := &front{tls: config, conns: make(chan net.Conn), done: make(chan struct{})}
	f.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !ServesPath(r.URL.Path) {
				http.NotFound(w, r)
				return
			}
			s.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: tunnelHandshake, IdleTimeout: tunnelIdle, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // handshakes that fail are the client's affair
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, tunnelKey{}, c.(*tls.Conn).NetConn().(*tunnel))
		},
	}
	f.serve.Go(func() { _ = f.server.Serve(f) })
	return f
}

// tunnel is the connection of a client that has asked for one.
type tunnel struct {
	net.Conn
	buffered io.Reader // what came behind the request, and then the connection
	peer     api.Peer
	token    string // that it was opened with
}

func (t *tunnel) Read(b []byte) (int, error) { return t.buffered.Read(b) }

// tunnelKey is the key of the tunnel in the context of a request that came through one.
type tunnelKey struct{}

func tunnelOf(r *http.Request) *tunnel {
	t, _ := r.Context().Value(tunnelKey{}).(*tunnel)
	return t
}

// fronted reports whether the front answers for what a CONNECT asks for.
func fronted(hostPort string) bool {
	host, port, err := net.SplitHostPort(hostPort)
	_, domain, ok := strings.Cut(strings.ToLower(host), ".")
	return err == nil && port == "443" && ok && slices.Contains(Hosts, "*."+domain)
}

// connect answers a CONNECT.
func (f *front) connect(x *exchange) {
	if !fronted(x.r.Host) {
		http.Error(x.w, "this proxy leads to Web WeChat hosts only, and they are this server", http.StatusForbidden)
		return
	}
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.server.config.Log.Error("a tunnel cannot be taken over", "error", err)
		http.Error(x.w, "no tunnels here", http.StatusNotImplemented)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	t := &tunnel{Conn: conn, buffered: conn, peer: x.server.config.Peer(x.r), token: credential(x.r)}
	t.peer.Secure, t.peer.TLS = true, true // it will be, or there is no request
	if n := rw.Reader.Buffered(); n > 0 {
		first, _ := rw.Reader.Peek(n)
		t.buffered = io.MultiReader(strings.NewReader(string(first)), conn)
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	select {
	case f.conns <- tls.Server(t, f.tls):
	case <-f.done:
		_ = conn.Close()
	}
}

// Accept, Close and Addr are the net.Listener that the server accepts from.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f *front) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}

func (f *front) Addr() net.Addr { return &net.TCPAddr{} }

// Drain ends the tunnels as their requests are answered, until ctx ends. Without a front there is nothing to do.
func (s *Server) Drain(ctx context.Context) {
	if s.front == nil {
		return
	}
	if err := s.front.server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.config.Log.Debug("tunnels had to be cut", slog.Any("error", err))
	}
}

// Close ends what is left of the tunnels.
func (s *Server) Close() {
	if s.front == nil {
		return
	}
	_ = s.front.server.Close() // closes the front too, its listener
	s.front.serve.Wait()
}
