package media

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// account is what an account has under way.
type account struct {
	uploads  int
	reserved int64  // bytes that they have announced
	settled  uint64 // uploads that have ended, so that what was looked up before can be told from what is
}

// room is the place of one upload within the limits.
type room struct {
	store *Store
	owner hongyan.UserID
	bytes int64

	// What the account had uploaded when so many of its uploads had settled.
	looked  bool
	used    int64
	settled uint64
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

// grow makes room for n bytes more, if the account and the server have them. It is called by one goroutine at a time.
func (r *room) grow(n int64) error {
	for {
		settled := r.settledNow()
		if !r.looked || settled != r.settled {
			use, err := look(r.store, func(v *inbox.Read) (*store.MediaUse, error) { return store.MediaUses.Get(v, r.owner) })
			if err != nil {
				return err
			}
			if use != nil {
				r.used = use.Bytes
			}
			r.looked, r.settled = true, settled
		}
		if done, err := r.growNow(n); done || err != nil {
			return err
		}
	}
}

func (r *room) settledNow() uint64 {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return r.store.accounts[r.owner].settled
}

// growNow is grow by what was looked up. False: the account has uploaded more since.
func (r *room) growNow(n int64) (bool, error) {
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[r.owner]
	switch {
	case a.settled != r.settled:
		return false, nil
	case s.config.Quota > 0 && r.used+a.reserved+n > s.config.Quota:
		return false, hongyan.Errorf(hongyan.TooMany, "this account may upload %d bytes in all, and %d are taken",
			s.config.Quota, r.used+a.reserved).WithHint("ask the operator for more")
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
	a.settled++
	if a.uploads--; a.uploads == 0 {
		delete(s.accounts, r.owner)
	}
}
