package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// Options says how a Client behaves. The zero value is ready to use.
type Options struct {
	// OnEvent is told what happens while Run or Sync works, one event at a time. It may call every method of the Client
	// but Run, Sync and Close. What it has returned from is not told again after a crash, but for the last events.
	//
	// An error ends Run or Sync, which returns it. The event was not dealt with then: the next Run or Sync begins with it
	// again, and with some events before it, if the server's changes caused it.
	OnEvent func(Event) error

	// Device names this device to its account at login: Name and Class. By default it is the host's name, and a command
	// line.
	Device hongyan.Device

	// Dial says how the server is reached. OnNotify is not used. A fingerprint that TrustFirst has accepted and a demand
	// for TLS are kept in the profile.
	Dial DialOptions

	// Addresses are built in: where the server is found when nothing better is known or its name does not resolve. They
	// are tried after those that the server itself has told and the address that was given at login.
	Addresses []Address
}

// Client is one device of an account, with its profile: a directory that one account has for itself. Its methods may be
// called by several goroutines.
//
// Run keeps the device connected and up to date; Sync brings it up to date once. While one of them works, all requests
// share its connection; otherwise the first request opens one that stays until Close or until it breaks.
//
// Several processes may use the same profile at once, but only one may Run, Sync or read what was received: it holds
// the state of the profile from the first such call until Close, and others get a *LockedError. Sending takes turns.
type Client struct {
	dir  string
	opts Options
	box  *outbox

	network     *network // the ways to the server
	attempts    attempts // to connect
	searchPause time.Duration

	ctx  context.Context // until Close
	end  context.CancelCauseFunc
	work sync.WaitGroup // Run and Sync

	mu     sync.Mutex
	creds  credentials
	ticket string      // of the last authentication
	state  *stateStore // nil until it is needed
	clock  serverClock

	feed feed // what Run and Sync are fed with
	line line // the connection of Run and Sync

	side     *session      // the connection while neither works, nil while there is none
	sideLink *core.Link    // that made it
	sideTurn chan struct{} // holds a token while side is looked at or replaced

	sender   *core.Outbox
	sendTurn chan struct{} // holds a token while sender is driven
	kicked   chan struct{} // holds a token when there is something to send
}

// Open opens the profile in dir, which Login, Register or LoginToken has made. It does not connect yet.
func Open(dir string, o Options) (*Client, error) {
	creds, err := loadCredentials(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no profile: log in first (%w)", dir, err)
	}
	if err != nil {
		return nil, err
	}
	return newClient(dir, creds, o), nil
}

func newClient(dir string, creds credentials, o Options) *Client {
	c := &Client{
		dir:     dir,
		opts:    o,
		box:     newOutbox(dir),
		network: openNetwork(dir, creds.Server, o.Addresses),

		searchPause: searchMin,

		creds:    creds,
		sideTurn: make(chan struct{}, 1),
		sender:   core.NewOutbox(rand.Int64N),
		sendTurn: make(chan struct{}, 1),
		kicked:   make(chan struct{}, 1),
	}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	c.feed.init()
	c.line.init(c.feed.tell)
	return c
}

// Close ends Run and Sync, closes the connection and releases the profile. What waits in the outbox is sent by the next
// Client. It must not be called by OnEvent.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.work.Wait()

	c.sideTurn <- struct{}{}
	side := c.side
	c.side = nil
	<-c.sideTurn
	if side != nil {
		side.conn.Close()
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == nil {
		return nil
	}
	state := c.state
	c.state = nil
	return state.close()
}

// User is the account.
func (c *Client) User() hongyan.UserID { return c.credentials().User }

// Name is the account's name.
func (c *Client) Name() string { return c.credentials().Name }

// Device is this device.
func (c *Client) Device() hongyan.DeviceID { return c.credentials().Device }

// Server is the address of the server, as given at login.
func (c *Client) Server() string { return c.credentials().Server }

// Link is the state of the connection that Run or Sync keeps.
func (c *Client) Link() Link {
	_, l, _ := c.line.now()
	return l
}

func (c *Client) credentials() credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.creds
}

// openState returns the state of the profile, which this Client holds from then on.
func (c *Client) openState() (*stateStore, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if c.state == nil {
		state, err := openState(c.dir, c.creds.User)
		if err != nil {
			return nil, err
		}
		c.state = state
	}
	return c.state, nil
}

// Do makes any request of the schema; see Conn.Do. It fails at once if there is no connection to be had, and gives the
// connection up when there is no answer within ReplyTimeout.
func (c *Client) Do(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	s, err := c.session(ctx, false)
	if err != nil {
		return err
	}
	return s.do(ctx, op, request, reply)
}

// bound makes a context that ends with Close too.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
