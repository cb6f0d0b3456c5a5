// Package carrier is how the bytes of a connection move, whatever they mean. A Handler is a protocol as a state machine:
// bytes and events in, items out through its Conn. Two carriers drive handlers: the one in this package, with a goroutine
// for every connection, for TLS, unix sockets and systems without epoll; and internal/reactor, with a few loops for all
// plain connections of a process. Both pass the suite in carriertest.
//
//	socket ─► carrier ─► Handler.Data … Conn.Send, Reply, Write ─► queue ─► Handler.Encode ─► socket
//
// Answers that are queued while one piece of input is handled leave together in one write.
//
// A carrier asks whoever wants the connection for its first handler. Whoever makes it may keep the Conn but not use it
// before the handler is returned, except for Abort, and returns nil to refuse the connection, which is then closed.
package carrier

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Item is a piece of output before it is encoded, such as the payload of a WebSocket message. Kind is the protocol's own.
// An Item whose Bytes are nil is none; one whose Bytes are empty is one.
type Item struct {
	Kind  byte
	Bytes []byte
}

// ItemCost is what an item counts for while it is queued, besides its bytes: its place in the queue, which a bound of
// bytes has to bound too, were all items empty.
const ItemCost = 64

// Handler is a protocol on one connection. Its carrier never calls two of Data, Deadline, Expired, Slow and Closed at
// the same time, nor two calls of Encode, and calls none of them from within a method of Conn, but for Encode, which
// Conn.Write may call. Encode may run beside the others. No method may wait for the peer or for the Conn: nothing is
// read meanwhile, and what it queues is written when it returns.
type Handler interface {
	// Data takes bytes that have come, at least one. p is the carrier's: it may be changed, and is valid during the
	// call only. now is not older than a few milliseconds.
	Data(now time.Time, p []byte)

	// Deadline is when to call Expired if nothing else happens; the zero Time is never. The carrier asks again after
	// every call of Data and Expired, and when the moment it knew has come, so a deadline moved later from elsewhere
	// is obeyed and one moved earlier is seen late.
	Deadline() time.Time

	// Expired says that Deadline has passed. A handler that neither moves it into the future nor closes the connection
	// is closed by the carrier.
	Expired(now time.Time)

	// Encode appends what goes on the wire for an item to dst and returns the result. It is called once for each item,
	// in the order in which they were queued.
	Encode(dst []byte, item Item) []byte

	// Slow is the last item to a peer that does not read its answers (Limits.HardQueue); it may be none.
	Slow() Item

	// Closed says that the connection is gone. It is called exactly once and last, and not at all after a Detach.
	Closed()
}

// Conn is a connection as its handler writes to it. All methods but Write, Rest, Become and Detach are safe from any goroutine,
// and none waits for the network. Items leave in the order in which they were queued. The bytes of a queued item are the
// Conn's to read until the connection is gone and are never written to, so they may be given to many connections, and
// nobody may change them.
//
// After Close, and when the connection has ended for another reason, Send returns false and the others do nothing;
// Handler.Closed tells. When the peer ends its half of the connection, the carrier closes as if by Close without an item.
type Conn interface {
	// Write queues a copy of an item that may not be dropped, like Reply. It is for use within Data and Expired only, and
	// is the way to answer without an allocation.
	Write(item Item)

	// Send queues an item. It returns false if that would take a non-empty queue over Limits.SoftQueue: the item was not
	// queued, and what becomes of it is the caller's verdict.
	Send(item Item) bool

	// Reply queues an item that may not be dropped. If that would take a non-empty queue over Limits.HardQueue, the peer
	// does not read its answers: all that is queued is thrown away, Handler.Slow is sent and the connection closes.
	Reply(item Item)

	// SendFile queues n bytes of f from offset on, as they are and without holding them in memory: they do not count as
	// pending, but the queue is not empty before they are gone. f belongs to the Conn from then on, which closes it, also
	// if the connection has ended. A file that turns out to be shorter aborts the connection, for the peer has been told
	// another length.
	SendFile(f *os.File, offset, n int64)

	// Pending is the number of bytes that are queued and not yet accepted by the operating system; items that are not
	// encoded yet count by the length of their Bytes and ItemCost each.
	Pending() int

	// Drained calls f once, when the queue is empty: soon if it is so already, never if the connection closes before. It
	// is meant for after a refused Send. A further call before f ran replaces f. It runs on a goroutine of the carrier,
	// possibly at the same time as a method of the Handler, and must not block.
	Drained(f func())

	// Close queues a last item, which may be none, behind everything else and ends the connection: what is queued is
	// written for up to Limits.Flush, then this side's half is closed and the peer's input thrown away for up to
	// Limits.Linger, so that the last item reaches the peer even if it was sending. Data is not called any more, but for
	// a call that is under way on another goroutine. Only the first Close counts.
	Close(last Item)

	// Abort ends the connection at once, by a reset where there is TCP, and throws away what is queued. It is good after
	// Close too.
	Abort()

	// Rest reads nothing more from the peer before a moment, whatever it sends: the peer's own operating system holds
	// that back, in the end. It is for use within Data, and of two calls within one the later counts. The call itself
	// goes on with what it was given; what is written, deadlines and the end of the connection know no rest.
	Rest(until time.Time)

	// Become puts another handler in the place of this one, within Data or Expired and on its goroutine. The one before
	// is not called again, but for Encode of what was queued before; bytes that it was given and has not used are its to
	// hand on.
	Become(h Handler)

	// Detach takes the connection away from the carrier, within Data and before anything was queued. When Data has
	// returned, take is called on a goroutine of its own with the network connection, which belongs to it from then on and
	// has no deadline set. Bytes that came with Data are the caller's to hand on. From Detach on every method does nothing,
	// as after the end. On a connection that is closing Detach does nothing, and Closed is called.
	Detach(take func(net.Conn))
}

// Limits bounds what one connection may take.
type Limits struct {
	Write  time.Duration // for the operating system to accept something of what waits to be written
	Flush  time.Duration // for everything that is queued when a connection closes
	Linger time.Duration // for the peer to close its half after this side has closed its own

	SoftQueue int // bytes queued to one peer above which Conn.Send refuses
	HardQueue int // bytes queued to one peer above which Conn.Reply gives the peer up as slow

	// Pause is the number of queued bytes above which nothing is read from the peer until half of them are gone: for
	// protocols in which one request at a time makes the peer's answers its own business. Zero is never.
	Pause int
}

// Check finds limits that nobody can have meant.
func (l *Limits) Check() error {
	for name, d := range map[string]time.Duration{"Write": l.Write, "Flush": l.Flush, "Linger": l.Linger} {
		if d <= 0 {
			return fmt.Errorf("carrier: Limits.%s is %v and has to be above zero", name, d)
		}
	}
	if l.SoftQueue <= 0 || l.HardQueue < l.SoftQueue || l.Pause < 0 {
		return errors.New("carrier: Limits.SoftQueue has to be above zero, HardQueue not below it, Pause not below zero")
	}
	return nil
}

// Counters count what a carrier moves. Bytes are those of the protocol, inside TLS where there is TLS.
type Counters struct {
	Received, Sent atomic.Uint64 // bytes
	OverSoft       atomic.Uint64 // items that Send refused
	OverHard       atomic.Uint64 // peers given up by Reply
	Stuck          atomic.Uint64 // peers given up because nothing was accepted within Limits.Write
	Rests          atomic.Uint64 // times that reading from a peer rested (Conn.Rest)
}
