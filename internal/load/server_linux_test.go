package load

import (
	"net"
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// A server is a small WebSocket server: an echo, and the two ends of a broadcast. What it does wrong is a field.
type server struct {
	url      string // without a path
	answer   func(n int, dst []byte, ev ws.Event) []byte
	refuse   func(n int) bool // the nth connection, from 0, is reset before its handshake
	leave    bool             // connections end behind their handshake
	listener net.Listener

	mu          sync.Mutex
	accepted    int
	subscribers map[net.Conn]bool
	running     sync.WaitGroup
	conns       map[net.Conn]bool
}

// echoed is the right answer.
func echoed(_ int, dst []byte, ev ws.Event) []byte { return ws.AppendMessage(dst, ev.Op, ev.Data, nil) }

func serve(t *testing.T, change func(s *server)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		url: "ws://" + listener.Addr().String(), answer: echoed, refuse: func(int) bool { return false },
		listener: listener, subscribers: make(map[net.Conn]bool), conns: make(map[net.Conn]bool),
	}
	if change != nil {
		change(s)
	}
	s.running.Go(s.accept)
	t.Cleanup(func() {
		listener.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.running.Wait()
	})
	return s
}

func (s *server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		n := s.accepted
		s.accepted++
		s.conns[c] = true
		s.mu.Unlock()
		if s.refuse(n) {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
			continue
		}
		s.running.Go(func() { s.handle(c) })
	}
}

func (s *server) handle(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	var heads ws.HeadReader
	var q ws.Request
	path := ""
	for path == "" {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		head, _, err := heads.Next(buf[:n])
		if err != nil || head != nil && q.Parse(head) != nil {
			return
		}
		if head == nil {
			continue
		}
		path = string(q.Path)
		out, _, err := (&ws.Acceptor{}).Accept(nil, &q)
		if path == "/sub" {
			s.mu.Lock()
			s.subscribers[c] = true
			s.mu.Unlock()
		}
		if _, writeErr := c.Write(out); err != nil || writeErr != nil || s.leave {
			return
		}
	}
	r := ws.NewReader(ws.Server, MaxSize, nil)
	defer r.Release()
	for messages := 0; ; {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		var out []byte
		for chunk := buf[:n]; ; {
			ev, n, err := r.Next(chunk)
			if err != nil {
				return
			}
			if chunk = chunk[n:]; ev.Op == ws.NoEvent {
				break
			}
			switch {
			case ev.Op.Control():
			case path == "/pub":
				s.publish(ws.AppendMessage(nil, ev.Op, ev.Data, nil))
			default:
				out = s.answer(messages, out, ev)
				messages++
			}
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func (s *server) publish(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.subscribers {
		c.Write(frame)
	}
}
