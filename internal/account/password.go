package account

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// SetPassword changes an account's own password, from one of its devices, and ends its other devices.
func (s *Service) SetPassword(p Peer, u hongyan.UserID, device hongyan.DeviceID, old, new string, done func(error)) {
	oldPassword, err := auth.NewPassword(old)
	if err != nil {
		done(hongyan.Errorf(hongyan.BadCredentials, "the old password is wrong"))
		return
	}
	inbox.Look(s.shard, u, func(r *inbox.Read) (*store.Account, error) {
		a, err := store.Accounts.Get(r, u)
		if err == nil && a == nil {
			return nil, revoked
		}
		return a, err
	}, func(a *store.Account, err error) {
		if err != nil {
			done(err)
			return
		}
		hash, err := auth.ParsePasswordHash(a.Password)
		if err != nil && a.Password != "" {
			done(err)
			return
		}
		s.verify(p, a.Name, true, hash, oldPassword, func(err error) {
			if err != nil {
				done(err)
				return
			}
			s.replacePassword(u, device, a.Password, new, done)
		})
	})
}

// replacePassword sets a new password if the old one is still what was verified.
func (s *Service) replacePassword(u hongyan.UserID, device hongyan.DeviceID, oldPHC, new string, done func(error)) {
	if new == "" {
		done(hongyan.Errorf(hongyan.Invalid, "the new password is empty"))
		return
	}
	s.hash(new, func(phc string, err error) {
		if err != nil {
			done(err)
			return
		}
		inbox.Change(s.shard, func(tx *inbox.Tx) (struct{}, error) {
			kept, err := store.Accounts.Get(tx, u)
			if err != nil {
				return struct{}{}, err
			}
			d, err := store.DeviceLists.Get(tx, u)
			if err != nil {
				return struct{}{}, err
			}
			switch {
			case d.Find(device) == nil:
				return struct{}{}, revoked
			case kept == nil || kept.Password != oldPHC:
				return struct{}{}, hongyan.Errorf(hongyan.BadCredentials, "the password was changed meanwhile")
			}
			a := *kept
			a.Password = phc
			store.Accounts.Put(tx.Tx, u, &a)
			return struct{}{}, s.endDevices(tx, u, d, Revoked, func(o hongyan.DeviceID) bool { return o != device })
		}, func(_ struct{}, err error) { done(err) })
	})
}
