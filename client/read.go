package client

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// listConversations returns all conversations with their last messages, the most recent first.
func (s *stateStore) listConversations() ([]hongyan.Conversation, error) {
	var list []hongyan.Conversation
	err := s.db.View(func(tx *bbolt.Tx) error {
		messages := tx.Bucket(bucketMessages).Cursor()
		return each(tx.Bucket(bucketConversations), wire.ToConversation, func(c hongyan.Conversation) error {
			var err error
			c.LastMessage, err = lastMessage(messages, c.ID)
			list = append(list, c)
			return err
		})
	})
	slices.SortStableFunc(list, func(a, b hongyan.Conversation) int { return cmp.Compare(recency(b), recency(a)) })
	return list, err
}

func recency(c hongyan.Conversation) int64 {
	if c.LastMessage == nil {
		return 0
	}
	return c.LastMessage.TimeMS
}

// conversation returns a conversation with its last message. It reports whether it is known.
func (s *stateStore) conversation(id hongyan.ConversationID) (c hongyan.Conversation, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if c, ok, err = one(tx.Bucket(bucketConversations), conversationKey(id), wire.ToConversation); err != nil || !ok {
			return err
		}
		c.LastMessage, err = lastMessage(tx.Bucket(bucketMessages).Cursor(), id)
		return err
	})
	return c, ok, err
}

// knows reports whether the conversations of all messages among changes are known.
func (s *stateStore) knows(changes []hongyan.Change) (known bool, err error) {
	known = true
	err = s.db.View(func(tx *bbolt.Tx) error {
		for i := range changes {
			if m := changes[i].Message; m != nil && tx.Bucket(bucketConversations).Get(conversationKey(m.Conversation)) == nil {
				known = false
			}
		}
		return nil
	})
	return known, err
}

// lastMessage returns the newest message that is held of a conversation, nil if there is none.
func lastMessage(cur *bbolt.Cursor, id hongyan.ConversationID) (*hongyan.Message, error) {
	k, v := before(cur, messageKey(id, math.MaxUint64))
	if !bytes.HasPrefix(k, conversationKey(id)) {
		return nil, nil
	}
	m, err := decode(v, wire.ToMessage)
	return &m, err
}

// listMessages returns the newest messages below an ordinal, in rising order.
func (s *stateStore) listMessages(id hongyan.ConversationID, below hongyan.Ordinal, limit int) ([]hongyan.Message, error) {
	var list []hongyan.Message
	err := s.db.View(func(tx *bbolt.Tx) error {
		cur := tx.Bucket(bucketMessages).Cursor()
		for k, v := before(cur, messageKey(id, below)); len(list) < limit; k, v = cur.Prev() {
			if !bytes.HasPrefix(k, conversationKey(id)) {
				return nil
			}
			m, err := decode(v, wire.ToMessage)
			if err != nil {
				return err
			}
			list = append(list, m)
		}
		return nil
	})
	slices.Reverse(list)
	return list, err
}

// before moves to the last record below key.
func before(cur *bbolt.Cursor, key []byte) (k, v []byte) {
	if k, _ := cur.Seek(key); k == nil {
		return cur.Last()
	}
	return cur.Prev()
}

// keepMessages stores messages that the server was asked for.
func (s *stateStore) keepMessages(list []hongyan.Message) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for i := range list {
			if err := keepMessage(tx.Bucket(bucketMessages), &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// The cache of profiles.
const (
	// foreverMS is the time of look-up of profiles that the server keeps up to date: of contacts and of the account.
	foreverMS = math.MaxInt64

	// maxProfiles bounds the cache. When it is full, one profile makes room for the next.
	maxProfiles = 5000
)

// profile returns the cached profile of an account and when it was looked up.
func (s *stateStore) profile(u hongyan.UserID) (p hongyan.Profile, lookedUpMS int64, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketProfiles).Get(be64(uint64(u)))
		if len(v) < 8 {
			return nil
		}
		ok, lookedUpMS = true, int64(binary.BigEndian.Uint64(v))
		p, err = decode(v[8:], wire.ToProfile)
		return err
	})
	return p, lookedUpMS, ok, err
}

// keepProfiles caches profiles that were just looked up.
func (s *stateStore) keepProfiles(list []hongyan.Profile, nowMS int64) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, p := range list {
			if err := putProfile(tx.Bucket(bucketProfiles), p, nowMS); err != nil {
				return err
			}
		}
		return nil
	})
}

func putProfile(profiles *bbolt.Bucket, p hongyan.Profile, lookedUpMS int64) error {
	key := be64(uint64(p.User))
	if old := profiles.Get(key); old == nil {
		if profiles.Sequence() >= maxProfiles { // the sequence counts the records
			cur := profiles.Cursor()
			if k, _ := cur.Seek(be64(rand.Uint64N(1 << 53))); k == nil {
				cur.First()
			}
			if err := cur.Delete(); err != nil {
				return err
			}
		} else if _, err := profiles.NextSequence(); err != nil {
			return err
		}
	} else if len(old) >= 8 && binary.BigEndian.Uint64(old) == foreverMS {
		lookedUpMS = foreverMS
	}
	v, err := proto.MarshalOptions{}.MarshalAppend(be64(uint64(lookedUpMS)), wire.FromProfile(p))
	if err != nil {
		return err
	}
	return profiles.Put(key, v)
}

// each decodes every record of a bucket, in order of the keys.
func each[D any, B any, P interface {
	*B
	proto.Message
}](b *bbolt.Bucket, to func(P) (D, error), do func(D) error) error {
	return b.ForEach(func(_, v []byte) error {
		d, err := decode(v, to)
		if err != nil {
			return err
		}
		return do(d)
	})
}

// one decodes the record of a key. It reports whether there is one.
func one[D any, B any, P interface {
	*B
	proto.Message
}](b *bbolt.Bucket, key []byte, to func(P) (D, error)) (d D, ok bool, err error) {
	v := b.Get(key)
	if v == nil {
		return d, false, nil
	}
	d, err = decode(v, to)
	return d, err == nil, err
}

func decode[D any, B any, P interface {
	*B
	proto.Message
}](v []byte, to func(P) (D, error)) (d D, err error) {
	body := P(new(B))
	if err := proto.Unmarshal(v, body); err != nil {
		return d, err
	}
	return to(body)
}
