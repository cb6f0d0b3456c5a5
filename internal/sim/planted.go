package sim

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
	"github.com/hongyan-im/hongyan/wire"
)

// planted are mistakes that a simulated cluster makes on purpose, so that tests see whether they are noticed. The zero
// value makes none. The mistakes sit where the simulation joins the real parts: on the disk, around commands and frames,
// and in the store of a device.
type planted struct {
	skipSync     bool // a sync returns before it is done
	settleEarly  bool // commands are answered, and hints given, before their round is durable
	readEarly    bool // commands are answered in time, but reads and hints do not wait for the disk
	retryEarly   bool // what writes nothing, such as the answer to a retry, does not wait for what it has seen
	dropAnswer   bool // some sends are never answered, however often they are repeated
	dropWrite    bool // now and then an acknowledged round leaves no trace
	reuseTerm    bool // a restart goes on with the term of the life before
	forgetDedupe bool // a restart forgets which client ids were seen
	checkEarly   bool // whether one may write in a group is decided when the request comes in, not in its round
	keyAhead     bool // a key stands for more than its page brings
	keepRecalled bool // a recalled body stays in the store
	receiptEarly bool // what was sent to a device counts as received
	countWrong   bool // own messages count as unread
	staleLine    bool // the trim line is read some time before the entries
	keyFirst     bool // a device stores the key before the changes
	forgetSent   bool // a device gives a message a new client id when it repeats it
}

// batch returns what is really written of a batch.
func (p *planted) batch(w *world, held kv.Reader, b *kv.Batch) *kv.Batch {
	if p.dropWrite && b.Len() > 3 && w.chance(100) {
		return new(kv.Batch)
	}
	if !p.keepRecalled {
		return b
	}
	cut := new(kv.Batch)
	cut.Fence(b.Fenced())
	for _, op := range b.Ops() {
		switch op.Kind {
		case kv.OpSet:
			if _, err := held.Get(op.Key); op.Key[0] != 'm' || err != nil {
				cut.Set(op.Key, op.Value)
			}
		case kv.OpDelete:
			cut.Delete(op.Key)
		case kv.OpDeleteRange:
			cut.DeleteRange(op.Key, op.Value)
		}
	}
	return cut
}

// frame changes a frame of the server on its way out. Nil drops it.
func (p *planted) frame(c *conn, frame []byte) []byte {
	if !p.keyAhead && !p.countWrong && !p.receiptEarly && !p.dropAnswer {
		return frame
	}
	f, _, err := wire.ParseFrame(frame, wire.MaxFrame)
	if err != nil {
		return frame
	}
	switch {
	case f.Op == wire.OpSend.Reply() && p.dropAnswer:
		reply := new(wire.SendReply)
		if wire.Unmarshal(f.Body, reply) == nil && reply.Id%32 == 0 {
			return nil
		}
	case f.Op == wire.OpSync.Reply() && (p.keyAhead || p.receiptEarly):
		reply := new(wire.SyncReply)
		if wire.Unmarshal(f.Body, reply) != nil {
			return frame
		}
		if p.receiptEarly && c.d.user != 0 {
			if key, err := hongyan.ParseSyncKey(reply.Key); err == nil {
				c.server.process.desk.Chat.Acknowledge(c.d.caller(), key)
			}
		}
		if n := len(reply.Changes); p.keyAhead && n > 1 {
			reply.Changes = reply.Changes[:n-1]
			frame, _ = wire.Append(nil, f.Op, f.Seq, reply)
		}
	case f.Op == wire.OpConversations.Reply() && p.countWrong:
		reply := new(wire.ConversationsReply)
		if wire.Unmarshal(f.Body, reply) != nil {
			return frame
		}
		for _, conversation := range reply.Conversations {
			if m := conversation.LastMessage; m != nil && m.From == uint64(c.d.user) {
				conversation.Unread++
			}
		}
		frame, _ = wire.Append(nil, f.Op, f.Seq, reply)
	}
	return frame
}

// hastyCommand is a command that is answered at once if it wrote nothing.
type hastyCommand struct {
	inbox.Command
	answered bool
}

func (c *hastyCommand) Do(tx *inbox.Tx) error {
	before := tx.Len()
	err := c.Command.Do(tx)
	if c.answered = tx.Len() == before; c.answered {
		c.Command.Done(err)
	}
	return err
}

func (c *hastyCommand) Done(err error) {
	if !c.answered {
		c.Command.Done(err)
	}
}

// lateAnswer is a command whose answer waits for answerLate.
type lateAnswer struct {
	inbox.Command
	err error
}

func (c *lateAnswer) Done(err error) { c.err = err }

// answerLate answers the commands of a round that was settled too early, now that it is durable.
func answerLate(late []*lateAnswer, err error) {
	for _, c := range late {
		if err == nil {
			c.Command.Done(c.err)
			continue
		}
		c.Command.Done(err)
	}
}

// earlyCheck is what a group was like when a request came in.
type earlyCheck struct {
	id    hongyan.GroupID
	group *store.Group
}

// peek remembers the group that a frame wants to write to.
func (p *planted) peek(at *process, f wire.Frame) {
	at.early = nil
	if !p.checkEarly || f.Op != wire.OpSend {
		return
	}
	request := new(wire.SendRequest)
	if wire.Unmarshal(f.Body, request) != nil {
		return
	}
	conversation, err := hongyan.ParseConversation(request.GetConversation())
	id, ok := conversation.Group()
	if err != nil || !ok {
		return
	}
	view := at.records.View()
	defer view.Close()
	if group, err := store.Groups.Get(view, id); err == nil && group != nil {
		at.early = &earlyCheck{id, group}
	}
}

// earlyCommand is a command that sees a group as it was when the request came in.
type earlyCommand struct {
	inbox.Command
	*earlyCheck
	err error
}

func (c *earlyCommand) Do(tx *inbox.Tx) error {
	present, err := store.Groups.Get(tx, c.id)
	if err != nil {
		return err
	}
	if len(present.Members) == len(c.group.Members) {
		c.err = c.Command.Do(tx)
		return c.err
	}
	store.Groups.Put(tx.Tx, c.id, c.group)
	c.err = c.Command.Do(tx)
	store.Groups.Put(tx.Tx, c.id, present)
	return nil
}

func (c *earlyCommand) Done(err error) {
	if err == nil {
		err = c.err
	}
	c.Command.Done(err)
}
