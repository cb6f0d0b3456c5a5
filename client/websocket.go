package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/wire"
)

// Where and as what a WebSocket carries the long link.
const (
	webSocketPath     = "/v1/link"
	webSocketProtocol = "hongyan.v1"

	// webSocketMessage bounds the messages that are sent: servers take as many bytes before they know who is there.
	webSocketMessage = 16 << 10
	webSocketGoodbye = time.Second // for the Close frame to leave
)

// webSocket is the stream of frames of the long link in the binary messages of a WebSocket (RFC 6455).
type webSocket struct {
	net.Conn
	reader ws.Reader
	chunk  []byte // that was read, as its memory is
	unused []byte // of chunk
	data   []byte // of the present message, not taken yet

	mu      sync.Mutex // guards what is written
	out     []byte
	closing ws.Closing
}

// upgrade makes a WebSocket of a connection, which it owns from then on. Host is what the server is called, with its port.
func upgrade(ctx context.Context, nc net.Conn, host string) (*webSocket, error) {
	hello := ws.Hello{Host: host, Target: webSocketPath, Protocols: []string{webSocketProtocol}}
	rand.Read(hello.Nonce[:])
	request, err := hello.AppendRequest(nil)
	if err != nil {
		nc.Close()
		return nil, err
	}
	head, rest, err := exchangeHead(ctx, nc, request)
	if err == nil {
		var agreed ws.Agreement
		if agreed, err = hello.Verify(head); err == nil && agreed.Protocol != webSocketProtocol {
			err = errors.New("the server does not carry the long link over WebSocket")
		}
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &webSocket{
		Conn: nc, reader: ws.NewReader(ws.Client, wire.MaxFrame, nil), chunk: make([]byte, readBuffer), unused: rest,
	}, nil
}

// exchangeHead sends a request without a body and reads the head of the response, and what was read behind it. The
// connection is closed when the context ends before that.
func exchangeHead(ctx context.Context, nc net.Conn, request []byte) (response *ws.Response, rest []byte, err error) {
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer func() {
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
	}()
	if _, err := nc.Write(request); err != nil {
		return nil, nil, err
	}
	var reader ws.HeadReader
	chunk := make([]byte, readBuffer)
	for {
		n, err := nc.Read(chunk)
		head, used, bad := reader.Next(chunk[:n])
		if bad != nil {
			return nil, nil, fmt.Errorf("the answer is no HTTP: %w", bad)
		}
		if head != nil {
			response = new(ws.Response)
			return response, append([]byte(nil), chunk[used:n]...), response.Parse(append([]byte(nil), head...))
		}
		if err != nil {
			reader.Release()
			return nil, nil, err
		}
	}
}

// Read is for one goroutine.
func (s *webSocket) Read(p []byte) (int, error) {
	for len(s.data) == 0 {
		if len(s.unused) == 0 {
			n, err := s.Conn.Read(s.chunk)
			if n == 0 && err != nil {
				return 0, err
			}
			s.unused = s.chunk[:n]
		}
		event, n, err := s.reader.Next(s.unused)
		s.unused = s.unused[n:]
		if err == nil {
			err = s.take(event)
		} else if bad, ok := errors.AsType[*ws.Error](err); ok {
			_ = s.say(func(out []byte, key *ws.Key) []byte { return s.closing.Fail(out, bad, key) })
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

// take acts on what the server sent. io.EOF: it has closed the WebSocket.
func (s *webSocket) take(event ws.Event) error {
	switch event.Op {
	case ws.Binary:
		s.data = event.Data
	case ws.Text:
		bad := &ws.Error{Code: ws.CodeUnsupported, Reason: "the long link is binary here"}
		_ = s.say(func(out []byte, key *ws.Key) []byte { return s.closing.Fail(out, bad, key) })
		return bad
	case ws.Ping:
		return s.say(func(out []byte, key *ws.Key) []byte { return ws.AppendMessage(out, ws.Pong, event.Data, key) })
	case ws.Close:
		_ = s.say(func(out []byte, key *ws.Key) []byte { return s.closing.Answer(out, event, key) })
		return io.EOF
	}
	return nil
}

// Write sends p in messages.
func (s *webSocket) Write(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), webSocketMessage)]
		if err = s.say(func(out []byte, key *ws.Key) []byte { return ws.AppendMessage(out, ws.Binary, piece, key) }); err == nil {
			written += len(piece)
		}
		p = p[len(piece):]
	}
	return written, err
}

// say writes what is appended with a key that nobody can predict (RFC 6455 §5.3).
func (s *webSocket) say(add func(out []byte, key *ws.Key) []byte) error {
	var random [4]byte
	rand.Read(random[:])
	key := ws.Key(binary.LittleEndian.Uint32(random[:]))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = add(s.out[:0], &key)
	_, err := s.Conn.Write(s.out)
	return err
}

// Close ends the WebSocket in order as far as that takes no time, and the connection.
func (s *webSocket) Close() error {
	_ = s.SetWriteDeadline(time.Now().Add(webSocketGoodbye))
	if s.mu.TryLock() { // else something is being written, and the connection ends within it
		s.mu.Unlock()
		_ = s.say(func(out []byte, key *ws.Key) []byte { return s.closing.Start(out, ws.CodeNormal, "", key) })
	}
	return s.Conn.Close()
}
