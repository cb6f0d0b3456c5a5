package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// Target is where a message goes: a conversation, or the direct conversation with an account. Exactly one of its fields
// is set.
type Target = core.Target

// ToConversation is the target of a message to a conversation.
func ToConversation(id hongyan.ConversationID) Target { return Target{Conversation: id} }

// ToName is the target of a message to the account of that name.
func ToName(name string) Target { return Target{Name: name} }

// Sent is the acknowledgement of a message: it is durable, and every device of both sides will find it.
type Sent struct {
	ClientID     hongyan.ClientID // this device's own name for the message
	ID           hongyan.MessageID
	Conversation hongyan.ConversationID
	Ordinal      hongyan.Ordinal
	TimeMS       int64 // Unix milliseconds, the server's clock
}

// QueuedError says that a message is stored in the outbox but was not acknowledged in time. It goes out with the next
// Send, Sync or Run of this profile, in its turn.
type QueuedError struct {
	ID  hongyan.ClientID
	Err error // why it was not acknowledged
}

func (e *QueuedError) Error() string {
	return fmt.Sprintf("the message waits in the outbox: %v", e.Err)
}

// Unwrap returns why the message was not acknowledged.
func (e *QueuedError) Unwrap() error { return e.Err }

// Send sends a message, and returns when the server has acknowledged it. The message is stored first, so that neither a
// crash nor a lost connection loses it, and no repetition doubles it; it goes behind what waits already.
//
// Sent.ClientID is set as soon as the message is stored. A *QueuedError says that it still waits, a *hongyan.Error that
// it was refused: if it is stored, it stands failed in the outbox and can be sent again with Resend. A *LockedError says
// that another process is sending for so long that the message could not be stored.
func (c *Client) Send(ctx context.Context, to Target, content hongyan.Content) (Sent, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	id, err := c.store(ctx, to, content)
	if err != nil {
		return Sent{}, err
	}
	return c.await(ctx, id)
}

// Queue stores a message in the outbox, behind what waits already, and returns its id without waiting for the server.
// Run sends it, if it works, otherwise the next Send, Sync or Run of this profile does; OutboxEvents tell what becomes of
// it. Like Send it survives a crash and is never doubled. A *LockedError says that another process is sending for so long
// that the message could not be stored.
func (c *Client) Queue(ctx context.Context, to Target, content hongyan.Content) (hongyan.ClientID, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	id, err := c.store(ctx, to, content)
	c.kick()
	return id, err
}

// store puts a new message into the outbox.
func (c *Client) store(ctx context.Context, to Target, content hongyan.Content) (hongyan.ClientID, error) {
	if err := content.Check(); err != nil {
		return hongyan.ClientID{}, err
	}
	if to.Conversation.IsZero() == (to.Name == "") {
		return hongyan.ClientID{}, hongyan.Errorf(hongyan.Invalid, "a message needs a conversation or a name as its target")
	}
	it := core.Item{
		ID:       newClientID(),
		Target:   to,
		Content:  content,
		State:    core.Waiting,
		QueuedMS: time.Now().UnixMilli(),
	}
	if err := c.withOutbox(ctx, func() error { return c.enqueue(it) }); err != nil {
		return hongyan.ClientID{}, err
	}
	return it.ID, nil
}

func newClientID() hongyan.ClientID {
	var id hongyan.ClientID
	rand.Read(id[:]) // never fails
	return id
}

// withOutbox does something while the outbox is held.
func (c *Client) withOutbox(ctx context.Context, do func() error) error {
	if err := c.box.acquire(ctx); err != nil {
		return err
	}
	defer c.box.release()
	return do()
}

// enqueue stores a message behind what waits. If it is going to leave at once, it gets its stamp now, which saves
// storing it once more.
func (c *Client) enqueue(it core.Item) error {
	before, err := c.box.waiting(1)
	if err != nil {
		return err
	}
	if len(before) == 0 && it.FirstAttemptMS == 0 && c.connected() {
		it.FirstAttemptMS = c.serverMS()
	}
	if err := c.box.add(it); err != nil {
		return err
	}
	c.feed.tell(OutboxEvent{it})
	return nil
}

// connected reports whether a request could be made now.
func (c *Client) connected() bool {
	if up, _, _ := c.line.now(); up != nil {
		return up.conn.Err() == nil
	}
	select {
	case c.sideTurn <- struct{}{}:
		defer func() { <-c.sideTurn }()
		return c.side != nil && c.side.conn.Err() == nil
	default:
		return false
	}
}

// await sends what waits, up to and including a message, and returns what became of it.
func (c *Client) await(ctx context.Context, id hongyan.ClientID) (Sent, error) {
	for {
		s, err := c.session(ctx, true)
		if err != nil {
			c.kick()
			return Sent{ClientID: id}, &QueuedError{ID: id, Err: err}
		}
		it, retryAt, err := c.drain(ctx, s, id)
		var locked *LockedError
		switch {
		case err == nil && it.State == core.Sent:
			return sentOf(it), nil
		case err == nil && it.State == core.Failed:
			return Sent{ClientID: id}, it.Err()
		case err == nil:
			// The server is busy. If the context ends, session tells.
			_ = sleepUntil(ctx, retryAt)
		case errors.As(err, &locked), errors.Is(err, errLost):
			// Another process sends, maybe this message; or the connection broke.
		default:
			return Sent{ClientID: id}, err
		}
	}
}

func sentOf(it core.Item) Sent {
	r := it.Result
	return Sent{ClientID: it.ID, ID: r.ID, Conversation: r.Conversation, Ordinal: r.Ordinal, TimeMS: r.TimeMS}
}

// kick makes Run look into the outbox.
func (c *Client) kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

// errLost says that the connection was lost while the outbox was worked off.
var errLost = errors.New("the connection was lost")

// drain sends what waits, in order, up to and including one message or, for the zero id, all of it. It returns what has
// become of that message, and the time to go on if the server asked to wait.
func (c *Client) drain(
	ctx context.Context, s *session, until hongyan.ClientID,
) (it core.Item, retryAt time.Time, err error) {
	select {
	case c.sendTurn <- struct{}{}:
		defer func() { <-c.sendTurn }()
	case <-ctx.Done():
		return it, retryAt, errLost
	}
	err = c.withOutbox(ctx, func() error {
		c.sender.Disconnected()
		for {
			if it, err = c.lookup(until); err != nil || (it.ID == until && it.State != core.Waiting) {
				return err
			}
			items, err := c.box.waiting(outboxLoad)
			if err != nil || len(items) == 0 {
				return err
			}
			now := time.Now()
			acts := c.sender.Load(now, items)
			acts = append(acts, c.sender.Connected(now, c.serverMS())...)
			if err := c.transmit(ctx, s, acts, until); err != nil {
				return err
			}
			if retryAt = c.sender.WakeAt(); !retryAt.IsZero() {
				return nil
			}
			c.sender.Disconnected()
		}
	})
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = errLost
	}
	return it, retryAt, err
}

// lookup returns a message of the outbox, the zero item for the zero id.
func (c *Client) lookup(id hongyan.ClientID) (core.Item, error) {
	if id == (hongyan.ClientID{}) {
		return core.Item{State: core.Waiting}, nil
	}
	it, ok, err := c.box.get(id)
	if err == nil && !ok {
		err = hongyan.Errorf(hongyan.NotFound, "the message was taken out of the outbox")
	}
	return it, err
}

// transmit carries out the actions of the outbox until there are none, or until a message is done.
func (c *Client) transmit(ctx context.Context, s *session, acts []core.Action, until hongyan.ClientID) error {
	for len(acts) > 0 {
		act := acts[0]
		acts = acts[1:]
		switch act := act.(type) {
		case core.Save:
			if err := c.box.save(act.Items); err != nil {
				return err
			}
			for _, it := range act.Items {
				c.feed.tell(OutboxEvent{it})
			}
			if act.Items[0].ID == until && act.Items[0].State != core.Waiting {
				return nil // what follows is for others to send
			}
		case core.Transmit:
			more, err := c.sendOne(ctx, s, &act.Item)
			if err != nil {
				return err
			}
			acts = append(acts, more...)
		case core.Trouble:
			c.feed.tell(TroubleEvent{act.Err})
		case core.Drop:
			s.conn.fail(errLost)
			return errLost
		}
	}
	return nil
}

func (c *Client) sendOne(ctx context.Context, s *session, it *core.Item) ([]core.Action, error) {
	request := &wire.SendRequest{
		ClientId:       it.ID[:],
		FirstAttemptMs: it.FirstAttemptMS,
		Content:        wire.FromContent(it.Content),
	}
	if it.Target.Name != "" {
		request.Target = &wire.SendToName{Name: it.Target.Name}
	} else {
		request.Target = &wire.SendToConversation{Conversation: it.Target.Conversation.String()}
	}
	reply := new(wire.SendReply)
	err := s.do(ctx, wire.OpSend, request, reply)
	now := time.Now()
	if e := refusal(err); e != nil {
		return c.sender.Refused(now, e), nil
	}
	if err != nil {
		return nil, errLost
	}
	conversation, err := hongyan.ParseConversation(reply.Conversation)
	if err != nil {
		s.conn.fail(err)
		return nil, errLost
	}
	return c.sender.Accepted(now, core.Result{
		ID:           hongyan.MessageID(reply.Id),
		Conversation: conversation,
		Ordinal:      hongyan.Ordinal(reply.Ordinal),
		TimeMS:       reply.TimeMs,
	}), nil
}

// keepSending sends what waits in the outbox whenever there is a connection. It closes sent when it has worked the
// outbox off for the first time.
func (c *Client) keepSending(ctx context.Context, sent chan<- struct{}) error {
	for {
		s, _, err := c.line.wait(ctx, true)
		if err != nil {
			return err
		}
		_, retryAt, err := c.drain(ctx, s, hongyan.ClientID{})
		var locked *LockedError
		switch {
		case errors.Is(err, errLost):
			continue
		case errors.As(err, &locked):
			c.feed.tell(TroubleEvent{err})
		case err != nil:
			return err
		}
		if sent != nil {
			close(sent)
			sent = nil
		}
		poll := time.Now().Add(outboxPoll)
		if !retryAt.IsZero() && retryAt.Before(poll) {
			poll = retryAt
		}
		timer := time.NewTimer(time.Until(poll))
		select {
		case <-timer.C:
		case <-c.kicked:
		case <-s.conn.Done():
		case <-ctx.Done():
		}
		timer.Stop()
	}
}
