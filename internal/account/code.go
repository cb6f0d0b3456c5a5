package account

import (
	"encoding/base64"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits of logins by code.
const (
	CodeTTL              = 5 * time.Minute // for all of it, from the code to the login
	MaxCodeLogins        = 10_000          // under way at a time
	MaxCodeLoginsNetwork = 100             // of them, from one network
	codeSize             = 16              // random bytes of a code
	secretSize           = 32              // and of a secret
)

// CodeState is how far a login by code is.
type CodeState uint8

const (
	CodeWaiting  CodeState = iota
	CodeScanned            // another device has read the code
	CodeAccepted           // and confirmed
	CodeDeclined           // or not
)

// codeLogins are the logins by code that are under way. They are in memory alone: they last for minutes, and whoever
// shows a code asks for another when the server has been started anew. What they lead to, a device, is stored.
type codeLogins struct {
	mu       sync.Mutex
	byCode   map[string]*codeLogin
	bySecret map[string]*codeLogin
	oldest   []*codeLogin // in order of age, which is that of their ends
	networks map[netip.Prefix]int
}

// codeLogin is one of them. Who knows its code may confirm it, who knows its secret gets the login.
type codeLogin struct {
	code, secret string
	device       NewDevice
	from         netip.Addr
	asked        time.Time
	state        CodeState
	by           hongyan.Profile // whose device has read it
	login        *Identity       // when it was made, so that an answer that got lost is given again
	making       bool            // the login is under way
	wake         func()          // who waits for the state to change, or nil
}

func newCodeLogins() *codeLogins {
	return &codeLogins{
		byCode: map[string]*codeLogin{}, bySecret: map[string]*codeLogin{}, networks: map[netip.Prefix]int{},
	}
}

// expire forgets what is over. Under the lock.
func (c *codeLogins) expire(now time.Time) {
	for len(c.oldest) > 0 && now.Sub(c.oldest[0].asked) >= CodeTTL {
		l := c.oldest[0]
		c.oldest[0] = nil
		c.oldest = c.oldest[1:]
		delete(c.byCode, l.code)
		delete(c.bySecret, l.secret)
		network := auth.Network(l.from)
		if c.networks[network]--; c.networks[network] == 0 {
			delete(c.networks, network)
		}
	}
}

// changed tells who waits. Under the lock; what it returns is called without.
func (l *codeLogin) changed() (wake func()) {
	wake, l.wake = l.wake, nil
	if wake == nil {
		return func() {}
	}
	return wake
}

// AskedLogin is a login that waits for another device.
type AskedLogin struct {
	Code, Secret string
	Expires      time.Time
}

// AskLogin begins a login by code.
func (s *Service) AskLogin(p Peer, d NewDevice) (AskedLogin, error) {
	if err := d.check(); err != nil {
		return AskedLogin{}, err
	}
	random := make([]byte, codeSize+secretSize)
	if _, err := io.ReadFull(s.config.Random, random); err != nil {
		return AskedLogin{}, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	now := s.config.Now()
	l := &codeLogin{code: encode(random[:codeSize]), secret: encode(random[codeSize:]), device: d, from: p.Addr, asked: now}
	c := s.codes
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	network := auth.Network(p.Addr)
	if c.networks[network] >= MaxCodeLoginsNetwork || len(c.oldest) >= MaxCodeLogins {
		wait := CodeTTL - now.Sub(c.oldest[0].asked)
		return AskedLogin{}, hongyan.Errorf(hongyan.Throttled, "too many logins wait to be confirmed").
			WithHint("try again in a few minutes, or log in by password").WithRetryAfter(wait)
	}
	c.byCode[l.code], c.bySecret[l.secret] = l, l
	c.oldest = append(c.oldest, l)
	c.networks[network]++
	return AskedLogin{l.code, l.secret, now.Add(CodeTTL)}, nil
}

var errNoLogin = hongyan.Errorf(hongyan.NotFound, "this login is over, or there was none").
	WithHint("ask for a new code: each is good for five minutes")

// CodeProgress is how far a login by code is: By is whose device has read it, Login is there when it was accepted.
type CodeProgress struct {
	State CodeState
	By    hongyan.Profile
	Login *Identity
}

// AwaitLogin says how far a login is, once that is not what is known any more. hold is asked to wake the request when its
// time is over, and returns what stops that; one request waits at a time, a newer one takes the place of the older. The
// login of an accepted one is made when it is asked for.
func (s *Service) AwaitLogin(p Peer, secret string, known CodeState, hold func(wake func()) (stop func()),
	done func(CodeProgress, error)) {
	c := s.codes
	c.mu.Lock()
	c.expire(s.config.Now())
	l := c.bySecret[secret] // 256 random bits: how long the look-up takes says nothing that helps to guess them
	switch {
	case l == nil:
		c.mu.Unlock()
		done(CodeProgress{}, errNoLogin)
	case l.state == known && known != CodeAccepted:
		previous := l.changed()
		var once sync.Once
		var stop func()
		wake := func() {
			once.Do(func() {
				c.mu.Lock() // until stop is there
				end := stop
				c.mu.Unlock()
				end()
				s.progress(p, l, done)
			})
		}
		l.wake, stop = wake, hold(wake)
		c.mu.Unlock()
		previous()
	default:
		c.mu.Unlock()
		s.progress(p, l, done)
	}
}

// progress answers with the present state.
func (s *Service) progress(p Peer, l *codeLogin, done func(CodeProgress, error)) {
	c := s.codes
	c.mu.Lock()
	now := CodeProgress{l.state, l.by, l.login}
	begin := l.state == CodeAccepted && l.login == nil && !l.making
	l.making = l.making || begin
	c.mu.Unlock()
	switch {
	case now.State != CodeAccepted || now.Login != nil:
		done(now, nil)
	case !begin:
		done(CodeProgress{}, hongyan.Errorf(hongyan.Busy, "the login is just being made").WithHint("ask again").
			WithRetryAfter(time.Second))
	default:
		inbox.Change(s.shard, func(tx *inbox.Tx) (Identity, error) {
			a, err := store.Accounts.Get(tx, l.by.User)
			if err == nil && (a == nil || a.Disabled) {
				err = errNoLogin
			}
			if err != nil {
				return Identity{}, err
			}
			return s.addDevice(tx, l.by.User, a, l.device, p.Addr, nil)
		}, s.ticketed(func(id Identity, err error) {
			c.mu.Lock()
			l.making = false
			if err == nil {
				l.login = &id
			}
			c.mu.Unlock()
			if err != nil {
				done(CodeProgress{}, err)
				return
			}
			done(CodeProgress{CodeAccepted, now.By, &id}, nil)
		}))
	}
}

// PendingLogin is who asks for a login, as it is shown to whoever is to confirm it.
type PendingLogin struct {
	Device NewDevice
	From   netip.Addr
	Asked  time.Time
}

// ReadLogin reads who asks, and tells that device that u has read its code. From then on u alone can answer.
func (s *Service) ReadLogin(u hongyan.UserID, d hongyan.DeviceID, code string, done func(PendingLogin, error)) {
	s.confirming(u, d, func(by hongyan.Profile, err error) {
		if err != nil {
			done(PendingLogin{}, err)
			return
		}
		c := s.codes
		c.mu.Lock()
		l, err := c.open(s.config.Now(), code)
		if err == nil && l.state == CodeScanned && l.by.User != u {
			err = errReadAlready
		}
		wake := func() {}
		if err == nil && l.state == CodeWaiting {
			l.state, l.by = CodeScanned, by
			wake = l.changed()
		}
		c.mu.Unlock()
		wake()
		if err != nil {
			done(PendingLogin{}, err)
			return
		}
		done(PendingLogin{l.device, l.from, l.asked}, nil)
	})
}

var errReadAlready = hongyan.Errorf(hongyan.Forbidden, "somebody else has read this code").
	WithHint("ask for a new code on the device that is to be logged in")

// open returns the login of a code that is not answered yet. Under the lock.
func (c *codeLogins) open(now time.Time, code string) (*codeLogin, error) {
	c.expire(now)
	l := c.byCode[code]
	switch {
	case l == nil:
		return nil, errNoLogin
	case l.state == CodeAccepted || l.state == CodeDeclined:
		return nil, hongyan.Errorf(hongyan.Conflict, "this login was answered already").
			WithHint("each code is good for one login")
	}
	return l, nil
}

// AnswerLogin confirms a login that u has read, or declines it.
func (s *Service) AnswerLogin(u hongyan.UserID, d hongyan.DeviceID, code string, accept bool, done func(error)) {
	s.confirming(u, d, func(_ hongyan.Profile, err error) {
		if err != nil {
			done(err)
			return
		}
		c := s.codes
		c.mu.Lock()
		l, err := c.open(s.config.Now(), code)
		wake := func() {}
		switch {
		case err != nil:
		case l.state != CodeScanned:
			err = hongyan.Errorf(hongyan.Invalid, "the login was not read yet").
				WithHint("read first who asks for it, and show that to whoever decides")
		case l.by.User != u:
			err = errReadAlready
		default:
			l.state = CodeDeclined
			if accept {
				l.state = CodeAccepted
			}
			wake = l.changed()
		}
		c.mu.Unlock()
		wake()
		done(err)
	})
}

// confirming reads whose device d is, which must not have ended: who was logged out brings nobody in.
func (s *Service) confirming(u hongyan.UserID, d hongyan.DeviceID, done func(hongyan.Profile, error)) {
	inbox.Look(s.shard, u, func(r *inbox.Read) (hongyan.Profile, error) {
		a, err := store.Accounts.Get(r, u)
		if err != nil {
			return hongyan.Profile{}, err
		}
		devices, err := store.DeviceLists.Get(r, u)
		if err != nil {
			return hongyan.Profile{}, err
		}
		if a == nil || a.Disabled || devices.Find(d) == nil {
			return hongyan.Profile{}, hongyan.Errorf(hongyan.Revoked, "this device was logged out").WithHint("log in again by password")
		}
		return a.Profile(u), nil
	}, done)
}
