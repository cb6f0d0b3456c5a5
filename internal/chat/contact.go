package chat

import (
	"encoding/binary"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// AskContact asks an account to become a contact. If that one has asked already, both are contacts at once.
func (s *Service) AskContact(c Caller, t Target, note string, done func(hongyan.Contact, error)) {
	if err := checkLength("note", note, MaxNote); err != nil {
		done(hongyan.Contact{}, err)
		return
	}
	write(s, c, func(tx *inbox.Tx) (hongyan.Contact, error) {
		other, _, err := t.resolve(tx)
		if err != nil {
			return hongyan.Contact{}, err
		}
		if other == c.User {
			return hongyan.Contact{}, noContactOfOneself
		}
		ours, theirs, err := contactPair(tx, c.User, other)
		switch {
		case err != nil:
			return hongyan.Contact{}, err
		case theirs.Blocked:
			return hongyan.Contact{}, hongyan.Errorf(hongyan.Blocked, "the other side does not take requests from this account")
		case ours.State == hongyan.ContactAccepted:
			return contactOf(tx, other, &ours)
		}
		if err := firstError(roomForContact(tx, c.User, other), roomForContact(tx, other, c.User)); err != nil {
			return hongyan.Contact{}, err
		}
		if ours.State == hongyan.ContactAsking {
			ours.State, theirs.State = hongyan.ContactAccepted, hongyan.ContactAccepted
		} else {
			ours.State, theirs.State = hongyan.ContactAsked, hongyan.ContactAsking
			theirs.Note = note
		}
		return putContacts(tx, c.User, other, ours, theirs)
	}, done)
}

var noContactOfOneself = hongyan.Errorf(hongyan.Invalid, "one is no contact of oneself")

// AnswerContact accepts or declines the request of u.
func (s *Service) AnswerContact(c Caller, u hongyan.UserID, accept bool, done func(hongyan.Contact, error)) {
	write(s, c, func(tx *inbox.Tx) (hongyan.Contact, error) {
		ours, theirs, err := contactPair(tx, c.User, u)
		if err != nil {
			return hongyan.Contact{}, err
		}
		if ours.State != hongyan.ContactAsking {
			return hongyan.Contact{}, hongyan.Errorf(hongyan.NotFound, "account %d has not asked", u)
		}
		ours.State, theirs.State = hongyan.ContactNone, hongyan.ContactNone
		if accept {
			ours.State, theirs.State = hongyan.ContactAccepted, hongyan.ContactAccepted
		}
		return putContacts(tx, c.User, u, ours, theirs)
	}, done)
}

// ContactChange is what one sets about another account; nil fields stay as they are.
type ContactChange struct {
	Remark  *string
	Blocked *bool
}

// SetContact sets remark and block. Blocking needs no contact.
func (s *Service) SetContact(c Caller, u hongyan.UserID, change ContactChange, done func(hongyan.Contact, error)) {
	if change.Remark != nil {
		if err := checkLength("remark", *change.Remark, MaxRemark); err != nil {
			done(hongyan.Contact{}, err)
			return
		}
	}
	if u == c.User {
		done(hongyan.Contact{}, noContactOfOneself)
		return
	}
	write(s, c, func(tx *inbox.Tx) (hongyan.Contact, error) {
		ours, _, err := contactPair(tx, c.User, u)
		if err != nil {
			return hongyan.Contact{}, err
		}
		if _, err := account(tx, u); err != nil {
			return hongyan.Contact{}, err
		}
		if err := roomForContact(tx, c.User, u); err != nil {
			return hongyan.Contact{}, err
		}
		if change.Remark != nil {
			ours.Remark = *change.Remark
		}
		if change.Blocked != nil {
			ours.Blocked = *change.Blocked
		}
		if err := putContact(tx, c.User, u, &ours); err != nil {
			return hongyan.Contact{}, err
		}
		return contactOf(tx, u, &ours)
	}, done)
}

// RemoveContact makes strangers of the two again. Blocks and remarks stay, and so does the conversation.
func (s *Service) RemoveContact(c Caller, u hongyan.UserID, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		ours, theirs, err := contactPair(tx, c.User, u)
		if err != nil {
			return none{}, err
		}
		if ours.State == hongyan.ContactNone {
			return none{}, hongyan.Errorf(hongyan.NotFound, "account %d is no contact", u)
		}
		ours.State, theirs.State = hongyan.ContactNone, hongyan.ContactNone
		_, err = putContacts(tx, c.User, u, ours, theirs)
		return none{}, err
	}, finish(done))
}

// ListedContacts is a page of contacts.
type ListedContacts struct {
	Contacts []hongyan.Contact
	More     bool
}

// Contacts lists the caller's contacts, requests and blocks of accounts with ids above `above`, in order.
func (s *Service) Contacts(c Caller, above hongyan.UserID, limit uint32, done func(ListedContacts, error)) {
	n := pageLimit(limit, DefaultPage, MaxPage)
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (ListedContacts, error) {
		var page ListedContacts
		var failed error
		size := 0
		err := store.ListContacts(r, c.User, above, func(other hongyan.UserID, k *store.Contact) bool {
			if k.State == hongyan.ContactNone && !k.Blocked {
				return true
			}
			if page.More = len(page.Contacts) == n || size > MaxPageBytes; page.More {
				return false
			}
			contact, err := contactOf(r, other, k)
			page.Contacts, failed = append(page.Contacts, contact), err
			size += sizeOfContact(&contact)
			return err == nil
		})
		return page, firstError(err, failed)
	}, done)
}

// contactPair reads what two accounts keep of each other.
func contactPair(tx *inbox.Tx, u, other hongyan.UserID) (ours, theirs store.Contact, err error) {
	k, err := store.Contacts.Get(tx, store.Pair{User: u, Other: other})
	if err != nil {
		return
	}
	if k != nil {
		ours = *k
	}
	if k, err = store.Contacts.Get(tx, store.Pair{User: other, Other: u}); k != nil {
		theirs = *k
	}
	return
}

// roomForContact checks that u may keep a record of other.
func roomForContact(tx *inbox.Tx, u, other hongyan.UserID) error {
	k, err := store.Contacts.Get(tx, store.Pair{User: u, Other: other})
	if err != nil || k != nil {
		return err
	}
	a, err := account(tx, u)
	if err == nil && a.Contacts >= MaxContacts {
		return hongyan.Errorf(hongyan.TooMany, "%s has %d contacts, which is the limit", a.Name, MaxContacts)
	}
	return err
}

// putContacts writes both sides and returns u's.
func putContacts(tx *inbox.Tx, u, other hongyan.UserID, ours, theirs store.Contact) (hongyan.Contact, error) {
	if err := firstError(putContact(tx, u, other, &ours), putContact(tx, other, u, &theirs)); err != nil {
		return hongyan.Contact{}, err
	}
	return contactOf(tx, other, &ours)
}

// putContact writes u's record of other and tells u's devices, if there is anything new in it.
func putContact(tx *inbox.Tx, u, other hongyan.UserID, k *store.Contact) error {
	pair := store.Pair{User: u, Other: other}
	old, err := store.Contacts.Get(tx, pair)
	if err != nil {
		return err
	}
	var before store.Contact
	if old != nil {
		before = *old
	}
	if *k == before {
		return nil
	}
	if old == nil {
		a, err := store.Accounts.Get(tx, u)
		if err != nil {
			return err
		}
		counted := *a
		counted.Contacts++
		store.Accounts.Put(tx.Tx, u, &counted)
	}
	k.UpdatedMS = tx.NowMS()
	kept := *k
	store.Contacts.Put(tx.Tx, pair, &kept)
	// Not along with the hint: the profile in it could be changed by a later command of the round.
	return tx.SetItem(u, hongyan.TypeContact, binary.BigEndian.AppendUint64(nil, uint64(other)), nil)
}

// contactOf is a record of other as its keeper sees it.
func contactOf(r store.Reader, other hongyan.UserID, k *store.Contact) (hongyan.Contact, error) {
	a, err := store.Accounts.Get(r, other)
	if err != nil || a == nil {
		return hongyan.Contact{Profile: hongyan.Profile{User: other}}, err
	}
	return hongyan.Contact{
		Profile: a.Profile(other), State: k.State, Blocked: k.Blocked, Remark: k.Remark, Note: k.Note, UpdatedMS: k.UpdatedMS,
	}, nil
}
