package client

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// applier applies changes within one transaction of the state.
type applier struct {
	me     hongyan.UserID
	derive bool // work the states of conversations out, because the server did not send them

	conversations, messages, processed, contacts, groups, settings, profiles, meta *bbolt.Bucket

	changed []hongyan.ConversationID // whose states are different now, in order of their first change
}

func newApplier(tx *bbolt.Tx, me hongyan.UserID, derive bool) *applier {
	return &applier{
		me:            me,
		derive:        derive,
		conversations: tx.Bucket(bucketConversations),
		messages:      tx.Bucket(bucketMessages),
		processed:     tx.Bucket(bucketProcessed),
		contacts:      tx.Bucket(bucketContacts),
		groups:        tx.Bucket(bucketGroups),
		settings:      tx.Bucket(bucketSettings),
		profiles:      tx.Bucket(bucketProfiles),
		meta:          tx.Bucket(bucketMeta),
	}
}

// apply stores what c brings, and adds to batch what the application has to be told of it.
func (a *applier) apply(c core.Commit, batch *wire.SyncReply) error {
	for i := range c.Changes {
		news, err := a.change(&c.Changes[i])
		if err != nil {
			return err
		}
		if news {
			batch.Changes = append(batch.Changes, wire.FromChange(c.Changes[i]))
		}
	}
	for _, conv := range c.Conversations {
		if err := a.present(conv); err != nil {
			return err
		}
	}
	for _, id := range a.changed {
		conv := new(wire.Conversation)
		if _, err := get(a.conversations, conversationKey(id), conv); err != nil {
			return err
		}
		batch.Conversations = append(batch.Conversations, conv)
	}
	return nil
}

// change applies one change. It reports whether that is news to the application.
func (a *applier) change(c *hongyan.Change) (news bool, err error) {
	switch {
	case c.Message != nil:
		return a.message(c.Message)
	case c.Recall != nil:
		return true, a.recall(c.Recall)
	case c.Removal != nil:
		for _, n := range c.Removal.Ordinals {
			if err := a.messages.Delete(messageKey(c.Removal.Conversation, n)); err != nil {
				return false, err
			}
		}
		return true, nil
	case c.Contact != nil:
		return true, a.contact(c.Contact)
	case c.Group != nil:
		return true, a.group(c.Group)
	case c.Conversation != nil:
		return true, a.view(c.Conversation)
	case c.Receipt != nil:
		return true, a.receipt(c.Receipt)
	case c.Profile != nil:
		return true, putProfile(a.profiles, *c.Profile, foreverMS)
	case c.Devices != nil:
		return true, put(a.meta, metaDevices, wire.FromDevices(*c.Devices))
	case c.Setting != nil && len(c.Setting.Value) == 0:
		return true, a.settings.Delete([]byte(c.Setting.Name))
	case c.Setting != nil:
		return true, put(a.settings, []byte(c.Setting.Name), wire.FromSetting(*c.Setting))
	}
	return false, nil
}

// message stores a message. It is news the first time only: backfills and recovered logs bring messages again.
func (a *applier) message(m *hongyan.Message) (news bool, err error) {
	key := messageKey(m.Conversation, m.Ordinal)
	held := a.messages.Get(key)
	if m.State == hongyan.Expired {
		// Nothing but the place is left of it on the server. What is held here says more.
		if held != nil {
			return false, nil
		}
		return true, put(a.messages, key, wire.FromMessage(*m))
	}
	// The record holds the time too, because a server that was restored from a backup may give an id anew.
	id, record := be64(uint64(m.ID)), append(be64(uint64(m.TimeMS)), key...)
	news = !bytes.Equal(a.processed.Get(id), record)
	if err := put(a.messages, key, wire.FromMessage(*m)); err != nil || !news {
		return false, err
	}
	if err := a.processed.Put(id, record); err != nil {
		return false, err
	}
	return true, a.deriveMessage(m)
}

// recall takes the content of a message away.
func (a *applier) recall(r *hongyan.Recall) error {
	key := messageKey(r.Conversation, r.Ordinal)
	var m wire.Message
	if ok, err := get(a.messages, key, &m); err != nil || !ok {
		return err
	}
	word, err := wire.ToMessage(&m)
	if err != nil || word.State != hongyan.Present {
		return err
	}
	word.State, word.Content = hongyan.Recalled, hongyan.Content{}
	if err := put(a.messages, key, wire.FromMessage(word)); err != nil {
		return err
	}
	return a.deriveRecall(&word)
}

// present stores the present state of a conversation, and forgets the messages that the account has cleared.
func (a *applier) present(c hongyan.Conversation) error {
	if err := a.forget(c.ID, c.Cleared); err != nil {
		return err
	}
	if m := c.LastMessage; m != nil && m.Ordinal > c.Cleared {
		if err := keepMessage(a.messages, m); err != nil {
			return err
		}
	}
	return a.store(c)
}

// forget deletes the messages of a conversation up to and including an ordinal.
func (a *applier) forget(id hongyan.ConversationID, upTo hongyan.Ordinal) error {
	first, last := messageKey(id, 0), messageKey(id, upTo)
	cur := a.messages.Cursor()
	for k, _ := cur.Seek(first); k != nil && bytes.Compare(k, last) <= 0; k, _ = cur.Seek(first) {
		if err := cur.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// keepMessage stores a message that is not there yet, as context: it was not delivered.
func keepMessage(messages *bbolt.Bucket, m *hongyan.Message) error {
	key := messageKey(m.Conversation, m.Ordinal)
	if messages.Get(key) != nil {
		return nil
	}
	return put(messages, key, wire.FromMessage(*m))
}
