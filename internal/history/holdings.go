package history

import (
	"maps"
	"slices"

	"github.com/hongyan-im/hongyan"
)

// checkHoldings compares what each device holds in the end with the truth.
func (c *checker) checkHoldings() {
	holdings := make([]map[hongyan.ConversationID][]*hongyan.Message, len(c.h.Holdings))
	for i, d := range c.h.Holdings {
		holdings[i] = map[hongyan.ConversationID][]*hongyan.Message{}
		for j := range d.Messages {
			m := &d.Messages[j]
			holdings[i][m.Conversation] = append(holdings[i][m.Conversation], m)
		}
	}
	for _, id := range c.conversations() {
		readers := c.readers(id)
		if readers == nil {
			continue
		}
		places := slices.Sorted(maps.Keys(c.logs[id]))
		since := stays(readers)
		recalled := map[hongyan.Ordinal]hongyan.MessageState{}
		for i, d := range c.h.Holdings {
			held := map[hongyan.Ordinal]*hongyan.Message{}
			for _, m := range holdings[i][id] {
				held[m.Ordinal] = m
			}
			for _, n := range places {
				m, got := c.logs[id][n], held[n]
				switch reads := slices.Contains(readers[n], d.User); {
				case reads && got == nil && c.trimmed(d, place{id, n, false}, m):
				case reads && got == nil:
					c.fail(Durable, "device %d of account %d does not hold %s/%d, %q (acknowledged: %t)",
						d.Device.Device, d.User, id, n, m.Content.Text, m.acked != 0)
					continue
				case !reads && got != nil:
					c.fail(Membership, "device %d of account %d holds %s/%d, %q, and was no member there",
						d.Device.Device, d.User, id, n, m.Content.Text)
				case got != nil && (got.ID != m.ID || got.State == hongyan.Present && got.Content.Text != m.Content.Text):
					c.fail(Order, "device %d holds message %d, %q, as %s/%d, which is %d, %q",
						d.Device.Device, got.ID, got.Content.Text, id, n, m.ID, m.Content.Text)
				}
				if first, stayed := since[d.User]; got == nil || !stayed || n < first {
					continue // who was gone when a message was recalled is not told
				}
				if c.h.Kept != 0 && len(c.resets[d.Device]) > 0 {
					continue // the recall may have been trimmed before it came here
				}
				state, known := recalled[n]
				if known && state != got.State || got.State == hongyan.Present && m.recall != nil || got.State == hongyan.Recalled && !m.tried {
					c.fail(Recalled, "device %d holds %s/%d in state %d; recalled for sure: %t, others: %d",
						d.Device.Device, id, n, got.State, m.recall != nil, state)
				}
				recalled[n] = got.State
			}
		}
	}
}

// trimmed reports whether a device may lack a message because it was gone from the account's log before it was asked for:
// after a reset, or when nothing but an expired stub was left.
func (c *checker) trimmed(d Holding, at place, m *message) bool {
	if c.h.Kept == 0 {
		return false
	}
	var version hongyan.Version
	newer := 0 // messages of the account
	log := c.places[d.User]
	for v, p := range log {
		if p == at {
			version = v
		}
	}
	for v, p := range log {
		if v > version && !p.recall {
			newer++
		}
	}
	if slices.ContainsFunc(c.h.Commits, func(commit Commit) bool {
		return commit.Device == d.Device && slices.ContainsFunc(commit.Changes, func(change hongyan.Change) bool {
			p, ok := placeOf(change)
			return ok && p == at && !p.recall
		})
	}) {
		return true // the stub: the body went with the logs of those who stayed
	}
	return (version == 0 || newer >= c.h.Kept) && slices.ContainsFunc(c.resets[d.Device], func(reset *Commit) bool {
		return version != 0 && version <= reset.Version || version == 0 && reset.Moment > m.invoked
	})
}

// checkStates compares what the devices of an account know besides messages: the same for all, and what was set last.
func (c *checker) checkStates() {
	first := map[hongyan.UserID]Holding{}
	for _, d := range c.h.Holdings {
		other, ok := first[d.User]
		if !ok {
			first[d.User] = d
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(merged(d.States, other.States))) {
			if d.States[name] != other.States[name] {
				c.fail(Key, "account %d's %s is %q on device %d and %q on device %d", d.User, name,
					d.States[name], d.Device.Device, other.States[name], other.Device.Device)
			}
		}
	}
	var sets []*Op
	for _, o := range c.h.Ops {
		if o.Kind == Set {
			sets = append(sets, o)
		}
	}
	for _, o := range sets {
		d, ok := first[o.User]
		if !o.Done() || !ok || d.States[o.Name] == o.Text {
			continue
		}
		// Another value must have come later, or at the same time.
		if !slices.ContainsFunc(sets, func(w *Op) bool {
			return w.User == o.User && w.Name == o.Name && w.Text == d.States[o.Name] &&
				(w.Completed == 0 || w.Code == 0 || !final(w.Code)) && (w.Completed == 0 || w.Completed > o.Invoked)
		}) {
			c.fail(Durable, "account %d's %s is %q, it was set to %q since", o.User, o.Name, d.States[o.Name], o.Text)
		}
	}
}

func merged(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// stays returns for each account that is a member in the end since which place it has been one all the time.
func stays(readers map[hongyan.Ordinal][]hongyan.UserID) map[hongyan.UserID]hongyan.Ordinal {
	since := map[hongyan.UserID]hongyan.Ordinal{}
	last := hongyan.Ordinal(len(readers))
	for _, u := range readers[last] {
		n := last
		for n > 1 && slices.Contains(readers[n-1], u) {
			n--
		}
		since[u] = n
	}
	return since
}
