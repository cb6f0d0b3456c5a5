package history

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/hongyan-im/hongyan"
)

// linearWindow is how many places of a conversation are checked at once. The memory of the search grows with the square.
const linearWindow = 1000

// Linearizable checks, with a checker that others have written, that each conversation behaves like one log at one place:
// a send takes effect at one moment between its beginning and its answer, takes the next ordinal, or the one that its
// client id has already, and what a device is shown has taken effect before. It checks, too, that each client id behaves
// like a register that is written once. Check finds the same by other means, and more; where the two differ one of them is
// wrong. Beyond the timeout, 0 for none, it gives up on a part of a conversation and says so.
func Linearizable(h *History, timeout time.Duration) []Violation {
	c := newChecker(h)
	for _, id := range c.conversations() {
		if c.readers(id) != nil { // all of the log is known
			c.checkLog(id, timeout)
		}
	}
	for k, ops := range c.sends {
		if len(ops) > 1 && porcupine.CheckOperationsTimeout(writeOnce, writes(ops), timeout) == porcupine.Illegal {
			c.fail(Once, "the client id %x of account %d is no register that is written once", k.client, k.user)
		}
	}
	return c.found
}

// checkLog checks a conversation, some places at a time. That what is in one part had not returned before something in an
// earlier part began is checked without a search.
func (c *checker) checkLog(id hongyan.ConversationID, timeout time.Duration) {
	parts := map[hongyan.Ordinal][]porcupine.Operation{}
	for _, o := range c.operations(id) {
		part := (o.Input.(effect).ordinal - 1) / linearWindow
		parts[part] = append(parts[part], o)
	}
	first := int64(math.MaxInt64) // the first return in what was looked at, which stands later in the log
	for _, part := range slices.Backward(slices.Sorted(maps.Keys(parts))) {
		switch porcupine.CheckOperationsTimeout(conversationLog(part*linearWindow), parts[part], timeout) {
		case porcupine.Illegal:
			c.fail(Order, "%s is no log to which one appends after the other, about %d", id, part*linearWindow+1)
		case porcupine.Unknown:
			c.fail(Progress, "%s was not checked within %v, about %d", id, timeout, part*linearWindow+1)
		}
		for _, o := range parts[part] {
			n := o.Input.(effect).ordinal
			if int64(c.logs[id][n].invoked) > first {
				c.fail(Order, "%s/%d stands before what had returned before it began", id, n)
			}
		}
		for _, o := range parts[part] {
			first = min(first, o.Return)
		}
	}
}

// effect is something that has to do with a place of a log: a send, which appends if nobody has done so under its client
// id, or a look at what is there.
type effect struct {
	ordinal hongyan.Ordinal
	appends bool
}

// conversationLog is how a conversation behaves whose first places are there already. Its state is its length: whose
// message stands where is compared before.
func conversationLog(from hongyan.Ordinal) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return from },
		Step: func(state, input, _ any) (bool, any) {
			length, in := state.(hongyan.Ordinal), input.(effect)
			if in.appends && in.ordinal == length+1 {
				return true, in.ordinal
			}
			return in.ordinal <= length, state
		},
	}
}

// operations are what was done with a conversation.
func (c *checker) operations(id hongyan.ConversationID) []porcupine.Operation {
	var list []porcupine.Operation
	add := func(e effect, from, to Moment) {
		list = append(list, porcupine.Operation{Input: e, Call: int64(from), Return: int64(to)})
	}
	log := c.logs[id]
	for n, m := range log {
		if m.invoked == 0 {
			add(effect{n, true}, 0, math.MaxInt64) // a notice
		}
		if m.shown != 0 {
			add(effect{n, false}, 0, m.shown)
		}
	}
	for n, m := range log {
		if m.invoked == 0 {
			continue
		}
		ops := c.sends[sendKey{m.From, m.ClientID}]
		for i, o := range ops {
			switch {
			case o.Done() && o.Result.Ordinal != n:
				c.fail(Once, "%s/%d was acknowledged as %d", id, n, o.Result.Ordinal)
			case o.Done():
				add(effect{n, true}, o.Invoked, o.Completed)
			case o.Completed == 0, i == 0:
				// Refused, but a retry may have been answered that nobody heard of.
				add(effect{n, true}, o.Invoked, math.MaxInt64)
			}
		}
	}
	return list
}

// written is what a send under a client id was answered with.
type written struct{ Result }

// writeOnce is how a client id behaves. Its state is the result, none before the first send.
var writeOnce = porcupine.Model{
	Init: func() any { return written{} },
	Step: func(state, input, _ any) (bool, any) {
		if state == (written{}) {
			return true, input
		}
		return state == input, state
	},
}

func writes(ops []*Op) []porcupine.Operation {
	var list []porcupine.Operation
	for _, o := range ops {
		if o.Done() {
			list = append(list, porcupine.Operation{Input: written{o.Result}, Call: int64(o.Invoked), Return: int64(o.Completed)})
		}
	}
	return list
}
