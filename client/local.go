package client

import (
	"context"
	"math"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// profileMaxAge is how long a profile that was looked up is taken for current.
const profileMaxAge = 24 * time.Hour

// Conversations returns what this device knows of its conversations, the one with the newest message first, each with
// that message. Hidden ones are among them.
func (c *Client) Conversations() ([]hongyan.Conversation, error) {
	s, err := c.openState()
	if err != nil {
		return nil, err
	}
	return s.listConversations()
}

// Conversation returns what this device knows of a conversation, with its newest message. It reports whether it knows
// the conversation at all.
func (c *Client) Conversation(id hongyan.ConversationID) (hongyan.Conversation, bool, error) {
	s, err := c.openState()
	if err != nil {
		return hongyan.Conversation{}, false, err
	}
	return s.conversation(id)
}

// Messages returns the newest messages of a conversation that this device holds below an ordinal, 0 for the end, in
// rising order and at most limit. Where ordinals are missing History may know more.
func (c *Client) Messages(id hongyan.ConversationID, before hongyan.Ordinal, limit int) ([]hongyan.Message, error) {
	s, err := c.openState()
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = math.MaxUint64
	}
	return s.listMessages(id, before, limit)
}

// Contact returns what this account knows of another. It reports whether it is a contact, has asked or was asked, or is
// blocked.
func (c *Client) Contact(u hongyan.UserID) (hongyan.Contact, bool, error) {
	return lookUp(c, bucketContacts, be64(uint64(u)), wire.ToContact)
}

// Contacts returns the accounts that Contact knows, by account id.
func (c *Client) Contacts() ([]hongyan.Contact, error) {
	return list(c, bucketContacts, wire.ToContact)
}

// Group returns a group as this device knows it, without its list of members. It reports whether the account is or was
// a member.
func (c *Client) Group(g hongyan.GroupID) (hongyan.Group, bool, error) {
	return lookUp(c, bucketGroups, be64(uint64(g)), wire.ToGroup)
}

// Groups returns the groups that Group knows, by id. In those that the account has left its Role is zero.
func (c *Client) Groups() ([]hongyan.Group, error) {
	return list(c, bucketGroups, wire.ToGroup)
}

// Setting returns a setting that this account's devices share. It reports whether it is set.
func (c *Client) Setting(name string) (hongyan.Setting, bool, error) {
	return lookUp(c, bucketSettings, []byte(name), wire.ToSetting)
}

// Settings returns all settings that this account's devices share, by name.
func (c *Client) Settings() ([]hongyan.Setting, error) {
	return list(c, bucketSettings, wire.ToSetting)
}

// Profiles returns the profiles of accounts. Those that were looked up within a day come from the profile's cache, the
// rest is asked for; unknown accounts are left out. If the server cannot be asked, it returns what the cache knows, and
// the error.
func (c *Client) Profiles(ctx context.Context, users ...hongyan.UserID) (map[hongyan.UserID]hongyan.Profile, error) {
	s, err := c.openState()
	if err != nil {
		return nil, err
	}
	now := c.serverMS()
	known := make(map[hongyan.UserID]hongyan.Profile, len(users))
	var ask []hongyan.UserID
	for _, u := range users {
		p, lookedUp, ok, err := s.profile(u)
		if err != nil {
			return nil, err
		}
		if ok {
			known[u] = p
		}
		if !ok || lookedUp < now-profileMaxAge.Milliseconds() {
			ask = append(ask, u)
		}
	}
	for len(ask) > 0 {
		n := min(len(ask), maxProfilesAsked)
		found, err := c.LookUp(ctx, ask[:n], nil)
		if err != nil {
			return known, err
		}
		if err := s.keepProfiles(found, now); err != nil {
			return known, err
		}
		for _, p := range found {
			known[p.User] = p
		}
		ask = ask[n:]
	}
	return known, nil
}

// NameOf returns how this account calls another, without asking the server: by its remark, by its display name, by its
// account name, or, if it is not known here, by its number.
func (c *Client) NameOf(u hongyan.UserID) string {
	if contact, ok, err := c.Contact(u); err == nil && ok && contact.Remark != "" {
		return contact.Remark
	}
	if s, err := c.openState(); err == nil {
		if p, _, ok, err := s.profile(u); err == nil && ok {
			if p.DisplayName != "" {
				return p.DisplayName
			}
			return p.Name
		}
	}
	return "#" + strconv.FormatUint(uint64(u), 10)
}

// lookUp reads one record of the state.
func lookUp[D any, B any, P interface {
	*B
	proto.Message
}](c *Client, bucket, key []byte, to func(P) (D, error)) (d D, ok bool, err error) {
	s, err := c.openState()
	if err != nil {
		return d, false, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		d, ok, err = one(tx.Bucket(bucket), key, to)
		return err
	})
	return d, ok, err
}

// list reads all records of a bucket of the state, in order of their keys.
func list[D any, B any, P interface {
	*B
	proto.Message
}](c *Client, bucket []byte, to func(P) (D, error)) (all []D, err error) {
	s, err := c.openState()
	if err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx.Bucket(bucket), to, func(d D) error {
			all = append(all, d)
			return nil
		})
	})
	return all, err
}
