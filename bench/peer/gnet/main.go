// Gnet is the peer on github.com/panjf2000/gnet/v2 with the handshake, the header rules and the masking of
// github.com/gobwas/ws: event loops, frames read where the loop has received them, and one write for all answers to what
// came together.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"io"
	"log"
	"runtime"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"

	"github.com/hongyan-im/hongyan/bench/topic"
)

const (
	maxMessage = 16 << 20
	keptBuffer = 1 << 20 // a loop lets go of a larger one
)

// A session is what a connection has to know about itself.
type session struct {
	path string // "" before the handshake
}

type server struct {
	gnet.BuiltinEventEngine
	subscribers topic.Set[gnet.Conn]
	loops       int
	idle        chan []byte // buffers of loops that are not in OnTraffic
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address")
	flag.Parse()
	s := &server{loops: runtime.GOMAXPROCS(0)}
	s.idle = make(chan []byte, s.loops)
	log.Fatal(gnet.Run(s, "tcp://"+*listen, gnet.WithNumEventLoop(s.loops), gnet.WithReuseAddr(true),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogLevel(logging.ErrorLevel)))
}

func (s *server) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(new(session))
	return nil, gnet.None
}

func (s *server) OnClose(c gnet.Conn, _ error) gnet.Action {
	if c.Context().(*session).path == "/sub" {
		s.subscribers.Remove(c)
	}
	return gnet.None
}

func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	on := c.Context().(*session)
	in, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	used := 0
	if on.path == "" {
		if used, err = s.upgrade(c, on, in); err != nil {
			return gnet.Close
		}
		if used == 0 {
			return gnet.None
		}
	}
	out := s.buffer()
	for {
		h, size, ok := header(in[used:])
		if !ok || int64(len(in)-used-size) < h.Length {
			break
		}
		if h.Length > maxMessage || h.OpCode == ws.OpClose || ws.CheckHeader(h, ws.StateServerSide) != nil {
			return gnet.Close
		}
		payload := in[used+size : used+size+int(h.Length)]
		ws.Cipher(payload, h.Mask, 0)
		used += size + len(payload)
		switch on.path {
		case "/echo":
			out = appendFrame(out, h, payload)
		case "/pub":
			s.publish(appendFrame(nil, h, payload))
		}
	}
	if used > 0 { // to discard nothing means everything
		c.Discard(used)
	}
	if len(out) > 0 {
		c.Write(out)
	}
	s.keep(out)
	return gnet.None
}

// buffer takes one for the answers of one event, and keep gives it back.
func (s *server) buffer() []byte {
	select {
	case b := <-s.idle:
		return b[:0]
	default:
		return nil
	}
}

func (s *server) keep(b []byte) {
	if cap(b) > keptBuffer {
		return
	}
	select {
	case s.idle <- b:
	default:
	}
}

// upgrade answers a handshake that has come completely and returns how long it was.
func (s *server) upgrade(c gnet.Conn, on *session, in []byte) (int, error) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	end += len("\r\n\r\n")
	var answer bytes.Buffer
	u := ws.Upgrader{OnRequest: func(uri []byte) error {
		on.path = string(uri)
		return nil
	}}
	_, err := u.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(in[:end]), &answer})
	if err != nil {
		return 0, err
	}
	c.Write(answer.Bytes())
	if on.path == "/sub" {
		s.subscribers.Add(c)
	}
	return end, nil
}

// publish sends a frame to all subscribers. On one loop that may be done at once, else each loop writes its own.
func (s *server) publish(frame []byte) {
	s.subscribers.Each(func(c gnet.Conn) {
		if s.loops == 1 {
			c.Write(frame)
		} else {
			c.AsyncWrite(frame, nil)
		}
	})
}

// header reads a frame header, which has come completely if ok, and returns its size.
func header(b []byte) (h ws.Header, size int, ok bool) {
	if len(b) < 2 {
		return h, 0, false
	}
	h = ws.Header{Fin: b[0]&0x80 != 0, Rsv: b[0] >> 4 & 7, OpCode: ws.OpCode(b[0] & 0x0f), Masked: b[1]&0x80 != 0}
	h.Length, size = int64(b[1]&0x7f), 2
	switch {
	case h.Length == 126 && len(b) >= 4:
		h.Length, size = int64(binary.BigEndian.Uint16(b[2:])), 4
	case h.Length == 127 && len(b) >= 10:
		h.Length, size = int64(binary.BigEndian.Uint64(b[2:])&(1<<63-1)), 10
	case h.Length >= 126:
		return h, 0, false
	}
	if h.Masked {
		if len(b) < size+len(h.Mask) {
			return h, 0, false
		}
		size += copy(h.Mask[:], b[size:])
	}
	return h, size, true
}

// appendFrame appends a frame of the server with the type of h.
func appendFrame(out []byte, h ws.Header, payload []byte) []byte {
	first := byte(h.OpCode) | h.Rsv<<4
	if h.Fin {
		first |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		out = append(out, first, byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, first, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, first, 127), uint64(n))
	}
	return append(out, payload...)
}
