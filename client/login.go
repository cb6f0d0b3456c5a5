package client

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

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
	c := newClient(dir, creds, o)
	if err := c.enter(ctx, op, body, old); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// enter makes the request that lets this device in and keeps what the answer says in the profile, which was that of old.
// The connection is the device's then: the first requests use it, or Run does.
func (c *Client) enter(ctx context.Context, op wire.Op, body proto.Message, old credentials) error {
	reply := new(wire.LoginReply)
	if err := c.ask(ctx, op, body, reply); err != nil {
		return err
	}
	session := reply.Session
	if session.GetUser() == 0 {
		return hongyan.Errorf(hongyan.Invalid, "the token is no device's").
			WithHint("use the device token of an account; server API keys work with Dial and Conn.Auth")
	}
	if old.User != 0 && old.User != hongyan.UserID(session.GetUser()) {
		return otherAccount(c.dir, old.Name)
	}
	c.creds.User, c.creds.Name = hongyan.UserID(session.GetUser()), session.GetName()
	c.creds.Device, c.creds.DeviceToken = hongyan.DeviceID(session.GetDevice()), reply.DeviceToken
	if err := c.creds.save(c.dir); err != nil {
		return err
	}
	if err := c.network.won(c.side); err != nil {
		return err
	}
	c.ticket = session.GetTicket()
	c.setClock(session.GetTimeMs())
	// What this Link asks for has been done.
	c.sideLink = c.newLink()
	c.sideLink.Start()
	c.sideLink.Dialed()
	c.sideLink.Authenticated(time.Now(), hints(session.GetHints()), c.ticket != "")
	return nil
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

// ask makes one request on a new connection, which stays as the side connection. It comes back encrypted if the server
// demands it, and notes that and the certificate.
func (c *Client) ask(ctx context.Context, op wire.Op, body proto.Message, reply *wire.LoginReply) error {
	for {
		s, pin, err := c.dial(ctx, c.creds.Secure)
		if needsTLS(err) && !c.creds.Secure {
			c.creds.Secure = true
			continue
		}
		if err != nil {
			return err
		}
		if pin != "" {
			c.creds.Pin = pin
		}
		if auth, ok := body.(*wire.AuthRequest); ok {
			reply.DeviceToken, reply.Session = auth.Token, new(wire.AuthReply)
			err = s.do(ctx, op, body, reply.Session)
		} else {
			err = s.do(ctx, op, body, reply)
		}
		if err == nil {
			if told := c.creds.learn(c.creds.Secure, reply.GetSession()); told != "" {
				c.creds.Pin = told
			}
			c.side = s
			return nil
		}
		s.conn.Close()
		if c.creds.Secure || !needsTLS(err) {
			return err
		}
		c.creds.Secure = true
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
