package chat

import (
	"bytes"
	"encoding/binary"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Profiles looks accounts up. Those that do not exist are left out.
func (s *Service) Profiles(c Caller, targets []Target, done func([]hongyan.Profile, error)) {
	if len(targets) > MaxProfiles {
		done(nil, hongyan.Errorf(hongyan.TooMany, "%d accounts at once, the limit is %d", len(targets), MaxProfiles))
		return
	}
	inbox.Look(s.shard, c.User, func(r *inbox.Read) ([]hongyan.Profile, error) {
		var found []hongyan.Profile
		for _, t := range targets {
			u, a, err := t.resolve(r)
			switch {
			case hongyan.CodeOf(err) == hongyan.NotFound:
			case err != nil:
				return nil, err
			default:
				found = append(found, a.Profile(u))
			}
		}
		return found, nil
	}, done)
}

// ProfileChange is what one sets about oneself; nil fields stay as they are.
type ProfileChange struct{ DisplayName, Avatar, Bio *string }

// SetProfile changes the caller's profile and tells its own devices and its contacts.
func (s *Service) SetProfile(c Caller, change ProfileChange, done func(hongyan.Profile, error)) {
	var err error
	if change.DisplayName != nil {
		var name string
		if name, err = auth.ParseDisplayName(*change.DisplayName); err != nil {
			err = hongyan.Errorf(hongyan.Invalid, "%v", err)
		}
		change.DisplayName = &name
	}
	if change.Avatar != nil {
		err = firstError(err, checkLength("avatar", *change.Avatar, hongyan.MaxLabel))
	}
	if change.Bio != nil {
		err = firstError(err, checkLength("bio", *change.Bio, MaxBio))
	}
	if err != nil {
		done(hongyan.Profile{}, err)
		return
	}
	write(s, c, func(tx *inbox.Tx) (hongyan.Profile, error) {
		old, err := account(tx, c.User)
		if err != nil {
			return hongyan.Profile{}, err
		}
		a := *old
		name, avatar, bio := replace(&a.DisplayName, change.DisplayName), replace(&a.Avatar, change.Avatar), replace(&a.Bio, change.Bio)
		profile := a.Profile(c.User)
		if !name && !avatar && !bio {
			return profile, nil
		}
		store.Accounts.Put(tx.Tx, c.User, &a)
		if err := tx.SetItem(c.User, hongyan.TypeSetting, []byte{store.ItemProfile}, &hongyan.Change{Profile: &profile}); err != nil {
			return hongyan.Profile{}, err
		}
		return profile, s.tellContacts(tx, c.User, 0)
	}, done)
}

// tellContacts makes u's profile new to those who keep u as a contact, beginning above one of them. More of them than one
// round should carry are told piece by piece: how far that is stands in the store, so that a crash does not end it.
func (s *Service) tellContacts(tx *inbox.Tx, u, above hongyan.UserID) error {
	item := binary.BigEndian.AppendUint64(nil, uint64(u))
	told, more := 0, false
	var failed error
	err := store.ListContacts(tx, u, above, func(other hongyan.UserID, k *store.Contact) bool {
		if more = told == tellAtOnce; more {
			return false
		}
		above = other
		if k.State == hongyan.ContactAccepted {
			told++
			failed = tx.SetItem(other, hongyan.TypeContact, item, nil)
		}
		return failed == nil
	})
	if err = firstError(err, failed); err != nil {
		return err
	}
	if more {
		store.Tellings.Put(tx.Tx, u, &above)
		tx.AfterDurable(func() { s.tellOn(u) })
		return nil
	}
	store.Tellings.Delete(tx.Tx, u)
	return nil
}

// tellOn tells the next contacts of u. What fails here, as where too much waits for the writer, Resume takes up again.
func (s *Service) tellOn(u hongyan.UserID) {
	inbox.Change(s.shard, func(tx *inbox.Tx) (none, error) {
		above, err := store.Tellings.Get(tx, u)
		if err != nil || above == nil {
			return none{}, err
		}
		return none{}, s.tellContacts(tx, u, *above)
	}, func(none, error) {})
}

// Resume goes on with what is done piece by piece and has stopped: at the start of the server, and now and then.
func (s *Service) Resume() {
	inbox.Look(s.shard, inbox.Nobody, func(r *inbox.Read) (list []hongyan.UserID, err error) {
		err = store.ListTellings(r, func(u hongyan.UserID) bool {
			list = append(list, u)
			return len(list) < resumeAtOnce
		})
		return list, err
	}, func(list []hongyan.UserID, _ error) {
		for _, u := range list {
			s.tellOn(u)
		}
	})
}

// Setting reads a value that u's devices share; it is empty if there is none.
func (s *Service) Setting(u hongyan.UserID, name string, done func(value []byte, err error)) {
	inbox.Look(s.shard, u, func(r *inbox.Read) ([]byte, error) {
		v, err := store.Settings.Get(r, store.SettingName{User: u, Name: name})
		if v == nil {
			return nil, err
		}
		return *v, err
	}, done)
}

// SetSetting stores a value that the caller's devices share; an empty one removes it.
func (s *Service) SetSetting(c Caller, v hongyan.Setting, done func(error)) {
	switch {
	case v.Name == "" || len(v.Name) > hongyan.MaxSettingName:
		done(hongyan.Errorf(hongyan.Invalid, "a setting's name has 1 to %d bytes", hongyan.MaxSettingName))
		return
	case len(v.Value) > hongyan.MaxSetting:
		done(hongyan.Errorf(hongyan.TooLarge, "the setting is %d bytes, the limit is %d", len(v.Value), hongyan.MaxSetting))
		return
	}
	write(s, c, func(tx *inbox.Tx) (none, error) {
		name := store.SettingName{User: c.User, Name: v.Name}
		old, err := store.Settings.Get(tx, name)
		if err != nil {
			return none{}, err
		}
		a, err := account(tx, c.User)
		if err != nil {
			return none{}, err
		}
		counted := *a
		switch there, stays := old != nil, len(v.Value) > 0; {
		case there && stays && bytes.Equal(*old, v.Value), !there && !stays:
			return none{}, nil
		case !there && a.Settings >= MaxSettings:
			return none{}, hongyan.Errorf(hongyan.TooMany, "the account has %d settings, which is the limit", MaxSettings)
		case !there:
			counted.Settings++
		case !stays:
			counted.Settings--
		}
		if len(v.Value) > 0 {
			store.Settings.Put(tx.Tx, name, &v.Value)
		} else {
			store.Settings.Delete(tx.Tx, name) // its place in the log stays and tells of it
		}
		if counted != *a {
			store.Accounts.Put(tx.Tx, c.User, &counted)
		}
		return none{}, tx.SetItem(c.User, hongyan.TypeSetting, append([]byte{store.ItemSetting}, v.Name...), &hongyan.Change{Setting: &v})
	}, finish(done))
}
