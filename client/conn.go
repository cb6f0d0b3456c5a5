package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of a Conn.
const (
	// ReplyTimeout is how long a Client waits for the answer to a request before it gives the connection up. A Conn by
	// itself waits as long as the context of the request lets it.
	ReplyTimeout = 8 * time.Second

	writeQueue   = 64               // frames that wait for the writer; more make Do wait
	writeTimeout = 30 * time.Second // for the server to take what was written
	readBuffer   = 4 << 10
)

// ErrClosed is the error of requests on a connection that was closed with Conn.Close, and of a Client after its Close.
var ErrClosed = errors.New("closed")

// ClosedError is the error of a connection that the server closed with a reason.
type ClosedError struct {
	Reason         wire.CloseReason
	Message        string        // for people, may be empty
	ReconnectAfter time.Duration // do not come back before
	Final          bool          // the device token is worth nothing any more: log in again
}

func (e *ClosedError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server closed the connection (%s)", e.Reason)
	}
	return fmt.Sprintf("the server closed the connection (%s): %s", e.Reason, e.Message)
}

// NeedsTLS reports whether the server asks to come back encrypted: dial again with DialOptions.Secure.
func (e *ClosedError) NeedsTLS() bool { return e.Reason == wire.CloseTLSRequired }

// Conn is one connection of the long link. Requests of several goroutines share it; every answer finds its request by
// the sequence number. It neither authenticates nor beats by itself: the first request should be Auth, Login or
// Register, and the server closes a connection that does not beat within the hints of its AuthReply.
//
// One goroutine reads and one writes, both until the connection ends.
type Conn struct {
	nc       stream
	onNotify func(*wire.Notify)
	queue    chan []byte   // whole frames
	done     chan struct{} // closed when the connection has ended
	workers  sync.WaitGroup

	mu    sync.Mutex
	calls map[uint32]*call // unanswered, by sequence; each belongs to a goroutine in Do
	seq   uint32           // of the last request
	err   error            // why the connection ended
}

// call is a request that waits for its answer. Whoever takes it out of Conn.calls must end it.
type call struct {
	op    wire.Op
	reply proto.Message
	err   error
	done  chan struct{}
}

func (c *call) end(err error) {
	c.err = err
	close(c.done)
}

// stream is what carries the frames of a Conn: a connection by itself, or what makes one of another protocol.
type stream interface {
	io.ReadWriteCloser
	SetWriteDeadline(time.Time) error
}

// NewConn speaks the long link over nc, which it owns from now on. Most callers want Dial. OnNotify gets the
// notifications, in the order in which they arrive, and must not block or call Close; nil ignores them.
func NewConn(nc net.Conn, onNotify func(*wire.Notify)) *Conn { return newConn(nc, onNotify) }

func newConn(nc stream, onNotify func(*wire.Notify)) *Conn {
	c := &Conn{
		nc:       nc,
		onNotify: onNotify,
		queue:    make(chan []byte, writeQueue),
		done:     make(chan struct{}),
		calls:    make(map[uint32]*call),
	}
	c.workers.Add(2)
	go c.read()
	go c.write()
	return c
}

// Do makes a request and waits for the answer, which it reads into reply. Request may be nil for an empty body.
//
// A refusal is a *hongyan.Error with the server's code. A connection that the server closes is a *ClosedError. When the
// context ends, the connection breaks or it is closed, it is unknown whether the server has acted on the request.
func (c *Conn) Do(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	call := &call{op: op, reply: reply, done: make(chan struct{})}
	seq, err := c.register(call)
	if err != nil {
		return err
	}
	frame, err := wire.Append(nil, op, seq, request)
	if err == nil && len(frame) > wire.MaxFrame {
		err = hongyan.Errorf(hongyan.TooLarge, "the request is %d bytes, the limit is %d", len(frame), wire.MaxFrame)
	}
	if err != nil {
		c.take(seq)
		return err
	}
	select {
	case c.queue <- frame:
	case <-c.done: // call ends too
	case <-ctx.Done():
	}
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
	}
	if c.take(seq) != nil {
		return context.Cause(ctx)
	}
	// The answer is just being read into reply, which the caller may not touch before that is done.
	<-call.done
	return call.err
}

// Auth says who the connection is, by device token, ticket or server API key.
func (c *Conn) Auth(ctx context.Context, token string) (*wire.AuthReply, error) {
	reply := new(wire.AuthReply)
	if err := c.Do(ctx, wire.OpAuth, &wire.AuthRequest{Token: token}, reply); err != nil {
		return nil, err
	}
	return reply, nil
}

// Heartbeat keeps the connection alive. Key is the SyncKey of what the device has applied, which it acknowledges; the
// answer then tells whether there is something newer. Without a key it is the smallest packet there is, 16 bytes.
func (c *Conn) Heartbeat(ctx context.Context, key []byte) (*wire.HeartbeatReply, error) {
	var request proto.Message
	if len(key) > 0 {
		request = &wire.HeartbeatRequest{Key: key}
	}
	reply := new(wire.HeartbeatReply)
	if err := c.Do(ctx, wire.OpHeartbeat, request, reply); err != nil {
		return nil, err
	}
	return reply, nil
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is why the connection ended, nil as long as it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// present says that the device holds everything up to a key, for a stream that asks for what is newer by itself.
func (c *Conn) present(key []byte) {
	if p, ok := c.nc.(*poller); ok {
		p.present(key)
	}
}

// waiting reports whether requests are unanswered.
func (c *Conn) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) > 0
}

// Close ends the connection and waits for its goroutines. Requests under way fail with ErrClosed.
func (c *Conn) Close() {
	c.fail(ErrClosed)
	c.workers.Wait()
}

// fail ends the connection and all calls, once.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	c.nc.Close()
	for seq, call := range c.calls {
		delete(c.calls, seq)
		call.end(err)
	}
}

// register gives a call its sequence number, which is never 0: that is the number of what the server pushes.
func (c *Conn) register(call *call) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	for {
		c.seq++
		if _, taken := c.calls[c.seq]; c.seq != 0 && !taken {
			break
		}
	}
	c.calls[c.seq] = call
	return c.seq, nil
}

// take removes a call. Only one taker gets it.
func (c *Conn) take(seq uint32) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[seq]
	delete(c.calls, seq)
	return call
}

func (c *Conn) read() {
	defer c.workers.Done()
	var frames wire.Decoder
	frames.SetLimit(wire.MaxFrame)
	buf := make([]byte, readBuffer)
	for {
		n, err := c.nc.Read(buf)
		frames.Feed(buf[:n])
		for {
			f, ok, ferr := frames.Next()
			if ferr != nil {
				c.fail(fmt.Errorf("the server's frames cannot be read: %w", ferr))
				return
			}
			if !ok {
				break
			}
			if err := c.handle(f); err != nil {
				c.fail(err)
				return
			}
		}
		if err != nil {
			c.fail(fmt.Errorf("the connection broke: %w", err))
			return
		}
	}
}

// handle acts on one frame. An error ends the connection.
func (c *Conn) handle(f wire.Frame) error {
	switch {
	case f.Op == wire.OpClose:
		var b wire.Close
		if err := readBody(f, &b); err != nil {
			return err
		}
		return &ClosedError{
			Reason:         b.Reason,
			Message:        b.Message,
			ReconnectAfter: time.Duration(b.ReconnectAfterMs) * time.Millisecond,
			Final:          b.Final,
		}
	case f.Op == wire.OpNotify:
		if c.onNotify == nil {
			return nil
		}
		b := new(wire.Notify)
		if err := readBody(f, b); err != nil {
			return err
		}
		c.onNotify(b)
		return nil
	case f.Seq == 0 || f.Op < wire.ReplyOffset:
		return nil // a push of a later version
	}
	call := c.take(f.Seq)
	switch {
	case call == nil: // nobody waits for it any more
	case f.Op == wire.OpError:
		var b wire.ErrorBody
		if err := readBody(f, &b); err != nil {
			call.end(err)
			return err
		}
		call.end(wire.ToError(&b))
	case f.Op != call.op.Reply():
		err := fmt.Errorf("the server answered %s with %s", call.op, f.Op)
		call.end(err)
		return err
	default:
		err := readBody(f, call.reply)
		call.end(err)
		return err
	}
	return nil
}

// readBody reads what the server said. That it cannot be read is no refusal, so nobody may take the error for a
// *hongyan.Error.
func readBody(f wire.Frame, into proto.Message) error {
	if err := wire.Unmarshal(f.Body, into); err != nil {
		return fmt.Errorf("the server's %s cannot be read: %v", f.Op, err)
	}
	return nil
}

// write sends what is queued: it gathers without waiting, flushes, and only then waits for more.
func (c *Conn) write() {
	defer c.workers.Done()
	out := bufio.NewWriter(c.nc)
	for {
		select {
		case frame := <-c.queue:
			if err := c.flush(out, frame); err != nil {
				c.fail(fmt.Errorf("the connection broke: %w", err))
				return
			}
		case <-c.done:
			return
		}
	}
}

func (c *Conn) flush(out *bufio.Writer, frame []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	for {
		if _, err := out.Write(frame); err != nil {
			return err
		}
		select {
		case frame = <-c.queue:
		default:
			return out.Flush()
		}
	}
}
