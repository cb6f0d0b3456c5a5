package history

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/hongyan-im/hongyan"
)

// Linearizable checks, with a checker that others have written, that each conversation behaves like one log at one place:
// a send takes effect at one moment between its beginning and its answer, takes the next ordinal, or the one that its
// client id has already, and what a device is shown has taken effect before. Check finds the same by other means, and
// more; where the two differ one of them is wrong. Beyond the timeout, 0 for none, it gives up on a conversation and says so.
func Linearizable(h *History, timeout time.Duration) []Violation {
	c := newChecker(h)
	var found []Violation
	for _, id := range c.conversations() {
		if c.readers(id) == nil {
			continue // not all of the log is known
		}
		switch porcupine.CheckOperationsTimeout(conversationLog, c.operations(id), timeout) {
		case porcupine.Illegal:
			found = append(found, Violation{Order, fmt.Sprintf("%s is no log to which one appends after the other", id)})
		case porcupine.Unknown:
			found = append(found, Violation{Progress, fmt.Sprintf("%s was not checked within %v", id, timeout)})
		}
	}
	return found
}

// appendTo is a send, or a notice: the client id, or the notice's place, and what it was answered with.
type appendTo struct {
	key     string
	ordinal hongyan.Ordinal
}

// shown is a device that was shown a message of the log.
type shown struct{ ordinal hongyan.Ordinal }

// conversationLog is how a conversation behaves. Its state is the keys of the log, one after the other.
var conversationLog = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		log := state.(string)
		length := hongyan.Ordinal(len(log) / keySize)
		switch in := input.(type) {
		case shown:
			return in.ordinal <= length, state
		case appendTo:
			for n := range length {
				if log[n*keySize:][:keySize] == in.key {
					return in.ordinal == n+1, state
				}
			}
			return in.ordinal == length+1, log + in.key
		}
		return false, state
	},
}

// keySize is the length of an appendTo.key: an account and a client id.
const keySize = 8 + 16

func keyOf(u hongyan.UserID, id hongyan.ClientID) string {
	return string(append(binary.BigEndian.AppendUint64(nil, uint64(u)), id[:]...))
}

// operations are what was done with a conversation.
func (c *checker) operations(id hongyan.ConversationID) []porcupine.Operation {
	var list []porcupine.Operation
	add := func(input any, from, to Moment) {
		list = append(list, porcupine.Operation{Input: input, Call: int64(from), Return: int64(to)})
	}
	placed := map[string]hongyan.Ordinal{}
	for n, m := range c.logs[id] {
		if m.invoked != 0 {
			placed[keyOf(m.From, m.ClientID)] = n
			continue
		}
		add(appendTo{fmt.Sprintf("%*d", keySize, n), n}, 0, math.MaxInt64)
	}
	for _, o := range c.h.Ops {
		if o.Kind != Send || o.Conversation != id {
			continue
		}
		key := keyOf(o.User, o.Client)
		switch n, known := placed[key]; {
		case o.Done():
			add(appendTo{key, o.Result.Ordinal}, o.Invoked, o.Completed)
		case known && o.Completed == 0:
			add(appendTo{key, n}, o.Invoked, math.MaxInt64)
		case known && c.sends[sendKey{o.User, o.Client}][0] == o:
			// Refused, but a retry may have been answered that nobody heard of.
			add(appendTo{key, n}, o.Invoked, math.MaxInt64)
		}
	}
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		var last hongyan.Ordinal
		for _, change := range p.Changes {
			if m := change.Message; m != nil && m.Conversation == id {
				last = max(last, m.Ordinal)
			}
		}
		if last != 0 {
			add(shown{last}, 0, p.Shown)
		}
	}
	return list
}
