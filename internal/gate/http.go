package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// httpSide is the net/http server behind the listeners. It gets connections that have begun to speak HTTP, through
// conns, which it takes for its listener.
type httpSide struct {
	server *http.Server
	conns  chan net.Conn
	serve  sync.WaitGroup
	done   chan struct{}
	once   sync.Once // closes done
}

func newHTTPSide(s *Server) *httpSide {
	h := &httpSide{conns: make(chan net.Conn), done: make(chan struct{})}
	h.server = &http.Server{
		Handler:           s.cfg.HTTP,
		ReadHeaderTimeout: s.cfg.Limits.FirstByte,
		IdleTimeout:       s.cfg.Limits.IdleHTTP,
		MaxHeaderBytes:    maxHTTPHead,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, c.(httpPeer).base().c.peer())
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			switch hc := c.(httpPeer).base(); state {
			case http.StateHijacked:
				hc.hijacked.Store(true)
			case http.StateClosed: // the last thing that the connection's goroutine does
				hc.end()
			}
		},
	}
	h.serve.Go(func() { _ = h.server.Serve(h) })
	return h
}

// take hands over a connection that belongs to net/http from now on.
func (h *httpSide) take(c *conn, rw net.Conn, first []byte) {
	hc := &httpConn{replay: replay{Conn: rw, first: first}, c: c, raw: rawOf(rw)}
	var handed net.Conn = hc
	if tc, ok := rw.(*tls.Conn); ok {
		handed = httpsConn{hc, tc}
	}
	c.begin(nil)
	if c.hold(detached{hc.raw}) {
		select {
		case h.conns <- handed:
			return
		case <-h.done:
		}
	}
	_ = hc.raw.Close()
	hc.end()
}

func (h *httpSide) close() {
	_ = h.server.Close() // closes h too, its listener
	h.serve.Wait()
}

// Accept, Close and Addr are the net.Listener that the server accepts from.
func (h *httpSide) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *httpSide) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *httpSide) Addr() net.Addr { return &net.TCPAddr{} }

type peerKey struct{}

// PeerOf returns who sent the HTTP request whose context this is. False: it came by another server.
func PeerOf(ctx context.Context) (Peer, bool) {
	p, ok := ctx.Value(peerKey{}).(Peer)
	return p, ok
}

// httpConn is a connection in net/http's hands. It lasts until net/http's goroutine ends, and when a handler has
// hijacked it, until that closes it.
type httpConn struct {
	replay
	c        *conn
	raw      net.Conn // under a TLS connection
	hijacked atomic.Bool
	ended    sync.Once
}

type httpPeer interface{ base() *httpConn }

func (hc *httpConn) base() *httpConn { return hc }

func (hc *httpConn) Read(b []byte) (int, error) {
	n, err := hc.replay.Read(b)
	hc.c.s.counters.Received.Add(uint64(n))
	return n, err
}

// Write gives each piece Limits.Write, whatever deadline a handler has set: a client that does not read must not keep
// a handler forever.
func (hc *httpConn) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		hc.armWrite()
		var n int
		n, err = hc.Conn.Write(b[:min(len(b), maxHTTPWrite)])
		hc.wrote(n, err)
		written += n
		b = b[n:]
	}
	return written, err
}

// ReadFrom is Write for what a handler copies. Pieces are cut by the one LimitedReader under which the operating
// system can still send a file by itself.
func (hc *httpConn) ReadFrom(r io.Reader) (copied int64, err error) {
	lr, ok := r.(*io.LimitedReader)
	if !ok {
		lr = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for left := lr.N; left > 0; {
		hc.armWrite()
		lr.N = min(left, maxHTTPWrite)
		n, err := io.Copy(hc.Conn, lr)
		short := lr.N > 0
		hc.wrote(int(n), err)
		copied += n
		left -= n
		lr.N = left
		if err != nil || short {
			return copied, err
		}
	}
	return copied, nil
}

func (hc *httpConn) armWrite() {
	_ = hc.raw.SetWriteDeadline(time.Now().Add(hc.c.s.cfg.Limits.Write))
}

// wrote counts what was written, and cuts off a client that does not take it: the TLS connection would wait for seconds
// to say goodbye to it.
func (hc *httpConn) wrote(n int, err error) {
	hc.c.s.counters.Sent.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		cut(hc.raw)
	}
}

// CloseWrite lets net/http end its half first when it refuses a request that is still arriving.
func (hc *httpConn) CloseWrite() error { return hc.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func (hc *httpConn) Close() error {
	err := hc.Conn.Close()
	if hc.hijacked.Load() {
		hc.end()
	}
	return err
}

func (hc *httpConn) end() { hc.ended.Do(hc.c.release) }

// httpsConn has net/http set Request.TLS.
type httpsConn struct {
	*httpConn
	tls *tls.Conn
}

func (hc httpsConn) ConnectionState() tls.ConnectionState { return hc.tls.ConnectionState() }
