//go:build unix

package gatetest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// client is the client's end of a connection under test. Everything it waits for, it waits for until hang.
type client struct {
	Conn
	t   *testing.T
	dec wire.Decoder
	buf []byte
}

func dial(t *testing.T, rig Rig, addr net.Addr) (*client, error) {
	conn, err := rig.Dial(addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * hang)); err != nil {
		return nil, err
	}
	c := &client{Conn: conn, t: t, buf: make([]byte, 32<<10)}
	c.dec.SetLimit(wire.MaxFrame)
	return c, nil
}

// send writes bytes.
func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// next reads a frame; io.EOF after the last one. The body is valid until the next call.
func (c *client) next() (wire.Frame, error) {
	for {
		f, ok, err := c.dec.Next()
		if ok || err != nil {
			return f, err
		}
		n, err := c.Read(c.buf)
		c.dec.Feed(c.buf[:n])
		if n == 0 && err != nil {
			return wire.Frame{}, err
		}
	}
}

// want reads a frame and compares it.
func (c *client) want(want wire.Frame) {
	c.t.Helper()
	got, err := c.next()
	if err != nil {
		c.t.Fatalf("reading %v %d: %v", want.Op, want.Seq, err)
	}
	if got.Op != want.Op || got.Seq != want.Seq || !bytes.Equal(got.Body, want.Body) {
		c.t.Fatalf("got %v %d with a body of %d bytes, want %v %d with %d",
			got.Op, got.Seq, len(got.Body), want.Op, want.Seq, len(want.Body))
	}
}

// echo makes one exchange.
func (c *client) echo(seq uint32, body string) {
	c.t.Helper()
	f := wire.Frame{Op: wire.OpSend, Seq: seq, Body: []byte(body)}
	c.send(wire.AppendFrame(nil, f))
	c.wantEcho(f)
}

func (c *client) wantEcho(f wire.Frame) {
	c.t.Helper()
	f.Op = f.Op.Reply()
	c.want(f)
}

// wantClose reads a Close frame with that reason, and then the orderly end: a reset is none.
func (c *client) wantClose(reason wire.CloseReason) {
	c.t.Helper()
	f, err := c.next()
	if err != nil {
		c.t.Fatalf("instead of a Close frame: %v", err)
	}
	c.isClose(f, reason)
	c.wantEnd()
}

func (c *client) isClose(f wire.Frame, reason wire.CloseReason) {
	c.t.Helper()
	var body wire.Close
	if err := wire.Unmarshal(f.Body, &body); err != nil {
		c.t.Fatal(err)
	}
	if f.Op != wire.OpClose || body.Reason != reason {
		c.t.Fatalf("got %v with %v, want a Close frame with %v", f.Op, body.Reason, reason)
	}
}

// wantEnd reads the orderly end of the stream.
func (c *client) wantEnd() {
	c.t.Helper()
	if f, err := c.next(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("got %v and the error %v, want the end of the stream", f.Op, err)
	}
}

// wantGone reads until the connection has ended in whatever way.
func (c *client) wantGone() {
	c.t.Helper()
	for {
		_, err := c.Read(c.buf)
		if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
			c.t.Fatal("the connection is still there")
		}
		if err != nil {
			return
		}
	}
}
