package history

import (
	"maps"
	"slices"

	"github.com/hongyan-im/hongyan"
)

// checkProgress looks for sends without an answer.
func (c *checker) checkProgress() {
	for _, o := range c.h.Ops {
		if o.Patient && o.Completed == 0 {
			c.fail(Progress, "account %d's send of %q (device %d) was never answered", o.User, o.Text, o.Device.Device)
		}
	}
}

// checkRetries looks for client ids with two results, and for refusals of what was done.
func (c *checker) checkRetries() {
	for _, first := range c.h.Ops {
		ops := c.sends[sendKey{first.User, first.Client}]
		if first.Kind != Send || ops[0] != first {
			continue
		}
		var done *Op
		refused := true
		for _, o := range ops {
			refused = refused && o.Completed != 0 && o.Code != 0 && final(o.Code)
			if !o.Done() {
				continue
			}
			if done != nil && (done.Result != o.Result || done.Text != o.Text || done.Conversation != o.Conversation) {
				c.fail(Once, "account %d's %q got %+v, its retry %q got %+v", o.User, done.Text, done.Result, o.Text, o.Result)
			}
			done = o
		}
		for _, log := range c.logs {
			for _, m := range log {
				if m.From == first.User && m.ClientID == first.Client && refused && m.Content.Kind != hongyan.KindNotice {
					c.fail(Once, "account %d's %q was refused (%v) and stands in %s/%d", first.User, first.Text, first.Code,
						m.Conversation, m.Ordinal)
				}
			}
		}
	}
}

// checkOrder looks at the places of each conversation: dense, one for each client id, and in real time: what had
// returned before another send began stands before it.
func (c *checker) checkOrder() {
	taken := map[sendKey]*message{}
	for _, id := range c.conversations() {
		var latest Moment // the latest beginning of a send so far
		for i, n := range slices.Sorted(maps.Keys(c.logs[id])) {
			m := c.logs[id][n]
			if n != hongyan.Ordinal(i+1) && c.h.Kept == 0 {
				c.fail(Order, "nobody saw what stands in %s/%d", id, i+1)
				break
			}
			if m.invoked == 0 {
				continue
			}
			if m.acked != 0 && m.acked < latest {
				c.fail(Order, "%s/%d had been acknowledged before a send began that stands before it", id, n)
			}
			latest = max(latest, m.invoked)
			k := sendKey{m.From, m.ClientID}
			if other := taken[k]; other != nil {
				c.fail(Once, "account %d's %q stands in %s/%d and in %s/%d", m.From, m.Content.Text,
					other.Conversation, other.Ordinal, id, n)
			}
			taken[k] = m
		}
	}
}

// checkCommits follows the key of each device: it grows, and every entry of the account's log that it passes was stored
// with it, in order.
func (c *checker) checkCommits() {
	type state struct {
		version hongyan.Version
		reset   hongyan.Version // everything up to it comes by backfill
		whole   bool
		got     map[hongyan.Version]bool
		last    map[hongyan.ConversationID]hongyan.Ordinal
	}
	devices := map[Device]*state{}
	known := map[hongyan.UserID][]hongyan.Version{}
	for u, log := range c.places {
		known[u] = slices.Sorted(maps.Keys(log))
	}
	for _, commit := range c.h.Commits {
		d := devices[commit.Device]
		if d == nil {
			d = &state{got: map[hongyan.Version]bool{}, last: map[hongyan.ConversationID]hongyan.Ordinal{}}
			devices[commit.Device] = d
		}
		if commit.Previous != d.version || commit.Version < d.version {
			c.fail(Versions, "device %d went from version %d to %d, it stood at %d", commit.Device.Device, commit.Previous, commit.Version, d.version)
		}
		last := commit.Previous
		for _, change := range commit.Changes {
			d.got[change.Version] = true
			if commit.Backfilled || commit.Reset {
				continue
			}
			if change.Version <= last || change.Version > commit.Version || change.Version >= 1<<53 {
				c.fail(Versions, "device %d got a change of version %d after %d in a page up to %d",
					commit.Device.Device, change.Version, last, commit.Version)
			}
			last = change.Version
			if m := change.Message; m != nil {
				if m.Ordinal <= d.last[m.Conversation] {
					c.fail(Order, "device %d got %s/%d after %d", commit.Device.Device, m.Conversation, m.Ordinal, d.last[m.Conversation])
				}
				d.last[m.Conversation] = m.Ordinal
			}
		}
		if commit.Reset {
			d.reset = commit.Version
		}
		from := commit.Previous
		if commit.Reset {
			from = commit.Version
		}
		d.version, d.whole = commit.Version, commit.Whole
		for _, v := range between(known[commit.User], from, commit.Version) {
			if !d.got[v] {
				c.fail(Key, "device %d went from version %d to %d without %d: %v",
					commit.Device.Device, from, commit.Version, v, c.places[commit.User][v])
			}
		}
	}
	for device, d := range devices {
		for _, v := range between(known[device.User], 0, d.reset) {
			if c.h.Kept == 0 && d.whole && !d.got[v] {
				c.fail(Key, "device %d finished the backfill up to version %d without %d: %v",
					device.Device, d.reset, v, c.places[device.User][v])
			}
		}
	}
}

// between returns the versions in (from, to] of a sorted list.
func between(list []hongyan.Version, from, to hongyan.Version) []hongyan.Version {
	i, found := slices.BinarySearch(list, from)
	if found {
		i++
	}
	j, found := slices.BinarySearch(list, to)
	if found {
		j++
	}
	return list[i:max(i, j)]
}

// checkPages looks at what was shown when: a pull finds what was acknowledged before it was asked, and nothing shows what
// was recalled before.
func (c *checker) checkPages() {
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		if p.Source == Pulled && !p.More && !p.Reset {
			for v, at := range c.places[p.User] {
				m := c.logs[at.conversation][at.ordinal]
				if v > p.Version && !at.recall && m != nil && m.acked != 0 && m.acked < p.Asked {
					c.fail(Key, "device %d was at version %d after a pull, %s/%d had been acknowledged before as version %d",
						p.Device.Device, p.Version, at.conversation, at.ordinal, v)
				}
			}
		}
		for _, change := range p.Changes {
			if change.Message != nil {
				c.checkRecalled(p, change.Message)
			}
		}
		for j := range p.Messages {
			c.checkRecalled(p, &p.Messages[j])
		}
		for _, conversation := range p.Conversations {
			if conversation.LastMessage != nil {
				c.checkRecalled(p, conversation.LastMessage)
			}
		}
	}
}

func (c *checker) checkRecalled(p *Page, m *hongyan.Message) {
	known := c.logs[m.Conversation][m.Ordinal]
	switch {
	case m.State == hongyan.Expired:
	case m.State == hongyan.Present && p.Asked != 0 && known.recall != nil && known.recall.Completed < p.Asked:
		c.fail(Recalled, "device %d was shown %s/%d, %q, which had been recalled", p.Device.Device, m.Conversation, m.Ordinal, m.Content.Text)
	case m.State == hongyan.Recalled && !known.tried:
		c.fail(Recalled, "device %d was told that %s/%d was recalled, nobody asked for that", p.Device.Device, m.Conversation, m.Ordinal)
	}
}

// checkBlocks looks for messages to somebody who had blocked their sender before, and had not begun to lift that.
func (c *checker) checkBlocks() {
	for _, block := range c.h.Ops {
		if block.Kind != Block || !block.Done() {
			continue
		}
		for n, m := range c.logs[hongyan.Direct(block.User, block.Users[0])] {
			if m.From != block.Users[0] || m.From == block.User || m.invoked < block.Completed {
				continue
			}
			if !slices.ContainsFunc(c.h.Ops, func(o *Op) bool {
				return o.Kind == Unblock && o.User == block.User && o.Users[0] == m.From && (m.acked == 0 || o.Invoked < m.acked) &&
					(o.Completed == 0 || o.Completed > block.Invoked)
			}) {
				c.fail(Membership, "account %d wrote %s/%d, %q, to account %d, which had blocked it",
					m.From, m.Conversation, n, m.Content.Text, block.User)
			}
		}
	}
}

// readers walks through a conversation and returns who is to see each place; nil if that cannot be known, because a place
// was trimmed before anybody saw it. Who wrote without being a member breaks a promise.
func (c *checker) readers(id hongyan.ConversationID) map[hongyan.Ordinal][]hongyan.UserID {
	all := map[hongyan.Ordinal][]hongyan.UserID{}
	for n := range hongyan.Ordinal(len(c.logs[id])) {
		if c.logs[id][n+1] == nil {
			return nil
		}
	}
	var members []hongyan.UserID
	a, b, direct := id.Members()
	if direct {
		members = slices.Compact([]hongyan.UserID{a, b})
	}
	for _, n := range slices.Sorted(maps.Keys(c.logs[id])) {
		m := c.logs[id][n]
		if notice := m.Content.Notice; notice != nil {
			members = slices.DeleteFunc(slices.Clone(members), func(u hongyan.UserID) bool { return slices.Contains(notice.Users, u) })
			switch notice.Event {
			case hongyan.NoticeCreated:
				members = append(members, m.From)
				members = append(members, notice.Users...)
			case hongyan.NoticeLeft, hongyan.NoticeRemoved:
			default:
				members = append(members, notice.Users...)
			}
		} else if !slices.Contains(members, m.From) {
			c.fail(Membership, "account %d wrote %s/%d, %q, and was no member there", m.From, id, n, m.Content.Text)
		}
		all[n] = members
	}
	return all
}

// checkHoldings compares what each device holds in the end with the truth.
func (c *checker) checkHoldings() {
	for _, id := range c.conversations() {
		readers := c.readers(id)
		if readers == nil {
			continue
		}
		recalled := map[hongyan.Ordinal]hongyan.MessageState{}
		for _, d := range c.h.Holdings {
			held := map[hongyan.Ordinal]*hongyan.Message{}
			for i := range d.Messages {
				if m := &d.Messages[i]; m.Conversation == id {
					held[m.Ordinal] = m
				}
			}
			for _, n := range slices.Sorted(maps.Keys(c.logs[id])) {
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
				if got == nil || !stayed(readers, n, d.User) {
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
	for _, o := range c.h.Ops {
		d, ok := first[o.User]
		if o.Kind != Set || !o.Done() || !ok || d.States[o.Name] == o.Text {
			continue
		}
		// Another value must have come later, or at the same time.
		if !slices.ContainsFunc(c.h.Ops, func(w *Op) bool {
			return w.Kind == Set && w.User == o.User && w.Name == o.Name && w.Text == d.States[o.Name] &&
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

// stayed reports whether u was a member from a place on to the end.
func stayed(readers map[hongyan.Ordinal][]hongyan.UserID, n hongyan.Ordinal, u hongyan.UserID) bool {
	for ; readers[n] != nil; n++ {
		if !slices.Contains(readers[n], u) {
			return false
		}
	}
	return true
}
