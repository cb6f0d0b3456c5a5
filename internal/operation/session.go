package operation

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/wire"
)

func register(d *Desk, c Caller, q *wire.RegisterRequest, done func(Reply, error)) {
	d.Accounts.Register(c.Peer, account.NewAccount{
		Name: q.Name, Password: q.Password, DisplayName: q.DisplayName, Invitation: q.Invitation,
		Device: newDevice(q.Device),
	}, d.loggedIn(done))
}

func login(d *Desk, c Caller, q *wire.LoginRequest, done func(Reply, error)) {
	d.Accounts.Login(c.Peer, account.Credentials{
		Name: q.Name, Password: q.Password, Device: newDevice(q.Device), DeviceToken: q.DeviceToken,
	}, d.loggedIn(done))
}

func authenticate(d *Desk, c Caller, q *wire.AuthRequest, done func(Reply, error)) {
	d.Accounts.Authenticate(c.Peer, q.Token, func(id account.Identity, err error) {
		if err != nil {
			done(Reply{}, err)
			return
		}
		done(Reply{Body: d.authReply(id), Identity: &id}, nil)
	})
}

// loggedIn answers a login.
func (d *Desk) loggedIn(done func(Reply, error)) func(account.Identity, error) {
	return func(id account.Identity, err error) {
		if err != nil {
			done(Reply{}, err)
			return
		}
		done(Reply{Body: d.loginReply(id), Identity: &id}, nil)
	}
}

func (d *Desk) loginReply(id account.Identity) *wire.LoginReply {
	return &wire.LoginReply{DeviceToken: id.DeviceToken, Session: d.authReply(id)}
}

func (d *Desk) authReply(id account.Identity) *wire.AuthReply {
	r := &wire.AuthReply{
		User: uint64(id.User), Name: id.Name, Device: uint64(id.Device), Ticket: id.Ticket,
		TimeMs: d.Chat.Clock(d.Now()), Head: uint64(id.Head), Hints: d.Hints, TlsPin: d.Pin(),
	}
	if id.Ticket != "" {
		r.TicketExpiresMs = id.TicketExpires.UnixMilli()
	}
	return r
}

// newDevice is how a device introduced itself. What cannot be read has no class, which no login accepts.
func newDevice(b *wire.Device) account.NewDevice {
	d, _ := wire.ToDevice(b)
	return account.NewDevice{Name: d.Name, Class: d.Class}
}

func logout(d *Desk, c Caller, _ *wire.LogoutRequest, done func(Reply, error)) {
	d.Accounts.Logout(c.User, c.Device, ok(done, &wire.LogoutReply{}))
}

func devices(d *Desk, c Caller, _ *wire.DevicesRequest, done func(Reply, error)) {
	d.Accounts.Devices(c.User, answer(done, func(list hongyan.Devices) *wire.DevicesReply {
		return &wire.DevicesReply{Devices: wire.FromAll(wire.FromDevice, list.List), Current: uint64(c.Device)}
	}))
}

func kick(d *Desk, c Caller, q *wire.KickRequest, done func(Reply, error)) {
	d.Accounts.Kick(c.User, c.Device, hongyan.DeviceID(q.Device), ok(done, &wire.KickReply{}))
}

func setPassword(d *Desk, c Caller, q *wire.SetPasswordRequest, done func(Reply, error)) {
	d.Accounts.SetPassword(c.Peer, c.User, c.Device, q.OldPassword, q.NewPassword, ok(done, &wire.SetPasswordReply{}))
}

// heartbeat keeps the link alive. With a key it acknowledges, and tells whether there is more.
func heartbeat(d *Desk, c Caller, q *wire.HeartbeatRequest, done func(Reply, error)) {
	if len(q.Key) == 0 || c.User == 0 {
		done(Reply{}, nil)
		return
	}
	key, err := hongyan.ParseSyncKey(q.Key)
	if err != nil {
		done(Reply{}, err)
		return
	}
	d.Chat.Beat(c.chat(), key, answer(done, func(b chat.Beat) *wire.HeartbeatReply {
		return &wire.HeartbeatReply{Head: uint64(b.Head), Newer: b.Newer, TimeMs: d.Chat.Clock(d.Now())}
	}))
}

func askLogin(d *Desk, c Caller, q *wire.AskLoginRequest, done func(Reply, error)) {
	a, err := d.Accounts.AskLogin(c.Peer, newDevice(q.Device))
	answer(done, func(a account.AskedLogin) *wire.AskLoginReply {
		return &wire.AskLoginReply{Code: a.Code, Secret: a.Secret, ExpiresMs: a.Expires.UnixMilli()}
	})(a, err)
}

func awaitLogin(d *Desk, c Caller, q *wire.AwaitLoginRequest, done func(Reply, error)) {
	hold := func(wake func()) (stop func()) {
		return d.After(min(time.Duration(q.WaitMs)*time.Millisecond, MaxWait), wake)
	}
	if q.Known < wire.LoginWaiting || q.Known > wire.LoginDeclined {
		done(Reply{}, hongyan.Errorf(hongyan.Invalid, "known is %d, which is no state of a login", q.Known))
		return
	}
	d.Accounts.AwaitLogin(c.Peer, q.Secret, account.CodeState(q.Known), hold,
		answer(done, func(p account.CodeProgress) *wire.AwaitLoginReply {
			r := &wire.AwaitLoginReply{State: wire.LoginState(p.State)}
			if p.State != account.CodeWaiting {
				r.By = wire.FromProfile(p.By)
			}
			if p.Login != nil {
				r.Login = d.loginReply(*p.Login)
			}
			return r
		}))
}

func readLogin(d *Desk, c Caller, q *wire.ReadLoginRequest, done func(Reply, error)) {
	d.Accounts.ReadLogin(c.User, c.Device, q.Code, answer(done, func(l account.PendingLogin) *wire.ReadLoginReply {
		r := &wire.ReadLoginReply{
			Device:  wire.FromDevice(hongyan.Device{Name: l.Device.Name, Class: l.Device.Class}),
			AskedMs: l.Asked.UnixMilli(),
		}
		if l.From.IsValid() {
			r.Address = l.From.Unmap().String()
		}
		return r
	}))
}

func answerLogin(d *Desk, c Caller, q *wire.AnswerLoginRequest, done func(Reply, error)) {
	d.Accounts.AnswerLogin(c.User, c.Device, q.Code, q.Accept, ok(done, &wire.AnswerLoginReply{}))
}
