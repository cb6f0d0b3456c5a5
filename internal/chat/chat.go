// Package chat is what accounts may do with each other: write, recall, read, know each other, form groups. It holds the
// rules and the permissions; the order and the log of changes are package inbox's, the records package store's.
//
// Every method of Service answers through a callback when the answer is durable. What changes something is checked in
// commit order, by the writer, so that a removal or a block that committed first is respected.
package chat

import (
	"io"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits of what accounts can have and do.
const (
	MaxMembers       = 500    // of a group
	MaxGroups        = 1000   // that an account is in
	MaxContacts      = 10_000 // records of others that an account keeps
	MaxAsking        = 200    // accounts that wait to be let into one group
	MaxReceiptGroup  = 50     // members up to which a group has receipts per reader
	MaxRemovals      = 100    // messages deleted for oneself in one request
	MaxRemark        = 64     // characters of a remark
	MaxNote          = 256    // characters of a request's note
	MaxTitle         = 64     // characters of a group's title
	MaxAnnouncement  = 2000   // characters of a group's announcement
	MaxBio           = 256    // characters
	MaxSettings      = 200    // values that an account's devices share
	MaxInvited       = 100    // accounts brought into a group by one request
	MaxProfiles      = 100    // accounts looked up by one request
	MaxPage          = 500    // changes in one answer
	DefaultPage      = 100
	MaxHistory       = 200 // messages in one answer
	DefaultHistory   = 50
	MaxPageBytes     = 512 << 10   // about, of one answer; one change more may stand in it
	MaxPageTime      = time.Second // after which a sync or backfill answers with the changes that it has
	MaxConversations = 200         // in a list of conversations
	WindowSize       = 50          // conversations in a reset's window
	CachedCursors    = 1 << 16     // devices whose acknowledged version is remembered
	tellAtOnce       = 100         // contacts that one round tells of a profile
	resumeAtOnce     = 100         // accounts whose profiles are told on by one Resume
	scanUnread       = 4 * hongyan.MaxUnread
	scanReceipts     = 1000 // log entries or messages looked through at once for receipts
)

// Config is what an operator decides, and the clock.
type Config struct {
	ContactsOnly bool             // a direct message needs an accepted contact
	RecallWindow time.Duration    // how long a sender may take a message back
	Now          func() time.Time // what bounds the time of reads; nil: no time passes
}

// Caller is who asks.
type Caller struct {
	User   hongyan.UserID
	Device hongyan.DeviceID
}

// Service does what accounts ask for.
type Service struct {
	shard  *inbox.Shard
	config Config
	random io.Reader
	acked  *lru.Cache[Caller, hongyan.Version] // what devices have acknowledged, as far as it is remembered
	typed  *lru.Cache[typist, int64]           // when somebody was last told, Unix milliseconds
}

// New makes the service of a shard.
func New(s *inbox.Shard, c Config, random io.Reader) *Service {
	acked, err := lru.New[Caller, hongyan.Version](CachedCursors)
	if err != nil {
		panic(err) // only for a size below 1
	}
	typed, err := lru.New[typist, int64](CachedTyping)
	if err != nil {
		panic(err)
	}
	if c.Now == nil {
		c.Now = func() time.Time { return time.Time{} }
	}
	return &Service{s, c, random, acked, typed}
}

// none is the result of what only succeeds or fails.
type none = struct{}

// finish adapts a callback that takes only an error.
func finish(done func(error)) func(none, error) {
	return func(_ none, err error) { done(err) }
}

// write runs do in its round for a device that has not ended: what was logged out, or belongs to a disabled account,
// writes nothing after that, whatever of its requests is still under way.
func write[R any](s *Service, c Caller, do func(tx *inbox.Tx) (R, error), done func(R, error)) {
	inbox.Change(s.shard, func(tx *inbox.Tx) (R, error) {
		var nothing R
		d, err := store.DeviceLists.Get(tx, c.User)
		if err != nil {
			return nothing, err
		}
		if d.Find(c.Device) == nil {
			return nothing, hongyan.Errorf(hongyan.Revoked, "this device was logged out").WithHint("log in again by password")
		}
		return do(tx)
	}, done)
}

// account reads the account of u, which must exist and may be asked of by others.
func account(r store.Reader, u hongyan.UserID) (*store.Account, error) {
	a, err := store.Accounts.Get(r, u)
	if err == nil && (a == nil || a.Disabled) {
		return nil, hongyan.Errorf(hongyan.NotFound, "there is no account %d", u)
	}
	return a, err
}

// Target names the other side of a request: an account by id or by name.
type Target struct {
	User hongyan.UserID
	Name string
}

// resolve returns the account that t names.
func (t Target) resolve(r store.Reader) (hongyan.UserID, *store.Account, error) {
	u := t.User
	if u == 0 {
		var err error
		if u, err = named(r, t.Name); err != nil {
			return 0, nil, err
		}
	}
	a, err := account(r, u)
	return u, a, err
}

// named returns the account of a name, which may be disabled.
func named(r store.Reader, typed string) (hongyan.UserID, error) {
	name, err := auth.ParseName(typed)
	if err != nil { // it is nobody's, and no key to look up: it may have any length
		return 0, hongyan.Errorf(hongyan.NotFound, "there is no account of this name: %v", err)
	}
	u, err := store.Names.Get(r, name)
	if err != nil {
		return 0, err
	}
	if u == nil {
		return 0, hongyan.Errorf(hongyan.NotFound, "there is no account %q", name).WithHint("check the spelling")
	}
	return *u, nil
}

// Clock is the server's time as clients are told it, Unix milliseconds: see inbox.Engine.Clock.
func (s *Service) Clock(now time.Time) int64 { return s.shard.Engine().Clock(now.UnixMilli()) }

// Generation is the store's, as SyncKeys carry it.
func (s *Service) Generation() uint64 { return s.shard.Engine().Generation() }
