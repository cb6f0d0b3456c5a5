package client

import (
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// hang is how long a test waits for what must come.
const hang = 30 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	t.Cleanup(cancel)
	return ctx
}

// scripted is a connection whose other side the test plays, frame by frame.
type scripted struct {
	t      *testing.T
	conn   *Conn
	peer   net.Conn
	frames wire.Decoder
}

func script(t *testing.T, onNotify func(*wire.Notify)) *scripted {
	t.Helper()
	near, far := net.Pipe()
	s := &scripted{t: t, conn: NewConn(near, onNotify), peer: far}
	s.frames.SetLimit(wire.MaxFrame)
	t.Cleanup(func() {
		far.Close()
		s.conn.Close()
	})
	return s
}

// request returns the next request.
func (s *scripted) request() wire.Frame {
	s.t.Helper()
	buf := make([]byte, 4096)
	for {
		if f, ok, err := s.frames.Next(); err != nil {
			s.t.Fatal(err)
		} else if ok {
			f.Body = append([]byte(nil), f.Body...)
			return f
		}
		n, err := s.peer.Read(buf)
		if err != nil {
			s.t.Fatal(err)
		}
		s.frames.Feed(buf[:n])
	}
}

func (s *scripted) push(op wire.Op, seq uint32, body proto.Message) {
	s.t.Helper()
	b, err := wire.Append(nil, op, seq, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.peer.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

// begin makes a request in the background.
func (s *scripted) begin(ctx context.Context) (reply *wire.AuthReply, done <-chan error) {
	reply = new(wire.AuthReply)
	end := make(chan error, 1)
	go func() { end <- s.conn.Do(ctx, wire.OpAuth, &wire.AuthRequest{Token: "t"}, reply) }()
	return reply, end
}

func TestConnManyRequests(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	const n = 300 // more than the write queue holds
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			reply := new(wire.MintTokenReply)
			err := s.conn.Do(within(t), wire.OpMintToken, &wire.MintTokenRequest{Name: strings.Repeat("x", i)}, reply)
			if err != nil || reply.User != uint64(i) {
				t.Errorf("request %d: %v, %v", i, reply, err)
			}
		})
	}
	var asked []wire.Frame
	for range n {
		asked = append(asked, s.request())
	}
	for i := range asked { // answered in another order
		f := asked[(i*7+3)%n]
		var q wire.MintTokenRequest
		if err := wire.Unmarshal(f.Body, &q); err != nil {
			t.Fatal(err)
		}
		s.push(f.Op.Reply(), f.Seq, &wire.MintTokenReply{User: uint64(len(q.Name))})
	}
	all.Wait()
}

func TestConnRefusal(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	_, done := s.begin(within(t))
	f := s.request()
	s.push(wire.OpError, f.Seq, wire.FromError(f.Op,
		hongyan.Errorf(hongyan.Throttled, "too fast").WithHint("wait").WithRetryAfter(2*time.Second)))
	var e *hongyan.Error
	if err := <-done; !errors.As(err, &e) || e.Code != hongyan.Throttled || e.Hint != "wait" || e.RetryAfter != 2*time.Second {
		t.Errorf("got %v", err)
	}
	if err := s.conn.Err(); err != nil {
		t.Errorf("the connection ended: %v", err)
	}
}

func TestConnClosedByServer(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	_, done := s.begin(within(t))
	s.request()
	s.push(wire.OpClose, 0, &wire.Close{Reason: wire.CloseDraining, Message: "upgrade", ReconnectAfterMs: 1500})
	want := ClosedError{Reason: wire.CloseDraining, Message: "upgrade", ReconnectAfter: 1500 * time.Millisecond}
	for _, err := range []error{<-done, s.conn.Do(within(t), wire.OpHeartbeat, nil, new(wire.HeartbeatReply))} {
		var closed *ClosedError
		if !errors.As(err, &closed) || *closed != want || closed.NeedsTLS() {
			t.Errorf("got %v", err)
		}
	}
	<-s.conn.Done()
}

func TestConnBreaks(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(s *scripted, f wire.Frame){
		"cut":             func(s *scripted, _ wire.Frame) { s.peer.Close() },
		"no frame":        func(s *scripted, _ wire.Frame) { s.peer.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
		"wrong operation": func(s *scripted, f wire.Frame) { s.push(wire.OpLogin.Reply(), f.Seq, nil) },
		"broken close": func(s *scripted, _ wire.Frame) {
			s.peer.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpClose, Body: []byte{1}}))
		},
		"broken reply": func(s *scripted, f wire.Frame) {
			s.peer.Write(wire.AppendFrame(nil, wire.Frame{Op: f.Op.Reply(), Seq: f.Seq, Body: []byte{1}}))
		},
		"broken refusal": func(s *scripted, f wire.Frame) {
			s.peer.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpError, Seq: f.Seq, Body: []byte{1}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script(t, nil)
			_, done := s.begin(within(t))
			breaks(s, s.request())
			err := <-done
			var e *hongyan.Error
			if err == nil || errors.As(err, &e) {
				t.Errorf("got %v, which is no broken connection", err)
			}
			<-s.conn.Done()
		})
	}
}

// TestConnGivesUp: who does not wait any more leaves the connection to the others, and its answer is passed over.
func TestConnGivesUp(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	ctx, cancel := context.WithCancelCause(within(t))
	_, done := s.begin(ctx)
	first := s.request()
	enough := errors.New("enough")
	cancel(enough)
	if err := <-done; err != enough {
		t.Errorf("got %v", err)
	}
	_, done = s.begin(ctx)
	if err := <-done; err != enough { // and nothing was sent
		t.Errorf("got %v", err)
	}
	reply, done := s.begin(within(t))
	second := s.request()
	if second.Seq != first.Seq+1 {
		t.Errorf("request %d after %d", second.Seq, first.Seq)
	}
	s.push(first.Op.Reply(), first.Seq, &wire.AuthReply{User: 1})
	s.push(wire.Op(77), 0, nil)                  // a push of a later version
	s.push(wire.OpHeartbeat, second.Seq, nil)    // no answer
	s.push(second.Op.Reply(), second.Seq+9, nil) // an answer to nothing
	s.push(second.Op.Reply(), second.Seq, &wire.AuthReply{User: 2})
	if err := <-done; err != nil || reply.User != 2 {
		t.Errorf("got %v, %v", reply, err)
	}
}

func TestConnClose(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	_, done := s.begin(within(t))
	s.request()
	s.conn.Close()
	s.conn.Close()
	if err := <-done; err != ErrClosed {
		t.Errorf("got %v", err)
	}
	if err := s.conn.Do(within(t), wire.OpHeartbeat, nil, new(wire.HeartbeatReply)); err != ErrClosed {
		t.Errorf("got %v", err)
	}
}

// TestConnWriterStuck: requests to a server that does not read wait no longer than their context.
func TestConnWriterStuck(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 3 * writeQueue {
		all.Go(func() {
			if err := s.conn.Do(ctx, wire.OpHeartbeat, nil, new(wire.HeartbeatReply)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
}

func TestConnTooLarge(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	big := &wire.SendRequest{ClientId: make([]byte, wire.MaxFrame)}
	if err := s.conn.Do(within(t), wire.OpSend, big, new(wire.SendReply)); hongyan.CodeOf(err) != hongyan.TooLarge {
		t.Errorf("got %v", err)
	}
	bad := &wire.AuthRequest{Token: "\xff"}
	if err := s.conn.Do(within(t), wire.OpAuth, bad, new(wire.AuthReply)); err == nil {
		t.Error("a body that is no UTF-8 was sent")
	}
	if len(s.conn.calls) != 0 {
		t.Errorf("%d requests are waited for", len(s.conn.calls))
	}
}

// TestConnSequence: numbers that are still waited for, and 0, are passed over.
func TestConnSequence(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	_, first := s.begin(within(t))
	f := s.request()
	if f.Seq != 1 {
		t.Fatalf("the first request has number %d", f.Seq)
	}
	s.conn.mu.Lock()
	s.conn.seq = math.MaxUint32
	s.conn.mu.Unlock()
	_, second := s.begin(within(t))
	g := s.request()
	if g.Seq != 2 {
		t.Errorf("after %d came %d", uint32(math.MaxUint32), g.Seq)
	}
	s.push(f.Op.Reply(), f.Seq, nil)
	s.push(g.Op.Reply(), g.Seq, nil)
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
}

func TestConnNotifications(t *testing.T) {
	t.Parallel()
	got := make(chan uint64, 100)
	s := script(t, func(n *wire.Notify) { got <- n.Version })
	var stream []byte
	for v := range uint64(50) {
		var err error
		if stream, err = wire.Append(stream, wire.OpNotify, 0, &wire.Notify{Version: v}); err != nil {
			t.Fatal(err)
		}
	}
	for len(stream) > 0 { // in pieces that respect no frame
		n := min(7, len(stream))
		s.peer.Write(stream[:n])
		stream = stream[n:]
	}
	for v := range uint64(50) {
		if n := <-got; n != v {
			t.Fatalf("notification %d came as number %d", n, v)
		}
	}
}

// TestConnHeartbeat: without a key it is the smallest packet.
func TestConnHeartbeat(t *testing.T) {
	t.Parallel()
	s := script(t, nil)
	for _, key := range []string{"", "key"} {
		done := make(chan error, 1)
		go func() {
			reply, err := s.conn.Heartbeat(within(t), []byte(key))
			if err == nil && reply.Newer != (key != "") {
				err = errors.New("the answer is another request's")
			}
			done <- err
		}()
		f := s.request()
		if f.Op != wire.OpHeartbeat || (f.Size() == wire.HeaderSize) != (key == "") {
			t.Errorf("with key %q: operation %s, %d bytes", key, f.Op, f.Size())
		}
		s.push(f.Op.Reply(), f.Seq, &wire.HeartbeatReply{Newer: key != ""})
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
