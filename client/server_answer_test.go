package client

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// change appends a change to the log of an account and notifies its sessions.
func (s *testServer) change(a *testAccount, c hongyan.Change) {
	previous := a.version
	a.version += 2 // with gaps
	c.Version = a.version
	a.log = append(a.log, c)
	if s.silent {
		return
	}
	for ts := range s.open {
		if ts.account != a {
			continue
		}
		n := &wire.Notify{Version: uint64(a.version)}
		if ts.stands == previous && !s.bare {
			n.Previous, n.Changes = uint64(previous), []*wire.Change{wire.FromChange(c)}
			n.Key = hongyan.KeyAt(s.generation, a.id, a.version).Token()
			ts.stands = a.version
		}
		s.write(ts, wire.OpNotify, 0, n)
	}
}

func (s *testServer) ack(a *testAccount, token []byte) error {
	key, err := hongyan.ParseSyncKey(token)
	if err == nil && key.Generation == s.generation {
		a.acked = max(a.acked, key.Version())
	}
	return err
}

func (s *testServer) heartbeat(ts *testSession, q *wire.HeartbeatRequest) (*wire.HeartbeatReply, error) {
	if len(q.Key) == 0 || ts.account == nil {
		return &wire.HeartbeatReply{}, nil
	}
	key, err := hongyan.ParseSyncKey(q.Key)
	if err != nil {
		return nil, err
	}
	return &wire.HeartbeatReply{
		Head: uint64(ts.account.version), Newer: key.Version() < ts.account.version, TimeMs: time.Now().UnixMilli(),
	}, s.ack(ts.account, q.Key)
}

// testPage is how many changes a page holds: few, so that tests see several pages.
const testPage = 3

func (s *testServer) sync(ts *testSession, q *wire.SyncRequest) (*wire.SyncReply, error) {
	a := ts.account
	key, err := hongyan.ParseSyncKey(q.Key)
	if err != nil {
		return nil, err
	}
	head := hongyan.KeyAt(s.generation, a.id, a.version)
	reset := func(why wire.ResetReason) *wire.SyncReply {
		r := &wire.Reset{Reason: why}
		for id := range s.messages {
			if _, mine := id.Peer(a.id); mine {
				r.Conversations = append(r.Conversations, s.conversation(a, id, true))
			}
		}
		if a.version > a.trim {
			r.Backfill = s.backfillToken(a.trim, a.version)
		}
		ts.stands = a.version
		return &wire.SyncReply{Key: head.Token(), Version: uint64(a.version), Reset_: r}
	}
	switch {
	case key.IsZero():
		return reset(wire.ResetFirst), nil
	case key.User != a.id:
		return nil, hongyan.Errorf(hongyan.KeyInvalid, "the key is another account's")
	case key.Generation != s.generation:
		return reset(wire.ResetGeneration), nil
	case key.Version() > a.version:
		return nil, hongyan.Errorf(hongyan.KeyAhead, "the key is ahead")
	case key.Version() < a.trim:
		return reset(wire.ResetTrimmed), nil
	}
	if err := s.ack(a, q.Key); err != nil {
		return nil, err
	}
	changes, more := a.between(key.Version(), a.version)
	upTo := a.version
	if more {
		upTo = changes[len(changes)-1].Version
	} else {
		ts.stands = upTo
	}
	return &wire.SyncReply{
		Changes: wire.FromAll(wire.FromChange, changes), Conversations: s.mentioned(a, changes),
		Key: hongyan.KeyAt(s.generation, a.id, upTo).Token(), Version: uint64(upTo), More: more,
	}, nil
}

// between returns a page of the changes above one version up to another.
func (a *testAccount) between(above, upTo hongyan.Version) (changes []hongyan.Change, more bool) {
	for _, c := range a.log {
		if c.Version <= max(above, a.trim) || c.Version > upTo {
			continue
		}
		if len(changes) == testPage {
			return changes, true
		}
		changes = append(changes, c)
	}
	return changes, false
}

func (s *testServer) mentioned(a *testAccount, changes []hongyan.Change) []*wire.Conversation {
	var seen []hongyan.ConversationID
	var list []*wire.Conversation
	for _, c := range changes {
		var id hongyan.ConversationID
		switch {
		case c.Message != nil:
			id = c.Message.Conversation
		case c.Recall != nil:
			id = c.Recall.Conversation
		}
		if !id.IsZero() && !slices.Contains(seen, id) {
			seen = append(seen, id)
			list = append(list, s.conversation(a, id, false))
		}
	}
	return list
}

func (s *testServer) backfillToken(at, upTo hongyan.Version) []byte {
	b := binary.BigEndian.AppendUint64(nil, s.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	return binary.BigEndian.AppendUint64(b, uint64(upTo))
}

func (s *testServer) backfill(a *testAccount, q *wire.BackfillRequest) (*wire.BackfillReply, error) {
	if len(q.Token) != 24 || binary.BigEndian.Uint64(q.Token) != s.generation {
		return nil, hongyan.Errorf(hongyan.KeyInvalid, "the token cannot be continued")
	}
	at, upTo := hongyan.Version(binary.BigEndian.Uint64(q.Token[8:])), hongyan.Version(binary.BigEndian.Uint64(q.Token[16:]))
	changes, more := a.between(at, upTo)
	r := &wire.BackfillReply{Changes: wire.FromAll(wire.FromChange, changes), Conversations: s.mentioned(a, changes)}
	if more {
		r.Token = s.backfillToken(changes[len(changes)-1].Version, upTo)
	}
	return r, nil
}

func (s *testServer) conversation(a *testAccount, id hongyan.ConversationID, withLast bool) *wire.Conversation {
	peer, _ := id.Peer(a.id)
	list := s.messages[id]
	c := hongyan.Conversation{ID: id, Last: hongyan.Ordinal(len(list)), Read: a.read[id]}
	if p := s.accounts[peer]; p != nil {
		c.Title, c.Peer = p.name, &hongyan.Profile{User: p.id, Name: p.name}
	}
	for _, m := range list {
		if m.From != a.id && m.Ordinal > c.Read && m.State == hongyan.Present {
			c.Unread++
		}
	}
	if withLast && len(list) > 0 {
		c.LastMessage = &list[len(list)-1]
	}
	return wire.FromConversation(c)
}

func (s *testServer) send(a *testAccount, q *wire.SendRequest) (*wire.SendReply, error) {
	a.sends++
	id, err := wire.ToClientID(q.ClientId)
	if err != nil {
		return nil, err
	}
	content, err := wire.ToContent(q.Content)
	if err != nil {
		return nil, err
	}
	if r := a.results[id]; r != nil {
		return r, nil
	}
	age := time.Now().UnixMilli() - q.FirstAttemptMs
	switch {
	case age > 7*24*3_600_000:
		return nil, hongyan.Errorf(hongyan.TooLate, "first attempted too long ago")
	case age < -3_600_000:
		return nil, hongyan.Errorf(hongyan.ClockSkew, "first attempted in the future")
	}
	var conv hongyan.ConversationID
	if name := q.GetName(); name != "" {
		peer := s.named(name)
		if peer == nil {
			return nil, hongyan.Errorf(hongyan.NotFound, "there is no account %s", name)
		}
		conv = hongyan.Direct(a.id, peer.id)
	} else if conv, err = hongyan.ParseConversation(q.GetConversation()); err != nil {
		return nil, err
	}
	m := s.post(conv, a.id, id, content)
	a.results[id] = &wire.SendReply{
		Id: uint64(m.ID), Conversation: conv.String(), Ordinal: uint64(m.Ordinal), TimeMs: m.TimeMS,
	}
	return a.results[id], nil
}

// post stores a message and tells both sides.
func (s *testServer) post(conv hongyan.ConversationID, from hongyan.UserID, id hongyan.ClientID, content hongyan.Content) hongyan.Message {
	s.nextID++
	m := hongyan.Message{
		ID: s.nextID, Conversation: conv, Ordinal: hongyan.Ordinal(len(s.messages[conv]) + 1), From: from,
		FromName: s.accounts[from].name, ClientID: id, TimeMS: time.Now().UnixMilli(), Content: content,
	}
	s.messages[conv] = append(s.messages[conv], m)
	x, y, _ := conv.Members()
	for _, member := range slices.Compact([]hongyan.UserID{x, y}) {
		s.change(s.accounts[member], hongyan.Change{Message: &m})
	}
	return m
}

func (s *testServer) recall(a *testAccount, q *wire.RecallRequest) error {
	conv, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		return err
	}
	m := &s.messages[conv][q.Ordinal-1]
	m.State, m.Content = hongyan.Recalled, hongyan.Content{}
	x, y, _ := conv.Members()
	for _, member := range []hongyan.UserID{x, y} {
		s.change(s.accounts[member], hongyan.Change{Recall: &hongyan.Recall{
			Conversation: conv, Ordinal: m.Ordinal, ID: m.ID, By: a.id,
		}})
	}
	return nil
}

func (s *testServer) markRead(a *testAccount, q *wire.MarkReadRequest) error {
	conv, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		return err
	}
	a.read[conv] = max(a.read[conv], hongyan.Ordinal(q.Ordinal))
	view, err := wire.ToConversation(s.conversation(a, conv, false))
	if err != nil {
		return err
	}
	s.change(a, hongyan.Change{Conversation: &view})
	if peer, _ := conv.Peer(a.id); peer != a.id {
		r := hongyan.Receipt{Conversation: conv, Reader: a.id, Delivered: a.read[conv], Read: a.read[conv]}
		s.change(s.accounts[peer], hongyan.Change{Receipt: &r})
	}
	return nil
}

func (s *testServer) history(a *testAccount, q *wire.HistoryRequest) (*wire.HistoryReply, error) {
	conv, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		return nil, err
	}
	list := s.messages[conv]
	if q.Before > 0 && q.Before <= uint64(len(list)) {
		list = list[:q.Before-1]
	}
	more := len(list) > int(q.Limit)
	if more {
		list = list[len(list)-int(q.Limit):]
	}
	return &wire.HistoryReply{Messages: wire.FromAll(wire.FromMessage, list), More: more}, nil
}

func (s *testServer) profiles(q *wire.ProfilesRequest) *wire.ProfilesReply {
	r := new(wire.ProfilesReply)
	for _, u := range q.Users {
		if a := s.accounts[hongyan.UserID(u)]; a != nil {
			r.Profiles = append(r.Profiles, &wire.Profile{User: u, Name: a.name, DisplayName: "Display of " + a.name})
		}
	}
	return r
}
