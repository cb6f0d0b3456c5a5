package client

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Registration is what a new account is made of.
type Registration struct {
	Name        string // unique, lower case, never changes
	Password    string
	DisplayName string
	Invitation  string // where the server asks for one
}

// Register creates an account and a profile for it in dir, and returns the Client of this first device. Refusals are
// *hongyan.Error: Exists, RegistrationClosed, Invalid.
func Register(ctx context.Context, dir, server string, r Registration, o Options) (*Client, error) {
	return enroll(ctx, dir, server, r.Name, o, func(device *wire.Device, _ string) (wire.Op, proto.Message) {
		return wire.OpRegister, &wire.RegisterRequest{
			Name:        r.Name,
			Password:    r.Password,
			DisplayName: r.DisplayName,
			Invitation:  r.Invitation,
			Device:      device,
		}
	})
}

// Login makes this a device of an account and a profile for it in dir, and returns its Client. A profile of the same
// account that is there already stays the same device and keeps what it has received and what waits. Refusals are
// *hongyan.Error: BadCredentials, Throttled and so on.
func Login(ctx context.Context, dir, server, name, password string, o Options) (*Client, error) {
	return enroll(ctx, dir, server, name, o, func(device *wire.Device, oldToken string) (wire.Op, proto.Message) {
		return wire.OpLogin, &wire.LoginRequest{Name: name, Password: password, Device: device, DeviceToken: oldToken}
	})
}

// LoginToken makes a profile in dir for the device whose token somebody was given, as bots are, and returns its Client.
func LoginToken(ctx context.Context, dir, server, token string, o Options) (*Client, error) {
	return enroll(ctx, dir, server, "", o, func(*wire.Device, string) (wire.Op, proto.Message) {
		return wire.OpAuth, &wire.AuthRequest{Token: token}
	})
}

// enroll makes the request that lets this device in, and keeps what it says in the profile.
func enroll(
	ctx context.Context, dir, server, name string, o Options,
	request func(device *wire.Device, oldToken string) (wire.Op, proto.Message),
) (*Client, error) {
	old, err := loadCredentials(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if old.Name != "" && name != "" && !strings.EqualFold(old.Name, name) {
		return nil, otherAccount(dir, old.Name)
	}
	creds := credentials{Server: server}
	oldToken := ""
	if old.Server == server {
		creds, oldToken = old, old.DeviceToken
	}
	op, body := request(wire.FromDevice(thisDevice(o.Device)), oldToken)
	reply := new(wire.LoginReply)
	s, err := creds.ask(ctx, o.Dial, op, body, reply)
	if err != nil {
		return nil, err
	}
	session := reply.Session
	if session.GetUser() == 0 {
		s.conn.Close()
		return nil, hongyan.Errorf(hongyan.Invalid, "the token is no device's").
			WithHint("use the device token of an account; server API keys work with Dial and Conn.Auth")
	}
	if old.User != 0 && old.User != hongyan.UserID(session.GetUser()) {
		s.conn.Close()
		return nil, otherAccount(dir, old.Name)
	}
	creds.User, creds.Name = hongyan.UserID(session.GetUser()), session.GetName()
	creds.Device, creds.DeviceToken = hongyan.DeviceID(session.GetDevice()), reply.DeviceToken
	if err := creds.save(dir); err != nil {
		s.conn.Close()
		return nil, err
	}
	// The connection is the new device's already: the first requests use it.
	c := newClient(dir, creds, o)
	c.ticket = session.GetTicket()
	c.setClock(session.GetTimeMs())
	c.side, c.sideLink = s, c.newLink()
	return c, nil
}

func otherAccount(dir, name string) error {
	return hongyan.Errorf(hongyan.Exists, "%s is the profile of %s", dir, name).
		WithHint("use a directory of its own for each account")
}

// thisDevice fills in how a device is called by default.
func thisDevice(d hongyan.Device) hongyan.Device {
	if d.Name == "" {
		host, _ := os.Hostname()
		d.Name = cmp.Or(host, "hongyan")
	}
	if d.Class == 0 {
		d.Class = hongyan.ClassCLI
	}
	return d
}

// ask makes one request on a new connection, which comes back encrypted if the server demands it, and notes that and the
// certificate in c.
func (c *credentials) ask(
	ctx context.Context, o DialOptions, op wire.Op, body proto.Message, reply *wire.LoginReply,
) (*session, error) {
	for {
		conn, pin, err := dialTrusting(ctx, c.Server, c.Pin, c.Secure, o, nil)
		if err != nil {
			return nil, err
		}
		if pin != "" {
			c.Pin = pin
		}
		s := &session{conn}
		if auth, ok := body.(*wire.AuthRequest); ok {
			reply.DeviceToken, reply.Session = auth.Token, new(wire.AuthReply)
			err = s.do(ctx, op, body, reply.Session)
		} else {
			err = s.do(ctx, op, body, reply)
		}
		if err == nil {
			if told := c.learn(c.Secure, reply.GetSession()); told != "" {
				c.Pin = told
			}
			return s, nil
		}
		conn.Close()
		if c.Secure || !needsTLS(err) {
			return nil, err
		}
		c.Secure = true
	}
}

// needsTLS reports whether a request failed because the server wants it encrypted.
func needsTLS(err error) bool {
	var closed *ClosedError
	if errors.As(err, &closed) {
		return closed.NeedsTLS()
	}
	return hongyan.CodeOf(err) == hongyan.TLSRequired
}
