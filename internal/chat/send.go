package chat

import (
	"crypto/sha256"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Draft is a message to be sent: to a conversation, or to the account named To.
type Draft struct {
	Conversation   hongyan.ConversationID
	To             string
	ClientID       hongyan.ClientID
	FirstAttemptMS int64 // by the server's clock, the same in every retry
	Content        hongyan.Content
}

// Sent is the outcome of a send, the same for every retry.
type Sent struct {
	ID           hongyan.MessageID      `cbor:"1,keyasint"`
	Conversation hongyan.ConversationID `cbor:"2,keyasint"`
	Ordinal      hongyan.Ordinal        `cbor:"3,keyasint"`
	TimeMS       int64                  `cbor:"4,keyasint"`
}

// encode makes what store.Encode makes.
func (s Sent) encode() []byte {
	conversation, _ := s.Conversation.MarshalBinary()
	b := store.AppendMap(make([]byte, 0, 64), 4)
	b = store.AppendUint(append(b, 1), uint64(s.ID))
	b = store.AppendBytes(append(b, 2), conversation)
	b = store.AppendUint(append(b, 3), uint64(s.Ordinal))
	return store.AppendInt(append(b, 4), s.TimeMS)
}

// Send accepts a message: first it looks whether it was seen before, then whether it is allowed, then it takes its place
// in the conversation and in every member's log.
func (s *Service) Send(c Caller, d Draft, done func(Sent, error)) {
	if d.ClientID == (hongyan.ClientID{}) {
		done(Sent{}, hongyan.Errorf(hongyan.Invalid, "client_id is missing").
			WithHint("give each message 16 random bytes and keep them for its retries"))
		return
	}
	if err := d.Content.Check(); err != nil {
		done(Sent{}, err)
		return
	}
	content := store.Encode(d.Content)
	if len(content) > hongyan.MaxContent {
		done(Sent{}, hongyan.Errorf(hongyan.TooLarge, "the content is %d bytes, the limit is %d", len(content), hongyan.MaxContent))
		return
	}
	if d.Conversation.IsZero() {
		write(s, c, func(tx *inbox.Tx) (Sent, error) {
			to, err := named(tx, d.To) // whether it may be written to is asked after the retry is recognised
			if err != nil {
				return Sent{}, err
			}
			conversation := hongyan.Direct(c.User, to)
			return s.send(tx, c, &d, conversation, content, digestOf(conversation, content))
		}, done)
		return
	}
	digest := digestOf(d.Conversation, content) // here, and not in the one goroutine that writes
	write(s, c, func(tx *inbox.Tx) (Sent, error) { return s.send(tx, c, &d, d.Conversation, content, digest) }, done)
}

func (s *Service) send(tx *inbox.Tx, c Caller, d *Draft, conversation hongyan.ConversationID, content []byte, digest [16]byte) (Sent, error) {
	var sent Sent
	if seen, err := retried(tx, c.User, d.ClientID, d.FirstAttemptMS, digest, &sent); seen || err != nil {
		return sent, err
	}
	if err := tx.Accepting(); err != nil {
		return Sent{}, err
	}
	members, err := s.mayWrite(tx, tx.NowMS(), c.User, conversation)
	if err != nil {
		return Sent{}, err
	}
	sender, err := account(tx, c.User)
	if err != nil {
		return Sent{}, err
	}
	m := &hongyan.Message{
		ID: tx.NewMessageID(), Conversation: conversation, From: c.User, FromName: sender.Name,
		ClientID: d.ClientID, TimeMS: tx.NowMS(), Content: d.Content,
	}
	if err := addMessage(tx, m, content, members); err != nil {
		return Sent{}, err
	}
	sent = Sent{m.ID, conversation, m.Ordinal, m.TimeMS}
	remember(tx, c.User, d.ClientID, digest, sent.encode())
	return sent, nil
}

// mayWrite returns who gets a message of u in the conversation, or why u may not write there.
func (s *Service) mayWrite(r store.Reader, nowMS int64, u hongyan.UserID, c hongyan.ConversationID) ([]hongyan.UserID, error) {
	if g, ok := c.Group(); ok {
		group, err := liveGroup(r, g, u)
		if err != nil {
			return nil, err
		}
		if err := maySpeak(group, u, nowMS); err != nil {
			return nil, err
		}
		return memberIDs(group), nil
	}
	peer, ok := c.Peer(u)
	if !ok {
		return nil, hongyan.Errorf(hongyan.NotMember, "conversation %s is not this account's", c)
	}
	if peer == u {
		return []hongyan.UserID{u}, nil
	}
	if _, err := account(r, peer); err != nil {
		return nil, err
	}
	theirs, err := store.Contacts.Get(r, store.Pair{User: peer, Other: u})
	switch {
	case err != nil:
		return nil, err
	case theirs != nil && theirs.Blocked:
		return nil, hongyan.Errorf(hongyan.Blocked, "the other side does not take messages from this account")
	case s.config.ContactsOnly && (theirs == nil || theirs.State != hongyan.ContactAccepted):
		return nil, hongyan.Errorf(hongyan.ContactRequired, "on this server messages go to contacts only").
			WithHint("ask to become a contact first")
	}
	return []hongyan.UserID{u, peer}, nil
}

// addMessage gives a message its place, and its members a view of the conversation if they have none yet. A view is for
// ever, so all have one when there was a message before.
func addMessage(tx *inbox.Tx, m *hongyan.Message, content []byte, members []hongyan.UserID) error {
	last, err := tx.LastOrdinal(m.Conversation)
	if err != nil {
		return err
	}
	if _, _, direct := m.Conversation.Members(); direct && last == 0 {
		for _, u := range members {
			part := store.Part{User: u, Conversation: m.Conversation}
			v, err := store.Views.Get(tx, part)
			if err != nil {
				return err
			}
			if v == nil {
				store.Views.Put(tx.Tx, part, &store.ConversationView{})
			}
		}
	}
	return tx.AddMessage(m, content, members)
}

// digestOf tells contents for one conversation apart.
func digestOf(c hongyan.ConversationID, content []byte) [16]byte {
	b, _ := c.AppendBinary(make([]byte, 0, hongyan.ConversationSize+len(content)))
	sum := sha256.Sum256(append(b, content...))
	return [16]byte(sum[:16])
}

// retried looks for the first attempt of a request. If there was one, its outcome is put into result; if that was for
// another content, it is a Conflict.
func retried(tx *inbox.Tx, u hongyan.UserID, id hongyan.ClientID, firstAttemptMS int64, digest [16]byte, result any) (bool, error) {
	o, err := tx.Original(u, id, firstAttemptMS)
	if err != nil || o == nil {
		return false, err
	}
	if o.Digest != digest {
		return false, hongyan.Errorf(hongyan.Conflict, "this client_id was used for another content").
			WithHint("give every new message a client_id of its own; only a retry repeats it, unchanged")
	}
	return true, store.Decode(o.Result, result)
}

func remember(tx *inbox.Tx, u hongyan.UserID, id hongyan.ClientID, digest [16]byte, result []byte) {
	tx.Remember(u, id, store.Original{Digest: digest, Result: result})
}
