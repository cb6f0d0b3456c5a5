package media

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// account is what an account has under way.
type account struct {
	uploads  int
	reserved int64 // bytes that they have announced
}

// room is the place of one upload within the limits.
type room struct {
	store *Store
	owner hongyan.UserID
	bytes int64
}

// enter makes room for one more upload, as yet without a byte.
func (s *Store) enter(owner hongyan.UserID) (*room, error) {
	if owner == 0 {
		return nil, hongyan.Errorf(hongyan.Forbidden, "only an account can upload").WithHint("use the token of a device")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[owner]
	switch {
	case a != nil && a.uploads >= MaxUploadsPerAccount:
		return nil, hongyan.Errorf(hongyan.TooMany, "%d uploads of this account are not finished", a.uploads).
			WithHint("finish or cancel one; they expire after a day")
	case s.open >= MaxUploads:
		return nil, hongyan.Errorf(hongyan.Busy, "too many uploads are under way").WithHint("try again later")
	}
	return s.enterLocked(owner), nil
}

func (s *Store) enterLocked(owner hongyan.UserID) *room {
	a := s.accounts[owner]
	if a == nil {
		a = new(account)
		s.accounts[owner] = a
	}
	a.uploads++
	s.open++
	return &room{store: s, owner: owner}
}

// grow makes room for n bytes more, if the account and the server have them.
func (r *room) grow(n int64) error {
	s := r.store
	for {
		s.mu.Lock()
		settled := s.settled
		s.mu.Unlock()
		use, err := look(s, func(v *inbox.Read) (*store.MediaUse, error) { return store.MediaUses.Get(v, r.owner) })
		if err != nil {
			return err
		}
		var used int64
		if use != nil {
			used = use.Bytes
		}
		if done, err := r.growIf(settled, used, n); done || err != nil {
			return err
		}
	}
}

// growIf is grow with what the account had uploaded when so many objects were settled. False: there are more by now.
func (r *room) growIf(settled uint64, used, n int64) (bool, error) {
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[r.owner]
	switch {
	case s.settled != settled:
		return false, nil
	case s.config.Quota > 0 && used+a.reserved+n > s.config.Quota:
		return false, hongyan.Errorf(hongyan.TooMany, "this account may upload %d bytes in all, and %d are taken",
			s.config.Quota, used+a.reserved).WithHint("ask the operator for more")
	case s.reserved+n > MaxUploadBytes:
		return false, hongyan.Errorf(hongyan.Busy, "too much is being uploaded").WithHint("try again later")
	}
	r.take(n)
	return true, nil
}

// take notes n bytes. The caller holds the lock of the store.
func (r *room) take(n int64) {
	r.bytes += n
	r.store.reserved += n
	r.store.accounts[r.owner].reserved += n
}

// leave gives the room back: the upload has become an object, or is gone.
func (r *room) leave() {
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[r.owner]
	r.take(-r.bytes)
	s.open--
	s.settled++
	if a.uploads--; a.uploads == 0 {
		delete(s.accounts, r.owner)
	}
}
