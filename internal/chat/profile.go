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
func (s *Service) Profiles(targets []Target, done func([]hongyan.Profile, error)) {
	if len(targets) > MaxProfiles {
		done(nil, hongyan.Errorf(hongyan.TooMany, "%d accounts at once, the limit is %d", len(targets), MaxProfiles))
		return
	}
	inbox.Look(s.shard, func(r *inbox.Read) ([]hongyan.Profile, error) {
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
		return profile, tellContacts(tx, c.User)
	}, done)
}

// tellContacts makes u's profile new to everybody who keeps u as a contact.
func tellContacts(tx *inbox.Tx, u hongyan.UserID) error {
	item := binary.BigEndian.AppendUint64(nil, uint64(u))
	var failed error
	err := store.ListContacts(tx, u, 0, func(other hongyan.UserID, k *store.Contact) bool {
		if k.State == hongyan.ContactAccepted {
			failed = tx.SetItem(other, hongyan.TypeContact, item, nil)
		}
		return failed == nil
	})
	return firstError(err, failed)
}

// Setting reads a value that u's devices share; it is empty if there is none.
func (s *Service) Setting(u hongyan.UserID, name string, done func(value []byte, err error)) {
	inbox.Look(s.shard, func(r *inbox.Read) ([]byte, error) {
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
