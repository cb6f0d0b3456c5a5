// Package account is who exists and from which devices: registration, login, device tokens and tickets, passwords, and
// what the operator does with accounts.
//
// Methods answer through a callback, like those of package chat. The secrets themselves are package auth's, the records
// package store's; passwords are hashed where Config.Slow runs them, away from everything that must be quick.
package account

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits.
const (
	MaxDeviceName  = 64 // characters
	MaxInvitations = 10_000
	TicketTTL      = 24 * time.Hour // of a ticket
	seenEvery      = time.Hour      // between two notes of when a device was seen
	maxInviteDays  = 365
	MaxAccountPage = 500 // accounts in one answer of List
	defaultPage    = 100
)

// Registration says who may create an account.
type Registration uint8

const (
	ByOperator   Registration = iota // nobody else
	ByInvitation                     // who has an invitation
	OnLoopback                       // anybody on the server's machine, others by invitation
	Open                             // anybody
)

// Config is what an operator decides, and what the server lends.
type Config struct {
	Registration Registration
	OnePerClass  bool // a login ends the account's device of the same class
	MaxDevices   int
	Hasher       *auth.Hasher
	Keys         *auth.KeyRing
	Random       io.Reader
	Now          func() time.Time
	// Slow runs a job that takes tens of milliseconds, or answers Busy.
	Slow func(func(context.Context)) error
	// Ended is told, once it is durable, that who said to be a device in an epoch up to this one is it no more.
	Ended func(u hongyan.UserID, d hongyan.DeviceID, epoch uint32, why EndReason)
}

// EndReason is why a device ended.
type EndReason uint8

const (
	LoggedOut EndReason = iota // by itself
	Kicked                     // by another device
	Replaced                   // by a login of the same class, or one that took the device over
	Revoked                    // by the operator, or by a new password
)

// Service does what devices and operators ask for.
type Service struct {
	shard    *inbox.Shard
	throttle *auth.Throttle
	codes    *codeLogins
	config   Config
}

// New makes the service of a shard.
func New(s *inbox.Shard, c Config) *Service {
	return &Service{s, auth.NewThrottle(c.Now()), newCodeLogins(), c}
}

// Peer is what is known of the connection that asks.
type Peer struct {
	Addr     netip.Addr
	Loopback bool
}

// NewDevice is how a device introduces itself.
type NewDevice struct {
	Name  string
	Class hongyan.DeviceClass
}

// Identity is who a connection is.
type Identity struct {
	User          hongyan.UserID // 0 for a server API key
	Name          string
	Device        hongyan.DeviceID
	Epoch         uint32 // of the device: a login that takes it over begins the next
	Operator      bool
	Ticket        string // resumes without the device token
	TicketExpires time.Time
	Head          hongyan.Version
	DeviceToken   string // of a device that was just made, else empty
}

// ticketed completes the identity of a device with a ticket before it is given to done.
func (s *Service) ticketed(done func(Identity, error)) func(Identity, error) {
	return func(id Identity, err error) {
		if err != nil {
			done(Identity{}, err)
			return
		}
		now := s.config.Now()
		id.TicketExpires = now.Add(TicketTTL)
		t, err := s.config.Keys.Sign(auth.Ticket{
			Account: uint64(id.User), Device: uint64(id.Device), Epoch: id.Epoch, Issued: now, Expires: id.TicketExpires,
		})
		if err != nil {
			done(Identity{}, err)
			return
		}
		id.Ticket = t.Reveal()
		done(id, nil)
	}
}

// slowly runs a job of the password kind and gives its result to done.
func slowly[R any](s *Service, job func(context.Context) (R, error), done func(R, error)) {
	var none R
	err := s.config.Slow(func(ctx context.Context) {
		r, err := job(ctx)
		done(r, peerError(err))
	})
	if err != nil {
		done(none, err)
	}
}

// peerError turns the errors of package auth into those that a peer is told.
func peerError(err error) error {
	var busy *auth.BusyError
	var rule *auth.RuleError
	switch {
	case errors.As(err, &busy):
		return hongyan.Errorf(hongyan.Busy, "too many logins are under way").
			WithHint("try again in a moment").WithRetryAfter(busy.RetryAfter)
	case errors.As(err, &rule):
		return hongyan.Errorf(hongyan.Invalid, "%v", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return hongyan.Errorf(hongyan.Unavailable, "the server is stopping").WithHint("come back in a moment")
	}
	return err
}

// find reads the account of a name, or nils.
func find(r store.Reader, typed string) (hongyan.UserID, *store.Account, error) {
	name, err := auth.ParseName(typed)
	if err != nil {
		return 0, nil, nil // nobody's, and no key to look up: it may have any length
	}
	u, err := store.Names.Get(r, name)
	if err != nil || u == nil {
		return 0, nil, err
	}
	a, err := store.Accounts.Get(r, *u)
	return *u, a, err
}

// create writes a new account whose name must be free.
func (s *Service) create(tx *inbox.Tx, a store.Account) (hongyan.UserID, error) {
	taken, err := store.Names.Get(tx, a.Name)
	if err != nil {
		return 0, err
	}
	if taken != nil {
		return 0, hongyan.Errorf(hongyan.Exists, "the name %q is taken", a.Name).WithHint("choose another name")
	}
	var u hongyan.UserID
	for {
		id, err := store.RandomID(s.config.Random)
		if err != nil {
			return 0, err
		}
		u = hongyan.UserID(id)
		used, err := store.Accounts.Get(tx, u)
		if err != nil {
			return 0, err
		}
		if used == nil {
			break
		}
	}
	a.CreatedMS = tx.NowMS()
	store.Names.Put(tx.Tx, a.Name, &u)
	store.Accounts.Put(tx.Tx, u, &a)
	profile := a.Profile(u)
	return u, tx.SetItem(u, hongyan.TypeSetting, []byte{store.ItemProfile}, &hongyan.Change{Profile: &profile})
}
