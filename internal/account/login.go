package account

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// NewAccount is an account to be made by its owner.
type NewAccount struct {
	Name, Password, DisplayName string
	Invitation                  string // empty: none
	Device                      NewDevice
}

// Register makes an account and logs its first device in.
func (s *Service) Register(p Peer, n NewAccount, done func(Identity, error)) {
	invited, err := s.mayRegister(p, n.Invitation)
	if err != nil {
		done(Identity{}, err)
		return
	}
	a, err := parseAccount(n.Name, n.DisplayName)
	var password auth.Password
	if err == nil {
		password, err = auth.NewPassword(n.Password)
	}
	if err == nil {
		err = n.Device.check()
	}
	if err != nil {
		done(Identity{}, peerError(err))
		return
	}
	// A wrong code costs its network as a wrong password does, and so does a name that is taken.
	if wait, ok := s.throttle.Allow(s.config.Now(), "", p.Addr, false); !ok {
		done(Identity{}, throttled(wait))
		return
	}
	slowly(s, func(ctx context.Context) (auth.PasswordHash, error) {
		return s.config.Hasher.Hash(ctx, s.config.Random, password)
	}, func(hash auth.PasswordHash, err error) {
		if err != nil {
			s.throttle.Cancel(s.config.Now(), "", p.Addr)
			done(Identity{}, err)
			return
		}
		a.Password = hash.Reveal()
		inbox.Change(s.shard, func(tx *inbox.Tx) (Identity, error) {
			return s.register(tx, p, a, n.Device, invited)
		}, s.ticketed(func(id Identity, err error) {
			if c := hongyan.CodeOf(err); c != hongyan.RegistrationClosed && c != hongyan.Exists {
				s.throttle.Success(s.config.Now(), "", p.Addr)
			}
			done(id, err)
		}))
	})
}

// mayRegister returns the canonical invitation that the registration needs, empty if it needs none.
func (s *Service) mayRegister(p Peer, code string) (string, error) {
	switch r := s.config.Registration; {
	case r == Open, r == OnLoopback && p.Loopback:
		return "", nil
	case r == ByOperator:
		return "", hongyan.Errorf(hongyan.RegistrationClosed, "accounts are made by the operator on this server").
			WithHint("ask the operator for an account")
	case code == "":
		return "", hongyan.Errorf(hongyan.RegistrationClosed, "an invitation is needed to register here").
			WithHint("ask the operator for an invitation code")
	}
	c, err := auth.ParseCode(code)
	if err != nil {
		return "", hongyan.Errorf(hongyan.Invalid, "%v", err)
	}
	return c.Reveal(), nil
}

func (s *Service) register(tx *inbox.Tx, p Peer, a store.Account, d NewDevice, invitation string) (Identity, error) {
	if err := tx.Accepting(); err != nil {
		return Identity{}, err
	}
	var invited store.Invitation
	if invitation != "" {
		i, err := store.Invitations.Get(tx, invitation)
		if err != nil {
			return Identity{}, err
		}
		if i == nil || i.ExpiresMS < tx.NowMS() {
			return Identity{}, hongyan.Errorf(hongyan.RegistrationClosed, "the invitation is unknown, used up or expired").
				WithHint("ask the operator for another")
		}
		invited = *i
	}
	u, err := s.create(tx, a)
	if err != nil {
		return Identity{}, err
	}
	switch invited.Uses {
	case 0: // none was needed
	case 1:
		store.Invitations.Delete(tx.Tx, invitation)
	default:
		invited.Uses--
		store.Invitations.Put(tx.Tx, invitation, &invited)
	}
	return s.addDevice(tx, u, &a, d, p.Addr, nil)
}

// parseAccount reads what a person typed for a new account.
func parseAccount(name, display string) (a store.Account, err error) {
	if a.Name, err = auth.ParseName(name); err == nil && display != "" {
		a.DisplayName, err = auth.ParseDisplayName(display)
	}
	return a, err
}

// Credentials are a login by password.
type Credentials struct {
	Name, Password string
	Device         NewDevice
	DeviceToken    string // of this device's earlier login: it is taken over, not added
}

// Login logs a device in. Name and password are never told apart in the answer.
func (s *Service) Login(p Peer, c Credentials, done func(Identity, error)) {
	name, err := auth.ParseName(c.Name)
	var password auth.Password
	if err == nil {
		password, err = auth.NewPassword(c.Password)
	}
	if err != nil {
		done(Identity{}, badCredentials)
		return
	}
	if err := c.Device.check(); err != nil {
		done(Identity{}, err)
		return
	}
	type stored struct {
		user  hongyan.UserID
		hash  auth.PasswordHash
		known bool
	}
	inbox.Look(s.shard, inbox.Nobody, func(r *inbox.Read) (stored, error) {
		u, a, err := find(r, name)
		if err != nil || a == nil || a.Disabled {
			return stored{}, err
		}
		hash, err := auth.ParsePasswordHash(a.Password)
		if err != nil && a.Password != "" {
			return stored{}, err
		}
		known, err := s.knownFrom(r, u, p.Addr)
		return stored{u, hash, known}, err
	}, func(st stored, err error) {
		if err != nil {
			done(Identity{}, err)
			return
		}
		s.verify(p, name, st.known, st.hash, password, func(err error) {
			if err != nil {
				done(Identity{}, err)
				return
			}
			s.addVerified(p, st.user, st.hash, c, done)
		})
	})
}

var badCredentials = hongyan.Errorf(hongyan.BadCredentials, "the name or the password is wrong")

// verify checks the password of an account, as often as the throttle lets somebody try, and gives the verdict to done:
// nil, BadCredentials, or an error that is none.
func (s *Service) verify(p Peer, name string, known bool, hash auth.PasswordHash, pw auth.Password, done func(error)) {
	if wait, ok := s.throttle.Allow(s.config.Now(), name, p.Addr, known); !ok {
		done(throttled(wait))
		return
	}
	slowly(s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.config.Hasher.Verify(ctx, hash, pw)
	}, func(_ struct{}, err error) {
		switch {
		case err == nil:
			s.throttle.Success(s.config.Now(), name, p.Addr)
		case errors.Is(err, auth.ErrWrongPassword):
			err = badCredentials // and the attempt stays counted
		default:
			s.throttle.Cancel(s.config.Now(), name, p.Addr)
		}
		done(err)
	})
}

// addVerified adds the device of a login whose password was right.
func (s *Service) addVerified(p Peer, u hongyan.UserID, hash auth.PasswordHash, c Credentials, done func(Identity, error)) {
	inbox.Change(s.shard, func(tx *inbox.Tx) (Identity, error) {
		a, err := store.Accounts.Get(tx, u)
		if err != nil {
			return Identity{}, err
		}
		if a == nil || a.Disabled || a.Password != hash.Reveal() {
			return Identity{}, badCredentials
		}
		d, err := store.DeviceLists.Get(tx, u)
		if err != nil {
			return Identity{}, err
		}
		var old *store.Device
		if token, err := auth.ParseDeviceToken(c.DeviceToken); err == nil && token.Account == uint64(u) {
			old = d.Find(hongyan.DeviceID(token.Device))
			if old != nil && !sameToken(old, token) {
				old = nil
			}
		}
		return s.addDevice(tx, u, a, c.Device, p.Addr, old)
	}, s.ticketed(done))
}

// knownFrom reports whether the account has logged in from the address's network before.
func (s *Service) knownFrom(r store.Reader, u hongyan.UserID, addr netip.Addr) (bool, error) {
	d, err := store.DeviceLists.Get(r, u)
	if err != nil || d == nil {
		return false, err
	}
	from := network(addr)
	return from != "" && slices.ContainsFunc(d.List, func(dev store.Device) bool { return dev.Network == from }), nil
}
