//go:build unix

package carriertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
)

// client is the client's end of a connection under test. Everything it waits for, it waits for until hang.
type client struct {
	Conn
	t    *testing.T
	next uint32 // number of the item that comes next
}

// item is what was received.
type item struct {
	kind byte
	body []byte
}

// send writes bytes.
func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// readLittle gives a TCP socket a small buffer to receive with.
func (c *client) readLittle() {
	c.t.Helper()
	var raw net.Conn = c.Conn
	if tc, ok := raw.(tlsConn); ok {
		raw = tcpConn{tc.NetConn().(*net.TCPConn)}
	}
	if tcp, ok := raw.(tcpConn); ok {
		if err := tcp.SetReadBuffer(64 << 10); err != nil {
			c.t.Fatal(err)
		}
	}
}

// read reads an item and checks its number; io.EOF after the last one.
func (c *client) read() (item, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return item{}, err
	}
	if n := binary.BigEndian.Uint32(header[1:]); n != c.next {
		c.t.Fatalf("item %d, want %d", n, c.next)
	}
	c.next++
	got := item{kind: header[0], body: make([]byte, binary.BigEndian.Uint32(header[5:]))}
	if _, err := io.ReadFull(c, got.body); err != nil {
		return item{}, errors.Join(errors.New("in the middle of an item"), err)
	}
	return got, nil
}

// want reads an item and compares it.
func (c *client) want(kind byte, body []byte) {
	c.t.Helper()
	got, err := c.read()
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
	if got.kind != kind || !bytes.Equal(got.body, body) {
		c.t.Fatalf("got an item of kind %d with %d bytes, want %d with %d", got.kind, len(got.body), kind, len(body))
	}
}

// wantEcho reads b, in however many items it comes.
func (c *client) wantEcho(b []byte) {
	c.t.Helper()
	for len(b) > 0 {
		got, err := c.read()
		if err != nil {
			c.t.Fatalf("reading an echo: %v", err)
		}
		if got.kind != kindEcho || !bytes.HasPrefix(b, got.body) {
			c.t.Fatalf("got an item of kind %d with %d bytes that are no echo", got.kind, len(got.body))
		}
		b = b[len(got.body):]
	}
}

// wantPushes reads pushes from first to before end, all of one size.
func (c *client) wantPushes(first, end uint32, size int) {
	c.t.Helper()
	for n := first; n < end; n++ {
		c.want(kindPush, push(n, size).Bytes)
	}
}

// wantLast reads the item of a Close, and then the orderly end: a reset is none.
func (c *client) wantLast(text string) {
	c.t.Helper()
	c.want(kindLast, []byte(text))
	c.wantEnd()
}

// wantEnd reads the orderly end of the stream.
func (c *client) wantEnd() {
	c.t.Helper()
	if got, err := c.read(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("got an item of kind %d and the error %v, want the end of the stream", got.kind, err)
	}
}

// wantGone reads until the connection has ended in whatever way.
func (c *client) wantGone() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.Conn)
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		c.t.Fatal("the connection is still there")
	}
}

// wantCut reads until the connection has ended, which must not be in good order.
func (c *client) wantCut() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.Conn)
	if _, ok := c.Conn.(unixConn); err == nil && !ok { // to the peer every end of a unix socket is alike
		c.t.Fatal("the stream ended in good order")
	}
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		c.t.Fatal("the connection is still there")
	}
}
