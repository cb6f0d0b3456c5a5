package session

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/wire"
)

// notification is a hint on its way to the sessions of an account, encoded once for all of them.
type notification struct {
	hint       inbox.Hint
	generation uint64
	inline     []byte // with the changes; nil until it is needed
	plain      []byte // the version alone
}

// withChanges is the frame with the changes, or nil if there are none or they are too large for one.
func (n *notification) withChanges() []byte {
	if n.inline == nil && len(n.hint.Changes) > 0 {
		key := hongyan.KeyAt(n.generation, n.hint.User, n.hint.Version)
		frame, err := wire.Append(nil, wire.OpNotify, 0, &wire.Notify{
			Version: uint64(n.hint.Version), Previous: uint64(n.hint.Previous),
			Changes: wire.FromAll(wire.FromChange, n.hint.Changes), Key: key.Token(),
		})
		if n.inline = frame; err != nil || len(frame) > MaxInline {
			n.hint.Changes = nil
			n.inline = nil
		}
	}
	return n.inline
}

func (n *notification) withoutChanges() []byte {
	if n.plain == nil {
		n.plain = plainNotify(n.hint.Version)
	}
	return n.plain
}

func plainNotify(v hongyan.Version) []byte {
	frame, _ := wire.Append(nil, wire.OpNotify, 0, &wire.Notify{Version: uint64(v)})
	return frame
}

// hint tells the device that there is something newer: with the changes if it stands exactly before them, otherwise
// without. A link that does not drain gets one notification when it has. A link that takes them gets every one: that the
// device was told before does not say that it will ask, for it ignores what an answer has overtaken, and may pull by
// another way.
func (s *Session) hint(n *notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended || s.draining != nil:
		return
	case n.hint.Version <= s.told: // an answer that waited for the same round has brought it
		return
	case s.owed != 0:
		s.owed = n.hint.Version
		return
	}
	if s.told == n.hint.Previous && s.told != 0 {
		if frame := n.withChanges(); frame != nil && s.link.Send(frame) {
			s.told = n.hint.Version
			return
		}
	}
	s.notify(n.hint.Version, n.withoutChanges())
}

// notify sends a notification without changes now, or when the link has drained. Under the lock.
func (s *Session) notify(v hongyan.Version, frame []byte) {
	if s.link.Send(frame) {
		s.owed = 0
		return
	}
	s.owed = v
	s.link.Drained(s.drained)
}

// signal passes on something of the moment, if the link takes it now.
func (s *Session) signal(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.draining == nil {
		s.link.Send(frame)
	}
}

// drained says that the link takes notifications again, or took them a moment ago.
func (s *Session) drained() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed != 0 && !s.ended && s.draining == nil {
		s.notify(s.owed, plainNotify(s.owed))
	}
}
