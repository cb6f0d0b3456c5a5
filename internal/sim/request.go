package sim

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// ask makes a request. done gets a *hongyan.Error for a refusal, another error if the outcome is unknown.
func (r *run) ask(op wire.Op, request, reply proto.Message, done func(error)) {
	if r.conn == nil {
		done(errReset)
		return
	}
	r.seq++
	seq := r.seq
	frame, err := wire.Append(nil, op, seq, request)
	if err != nil {
		panic(err)
	}
	k := &call{op: op, reply: reply, done: done}
	k.stop = r.d.w.after(replyTimeout, func() {
		if r.live() && r.calls[seq] == k {
			r.d.lost(r.conn, errNoReply)
		}
	})
	r.calls[seq] = k
	r.order = append(r.order, seq)
	r.conn.request(frame)
}

// frame takes a frame from a connection.
func (d *device) frame(c *conn, raw []byte) {
	r := d.running
	if r == nil || r.conn != c {
		return
	}
	f, n, err := wire.ParseFrame(raw, wire.MaxFrame)
	if err != nil || n != len(raw) {
		d.c.alarm(history.Progress, "device %s cannot read a frame: %v", d.name, err)
		return
	}
	switch f.Op {
	case wire.OpClose:
		b := new(wire.Close)
		d.must(wire.Unmarshal(f.Body, b))
		d.w.note("%-8s is sent away: %v", d.name, b.Reason)
		r.lose(core.Ending{Err: errClosed, ReconnectAfter: ms(b.ReconnectAfterMs), Final: b.Final})
		return
	case wire.OpNotify:
		b := new(wire.Notify)
		d.must(wire.Unmarshal(f.Body, b))
		r.notified(b)
		return
	}
	k := r.calls[f.Seq]
	if k == nil {
		return
	}
	delete(r.calls, f.Seq)
	if len(r.calls) == 0 {
		r.order = r.order[:0]
	}
	k.stop()
	if f.Op == wire.OpError {
		b := new(wire.ErrorBody)
		d.must(wire.Unmarshal(f.Body, b))
		k.done(wire.ToError(b))
		return
	}
	d.must(wire.Unmarshal(f.Body, k.reply))
	k.done(nil)
}

func (d *device) must(err error) {
	if err != nil {
		d.c.alarm(history.Progress, "device %s cannot read what the server said: %v", d.name, err)
	}
}

func all[D, B any](d *device, to func(*B) (D, error), list []*B) []D {
	words, err := wire.ToAll("list", to, list)
	d.must(err)
	return words
}

func (r *run) notified(b *wire.Notify) {
	d := r.d
	n := core.Notice{Version: hongyan.Version(b.Version)}
	if len(b.Changes) > 0 {
		n.Previous, n.Changes, n.Key = hongyan.Version(b.Previous), all(d, wire.ToChange, b.Changes), b.Key
		d.c.history.Show(history.Page{Device: d.process(), Source: history.Pushed, Version: n.Version, Changes: n.Changes})
	}
	if r.up {
		r.carryOut(r.sync.Notified(d.w.now, n))
	}
}

func (r *run) pull(act core.Pull) {
	d, reply := r.d, new(wire.SyncReply)
	asked := d.c.history.Ask()
	r.ask(wire.OpSync, &wire.SyncRequest{Key: act.Key, Limit: pullLimit}, reply, func(err error) {
		if err != nil {
			r.refused(err)
			return
		}
		p := core.Page{
			Changes: all(d, wire.ToChange, reply.Changes), Conversations: all(d, wire.ToConversation, reply.Conversations),
			Key: reply.Key, Version: hongyan.Version(reply.Version), More: reply.More,
		}
		if reset := reply.Reset_; reset != nil {
			p.Reset = &core.Reset{
				Reason: core.ResetReason(reset.Reason), Conversations: all(d, wire.ToConversation, reset.Conversations),
				Backfill: reset.Backfill,
			}
			p.Conversations = append(p.Conversations, p.Reset.Conversations...)
		}
		d.c.history.Show(history.Page{
			Device: d.process(), Source: history.Pulled, Asked: asked, Version: p.Version, More: p.More, Reset: p.Reset != nil,
			Changes: p.Changes, Conversations: p.Conversations,
		})
		r.carryOut(r.sync.Pulled(d.w.now, p))
	})
}

func (r *run) backfill(act core.Backfill) {
	d, reply := r.d, new(wire.BackfillReply)
	asked := d.c.history.Ask()
	r.ask(wire.OpBackfill, &wire.BackfillRequest{Token: act.Token, Limit: backfillLimit}, reply, func(err error) {
		if err != nil {
			r.refused(err)
			return
		}
		o := core.Older{
			Changes: all(d, wire.ToChange, reply.Changes), Conversations: all(d, wire.ToConversation, reply.Conversations),
			Token: reply.Token,
		}
		d.c.history.Show(history.Page{
			Device: d.process(), Source: history.Backfilled, Asked: asked, Changes: o.Changes, Conversations: o.Conversations,
		})
		r.carryOut(r.sync.Backfilled(d.w.now, o))
	})
}

// refused reports the refusal of a pull to the machine. A lost connection was reported already.
func (r *run) refused(err error) {
	if e, ok := err.(*hongyan.Error); ok {
		r.carryOut(r.sync.Refused(r.d.w.now, e))
	}
}

// send puts a message into the outbox of the device.
func (d *device) send(to hongyan.ConversationID, text string) { d.sendAs(d.c.newClientID(), to, text) }

// sendAs is send under a client id.
func (d *device) sendAs(id hongyan.ClientID, to hongyan.ConversationID, text string) {
	it := core.Item{
		ID: id, Target: core.Target{Conversation: to}, Content: hongyan.Text(text), State: core.Waiting,
		QueuedMS: d.w.now.UnixMilli(),
	}
	op := d.c.history.Begin(history.Op{
		Device: d.process(), Kind: history.Send, Conversation: to, Client: it.ID, Text: text, Patient: true,
	})
	d.w.note("%-8s sends %q to %s", d.name, text, to)
	d.store.add(it, op)
	if r := d.running; r != nil {
		r.load()
	}
}

// load gives the machine what waits, when it is free for it.
func (r *run) load() {
	if !r.flying {
		r.carryOut(r.outbox.Load(r.d.w.now, r.d.store.waiting(outboxLoad)))
	}
}

// transmit sends the first message of the outbox.
func (r *run) transmit(it core.Item) {
	d, reply := r.d, new(wire.SendReply)
	r.flying = true
	op := d.store.ops[it.ID]
	d.w.note("%-8s transmits %q", d.name, it.Content.Text)
	r.ask(wire.OpSend, d.request(it), reply, func(err error) {
		r.flying = false
		if e, ok := err.(*hongyan.Error); ok {
			d.w.note("%-8s is refused %q: %v", d.name, it.Content.Text, e)
			r.carryOut(r.outbox.Refused(d.w.now, e))
			if d.store.items[it.ID].State == core.Failed {
				d.c.history.Refuse(op, e.Code)
			}
		} else if err == nil {
			result := resultOf(d, reply)
			d.w.note("%-8s sent %q: %s/%d", d.name, it.Content.Text, reply.Conversation, reply.Ordinal)
			d.c.history.Complete(op, history.Result{ID: result.ID, Ordinal: result.Ordinal, TimeMS: result.TimeMS})
			r.carryOut(r.outbox.Accepted(d.w.now, result))
		}
		if r.live() && err != errReset {
			r.load() // what was added meanwhile
		}
	})
}

// request makes the request that sends a message.
func (d *device) request(it core.Item) *wire.SendRequest {
	id := it.ID
	if d.c.planted.forgetSent {
		id[0] = byte(d.w.now.Sub(epoch) / time.Second)
	}
	return &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: it.Target.Conversation.String()}, ClientId: id[:],
		FirstAttemptMs: it.FirstAttemptMS, Content: wire.FromContent(it.Content),
	}
}

func resultOf(d *device, reply *wire.SendReply) core.Result {
	conversation, err := hongyan.ParseConversation(reply.Conversation)
	d.must(err)
	return core.Result{
		ID: hongyan.MessageID(reply.Id), Conversation: conversation, Ordinal: hongyan.Ordinal(reply.Ordinal), TimeMS: reply.TimeMs,
	}
}
