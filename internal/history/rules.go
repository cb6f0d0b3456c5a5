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
			// TooLate says that nobody can know whether an earlier attempt was accepted.
			refused = refused && o.Completed != 0 && o.Code != 0 && o.Code != hongyan.TooLate && final(o.Code)
			if !o.Done() {
				continue
			}
			if done != nil && (done.Result != o.Result || done.Text != o.Text || done.Conversation != o.Conversation) {
				c.fail(Once, "account %d's %q got %+v, its retry %q got %+v", o.User, done.Text, done.Result, o.Text, o.Result)
			}
			done = o
		}
		if m := c.stands[sendKey{first.User, first.Client}]; m != nil && refused && m.Content.Kind != hongyan.KindNotice {
			c.fail(Once, "account %d's %q was refused (%v) and stands in %s/%d", first.User, first.Text, first.Code,
				m.Conversation, m.Ordinal)
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
	first := map[hongyan.UserID]acknowledgements{}
	for u := range c.places {
		first[u] = c.acknowledgements(u)
	}
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		if p.Source == Pulled && !p.More && !p.Reset {
			if v, acked := first[p.User].above(p.Version); acked != 0 && acked < p.Asked {
				at := c.places[p.User][v]
				c.fail(Key, "device %d was at version %d after a pull, %s/%d had been acknowledged before as version %d",
					p.Device.Device, p.Version, at.conversation, at.ordinal, v)
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

// acknowledgements are the versions of an account's messages, and for each which of those from it on was acknowledged first.
type acknowledgements struct {
	versions []hongyan.Version
	first    []hongyan.Version
	acked    []Moment // of first, 0 for never
}

func (c *checker) acknowledgements(u hongyan.UserID) acknowledgements {
	a := acknowledgements{versions: slices.Sorted(maps.Keys(c.places[u]))}
	a.first, a.acked = make([]hongyan.Version, len(a.versions)+1), make([]Moment, len(a.versions)+1)
	for i, v := range slices.Backward(a.versions) {
		a.first[i], a.acked[i] = a.first[i+1], a.acked[i+1]
		at := c.places[u][v]
		m := c.logs[at.conversation][at.ordinal]
		if !at.recall && m != nil && m.acked != 0 && (a.acked[i] == 0 || m.acked < a.acked[i]) {
			a.first[i], a.acked[i] = v, m.acked
		}
	}
	return a
}

// above returns which of the messages above a version was acknowledged first, and when; 0 for none.
func (a acknowledgements) above(v hongyan.Version) (hongyan.Version, Moment) {
	if len(a.versions) == 0 {
		return 0, 0
	}
	i, found := slices.BinarySearch(a.versions, v)
	if found {
		i++
	}
	return a.first[i], a.acked[i]
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
	var lifts []*Op
	for _, o := range c.h.Ops {
		if o.Kind == Unblock {
			lifts = append(lifts, o)
		}
	}
	for _, block := range c.h.Ops {
		if block.Kind != Block || !block.Done() {
			continue
		}
		for n, m := range c.logs[hongyan.Direct(block.User, block.Users[0])] {
			if m.From != block.Users[0] || m.From == block.User || m.invoked < block.Completed {
				continue
			}
			if !slices.ContainsFunc(lifts, func(o *Op) bool {
				return o.User == block.User && o.Users[0] == m.From && (m.acked == 0 || o.Invoked < m.acked) &&
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
