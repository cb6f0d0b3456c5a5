//go:build unix

package gatetest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/wire"
)

// acceptor lets clients of the long link in; those that offer compression get it.
var acceptor = &ws.Acceptor{Protocols: []string{gate.ProtocolBinary, gate.ProtocolText}, Deflate: &ws.Deflate{}}

// WebSocket is the rig of the long link in the messages of a WebSocket, over the transport of another rig. A piece that is
// written becomes a message; with ProtocolText it has to be whole frames, and each becomes one.
func WebSocket(over Rig, protocol string, compressed bool) Rig {
	return Rig{
		Configure: func(t testing.TB, cfg *gate.Config) {
			over.Configure(t, cfg)
			cfg.Route = func(r *gate.Request) {
				if r.HasToken("upgrade", "websocket") {
					_ = r.OpenLink(acceptor)
				}
			}
		},
		Connect: over.Dial,
		Dial: func(addr net.Addr) (Conn, error) {
			c, err := over.Dial(addr)
			if err != nil {
				return nil, err
			}
			return Upgrade(c, addr.String(), "/", protocol, compressed)
		},
	}
}

// Upgrade makes the client's end of a long link over WebSocket of a connection, which it owns from then on.
func Upgrade(c Conn, host, path, protocol string, compressed bool) (Conn, error) {
	s := &socketConn{Conn: c, text: protocol == gate.ProtocolText}
	if err := s.shake(host, path, protocol, compressed); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// socketConn speaks WebSocket as a client.
type socketConn struct {
	Conn
	text     bool
	reader   ws.Reader
	deflater *ws.Deflater // nil without compression

	mu      sync.Mutex // of writing
	closing ws.Closing
	parts   wire.Decoder // of frames that become text

	in   []byte // read and not looked at
	got  []byte // of messages, not read yet
	read []byte // buffer
	over bool   // the server has closed the WebSocket
}

func (s *socketConn) shake(host, path, protocol string, compressed bool) error {
	hello := ws.Hello{Host: host, Target: path, Protocols: []string{protocol}}
	if compressed {
		hello.Deflate = &ws.Deflate{}
	}
	for i := range hello.Nonce {
		hello.Nonce[i] = byte(rand.Uint32())
	}
	request, err := hello.AppendRequest(nil)
	if err != nil {
		return err
	}
	if _, err := s.Conn.Write(request); err != nil {
		return err
	}
	s.read = make([]byte, 32<<10)
	var head ws.HeadReader
	for {
		n, err := s.Conn.Read(s.read)
		if err != nil {
			return err
		}
		raw, used, err := head.Next(s.read[:n])
		if err != nil {
			return err
		}
		if raw == nil {
			continue
		}
		var response ws.Response
		if err := response.Parse(raw); err != nil {
			return err
		}
		agreed, err := hello.Verify(&response)
		if err != nil {
			return fmt.Errorf("%s: %w", raw, err)
		}
		var inflater *ws.Inflater
		if agreed.Compressed {
			inflater, s.deflater = ws.NewInflater(ws.Client, agreed.Deflate), ws.NewDeflater(ws.Client, agreed.Deflate)
		}
		s.reader = ws.NewReader(ws.Client, ws.MaxMessage, inflater)
		s.parts.SetLimit(wire.MaxFrame)
		s.in = bytes.Clone(s.read[used:n])
		return nil
	}
}

func (s *socketConn) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing.Open() {
		return 0, net.ErrClosed
	}
	out, err := s.messages(p)
	if err != nil {
		return 0, err
	}
	if _, err := s.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// messages makes messages of what is to be written.
func (s *socketConn) messages(p []byte) (out []byte, err error) {
	if !s.text {
		return s.message(nil, ws.Binary, p), nil
	}
	s.parts.Feed(p)
	for {
		f, ok, err := s.parts.Next()
		if !ok || err != nil {
			return out, err
		}
		text, err := wire.AppendText(nil, f)
		if err != nil {
			return nil, err
		}
		out = s.message(out, ws.Text, text)
	}
}

func (s *socketConn) message(dst []byte, op ws.Opcode, payload []byte) []byte {
	key := newKey()
	if s.deflater != nil {
		return s.deflater.AppendMessage(dst, op, payload, &key)
	}
	return ws.AppendMessage(dst, op, payload, &key)
}

func newKey() ws.Key { return ws.Key(rand.Uint32()) }

func (s *socketConn) Read(p []byte) (int, error) {
	for len(s.got) == 0 {
		ev, n, err := s.reader.Next(s.in)
		s.in = s.in[n:]
		if err != nil {
			return 0, err
		}
		switch ev.Op {
		case ws.Binary:
			s.got = append(s.got[:0], ev.Data...)
		case ws.Text:
			f, err := wire.ParseText(ev.Data)
			if err != nil {
				return 0, err
			}
			s.got = wire.AppendFrame(s.got[:0], f)
		case ws.Close:
			s.over = true
			key := newKey()
			s.mu.Lock()
			_, _ = s.Conn.Write(s.closing.Answer(nil, ev, &key))
			s.mu.Unlock()
		case ws.NoEvent:
			n, err := s.Conn.Read(s.read)
			s.in = s.read[:n]
			if err == io.EOF && !s.over {
				err = fmt.Errorf("the server has ended the stream without a Close: %w", io.ErrUnexpectedEOF)
			}
			if n == 0 && err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, s.got)
	s.got = s.got[n:]
	return n, nil
}

// CloseWrite begins the closing handshake: a WebSocket has no half-close of its own.
func (s *socketConn) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := newKey()
	_, err := s.Conn.Write(s.closing.Start(nil, ws.CodeNormal, "", &key))
	return err
}
