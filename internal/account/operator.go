package account

import (
	"context"
	"net/netip"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Record is an account as the operator sees it.
type Record struct {
	User        hongyan.UserID
	Name        string
	DisplayName string
	CreatedMS   int64
	Disabled    bool
	Devices     int
	Retention   store.Retention
}

func record(r store.Reader, u hongyan.UserID, a *store.Account) (Record, error) {
	d, err := store.DeviceLists.Get(r, u)
	rec := Record{User: u, Name: a.Name, DisplayName: a.DisplayName, CreatedMS: a.CreatedMS, Disabled: a.Disabled, Retention: a.Retention}
	if d != nil {
		rec.Devices = len(d.List)
	}
	return rec, err
}

// hash hashes a password, if there is one, where that may take its time.
func (s *Service) hash(pw string, done func(phc string, err error)) {
	if pw == "" {
		done("", nil)
		return
	}
	password, err := auth.NewPassword(pw)
	if err != nil {
		done("", peerError(err))
		return
	}
	slowly(s, func(ctx context.Context) (string, error) {
		h, err := s.config.Hasher.Hash(ctx, s.config.Random, password)
		return h.Reveal(), err
	}, done)
}

// Create makes an account; without a password nobody logs in by one.
func (s *Service) Create(name, password, display string, done func(Record, error)) {
	a, err := parseAccount(name, display)
	if err != nil {
		done(Record{}, peerError(err))
		return
	}
	s.hash(password, func(phc string, err error) {
		if err != nil {
			done(Record{}, err)
			return
		}
		a.Password = phc
		inbox.Change(s.shard, func(tx *inbox.Tx) (Record, error) {
			u, err := s.create(tx, a)
			if err != nil {
				return Record{}, err
			}
			return Record{User: u, Name: a.Name, DisplayName: a.DisplayName, CreatedMS: tx.NowMS()}, nil
		}, done)
	})
}

// Listed is a page of accounts.
type Listed struct {
	Accounts []Record
	More     bool
}

// List lists the accounts whose names come after a name.
func (s *Service) List(after string, limit uint32, done func(Listed, error)) {
	n := int(min(limit, MaxAccountPage))
	if n == 0 {
		n = defaultPage
	}
	inbox.Look(s.shard, inbox.Nobody, func(r *inbox.Read) (Listed, error) {
		var page Listed
		var failed error
		err := store.ListNames(r, after, func(_ string, u hongyan.UserID) bool {
			if page.More = len(page.Accounts) == n; page.More {
				return false
			}
			var a *store.Account
			if a, failed = store.Accounts.Get(r, u); failed != nil || a == nil {
				return failed == nil
			}
			var rec Record
			rec, failed = record(r, u, a)
			page.Accounts = append(page.Accounts, rec)
			return failed == nil
		})
		if err == nil {
			err = failed
		}
		return page, err
	}, done)
}

// Settings is what the operator sets about an account; nil fields stay as they are.
type Settings struct {
	Password  *string // ends every device
	Disabled  *bool   // true ends every device
	Retention *store.Retention
}

// Set changes an account.
func (s *Service) Set(name string, set Settings, done func(Record, error)) {
	password := ""
	if set.Password != nil {
		password = *set.Password
	}
	s.hash(password, func(phc string, err error) {
		if err != nil {
			done(Record{}, err)
			return
		}
		inbox.Change(s.shard, func(tx *inbox.Tx) (Record, error) { return s.set(tx, name, set, phc) }, done)
	})
}

func (s *Service) set(tx *inbox.Tx, name string, set Settings, phc string) (Record, error) {
	u, old, err := find(tx, name)
	if err != nil {
		return Record{}, err
	}
	if old == nil {
		return Record{}, unknown(name)
	}
	a := *old
	end := false
	if set.Password != nil {
		a.Password, end = phc, true
	}
	if set.Disabled != nil {
		a.Disabled = *set.Disabled
		end = end || a.Disabled
	}
	if set.Retention != nil {
		a.Retention = *set.Retention
	}
	store.Accounts.Put(tx.Tx, u, &a)
	if end {
		d, err := store.DeviceLists.Get(tx, u)
		if err != nil {
			return Record{}, err
		}
		if err := s.endDevices(tx, u, d, Revoked, func(hongyan.DeviceID) bool { return true }); err != nil {
			return Record{}, err
		}
	}
	return record(tx, u, &a)
}

func unknown(typed string) error {
	const hint = "list them with: hongyan user list"
	name, err := auth.ParseName(typed)
	if err != nil {
		return hongyan.Errorf(hongyan.NotFound, "there is no account of this name: %v", err).WithHint(hint)
	}
	return hongyan.Errorf(hongyan.NotFound, "there is no account %q", name).WithHint(hint)
}

// Mint makes a device of an account and its token, without a password.
func (s *Service) Mint(name string, n NewDevice, done func(Identity, error)) {
	if err := n.check(); err != nil {
		done(Identity{}, err)
		return
	}
	inbox.Change(s.shard, func(tx *inbox.Tx) (Identity, error) {
		u, a, err := find(tx, name)
		if err != nil {
			return Identity{}, err
		}
		if a == nil || a.Disabled {
			return Identity{}, unknown(name)
		}
		return s.addDevice(tx, u, a, n, netip.Addr{}, nil) // nobody has logged in from anywhere
	}, done)
}

// CreateKey makes a server API key. It is shown this once.
func (s *Service) CreateKey(name string, done func(key string, err error)) {
	if name == "" || len(name) > hongyan.MaxLabel {
		done("", hongyan.Errorf(hongyan.Invalid, "say what the key is for, in at most %d bytes", hongyan.MaxLabel))
		return
	}
	inbox.Change(s.shard, func(tx *inbox.Tx) (string, error) {
		k, err := auth.NewAPIKey(s.config.Random)
		if err != nil {
			return "", err
		}
		hash := k.Hash()
		store.APIKeys.Put(tx.Tx, k.ID, &store.APIKey{Name: name, CreatedMS: tx.NowMS(), Hash: hash[:]})
		return k.Reveal(), nil
	}, done)
}

// Invite makes an invitation that lets `uses` accounts register within some days.
func (s *Service) Invite(uses, days uint32, done func(code string, err error)) {
	if uses == 0 {
		uses = 1
	}
	if days == 0 {
		days = 7
	}
	if uses > MaxInvitations || days > maxInviteDays {
		done("", hongyan.Errorf(hongyan.Invalid, "an invitation serves at most %d accounts and %d days", MaxInvitations, maxInviteDays))
		return
	}
	inbox.Change(s.shard, func(tx *inbox.Tx) (string, error) {
		c, err := auth.NewCode(s.config.Random)
		if err != nil {
			return "", err
		}
		store.Invitations.Put(tx.Tx, c.Reveal(), &store.Invitation{Uses: uses, ExpiresMS: tx.NowMS() + int64(days)*24*3600_000})
		return c.Reveal(), nil
	}, done)
}
