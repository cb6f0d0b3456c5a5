package sim

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// How a device does what package client does.
const (
	replyTimeout  = 8 * time.Second
	pullLimit     = 20 // small, so that a catch-up takes several pages
	backfillLimit = 7
	outboxLoad    = 64
)

var (
	errReset   = errors.New("the connection broke")
	errClosed  = errors.New("the server closed the connection")
	errNoReply = errors.New("no reply in time")
	errRefused = errors.New("nobody listens")
)

// device is one device of a person: what is on its disk, and while it runs the machines of client/core, which it drives
// as package client does.
type device struct {
	c     *cluster
	w     *world
	name  string // for people
	who   string // the account's name
	user  hongyan.UserID
	id    hongyan.DeviceID
	token string
	store *deviceStore

	running *run // nil while the program does not run
}

// run is one life of the program on a device.
type run struct {
	d      *device
	link   *core.Link
	sync   *core.Sync
	outbox *core.Outbox
	ticket string
	conn   *conn
	up     bool
	seq    uint32
	calls  map[uint32]*call
	order  []uint32 // of calls and former ones
	flying bool     // a message of the outbox is on its way
	clock  int64    // the server's, in Unix milliseconds,
	at     time.Time
	rest   func() // stops the timer
}

// call is a request that waits for its answer.
type call struct {
	op    wire.Op
	reply proto.Message
	done  func(err error)
	stop  func()
}

func (d *device) caller() chat.Caller { return chat.Caller{User: d.user, Device: d.id} }

func (d *device) process() history.Device { return history.Device{User: d.user, Device: d.id} }

// start runs the program.
func (d *device) start() {
	if d.running != nil {
		return
	}
	random := d.w.draw
	r := &run{
		d: d, link: core.NewLink(false, false, random), sync: core.NewSync(d.store.state, random),
		outbox: core.NewOutbox(random), calls: map[uint32]*call{},
	}
	d.running = r
	r.carryOut(r.sync.Start())
	r.carryOut(r.outbox.Load(d.w.now, d.store.waiting(outboxLoad)))
	r.carryOut(r.link.Start())
}

// kill ends the program at once.
func (d *device) kill() {
	r := d.running
	if r == nil {
		return
	}
	d.w.note("%-8s is killed", d.name)
	d.running = nil
	if r.conn != nil {
		r.hangUp()
	}
}

// live reports whether this life goes on.
func (r *run) live() bool { return r.d.running == r }

// carryOut carries out actions, unless the device dies between two of them.
func (r *run) carryOut(acts []core.Action) {
	for _, act := range acts {
		if !r.live() {
			return
		}
		if r.d.c.faulty && r.d.w.chance(1000) {
			r.d.dieFor(5 * time.Second)
			return
		}
		r.do(act)
	}
	if r.live() {
		r.wait()
	}
}

// dieFor kills the device and starts it again within a while.
func (d *device) dieFor(most time.Duration) {
	d.kill()
	d.w.after(d.w.between(0, most), d.start)
}

// wait sets the timer for whatever machine wants it first.
func (r *run) wait() {
	if r.rest != nil {
		r.rest()
		r.rest = nil
	}
	var first time.Time
	for _, t := range []time.Time{r.link.WakeAt(), r.sync.WakeAt(), r.outbox.WakeAt()} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if first.IsZero() {
		return
	}
	r.rest = r.d.w.after(first.Sub(r.d.w.now), func() {
		if r.live() {
			now := r.d.w.now
			r.carryOut(r.link.Tick(now))
			r.carryOut(r.sync.Tick(now))
			r.carryOut(r.outbox.Tick(now))
		}
	})
}

func (r *run) do(act core.Action) {
	d, now := r.d, r.d.w.now
	switch act := act.(type) {
	case core.Dial:
		d.w.after(d.w.between(time.Millisecond, d.c.net.slowest), r.dialled)
	case core.Authenticate:
		r.authenticate(act.WithTicket)
	case core.Beat:
		r.beat()
	case core.Drop:
		if r.conn != nil {
			r.lose(core.Ending{})
		}
	case core.Up:
		r.up = true
		d.w.note("%-8s is up", d.name)
		r.carryOut(r.sync.Connected(now))
		if r.live() {
			r.carryOut(r.outbox.Connected(now, r.clock))
		}
	case core.Stop:
		d.c.alarm(history.Progress, "device %s gave up: %v", d.name, act.Err)
	case core.Trouble:
		d.trouble(act.Err)
	case core.Pull:
		r.pull(act)
	case core.Backfill:
		r.backfill(act)
	case core.Ack:
		r.ask(wire.OpAck, &wire.AckRequest{Key: act.Key}, new(wire.AckReply), func(error) {})
	case core.Commit:
		if !d.store.commit(act) {
			d.dieFor(5 * time.Second)
		}
	case core.Deliver:
		d.store.deliver()
	case core.Handed:
		d.store.handed()
	case core.Save:
		d.store.save(act.Items)
	case core.Transmit:
		r.transmit(act.Item)
	}
}

// trouble looks at a refusal that the machines cope with. Some should never be.
func (d *device) trouble(err error) {
	d.w.note("%-8s has trouble: %v", d.name, err)
	switch hongyan.CodeOf(err) {
	case hongyan.KeyAhead, hongyan.KeyInvalid:
		d.c.alarm(history.Key, "device %s was refused the key that it was given: %v", d.name, err)
	case hongyan.Internal:
		if d.c.history.Kept != 0 || d.c.counts.DiskFaults > 0 {
			return // a log that is trimmed faster than it can be fetched resets its reader again; a failed store cannot be read
		}
		d.c.alarm(history.Progress, "device %s: %v", d.name, err)
	}
}

// dialled is when an attempt to connect comes to its end.
func (r *run) dialled() {
	if !r.live() {
		return
	}
	d := r.d
	if d.c.net.blocked[d].After(d.w.now) {
		d.w.after(10*time.Second, func() {
			if r.live() {
				r.carryOut(r.link.Ended(d.w.now, core.Ending{Err: errNoReply}))
			}
		})
		return
	}
	if r.conn = d.c.server.accept(d); r.conn == nil {
		r.carryOut(r.link.Ended(d.w.now, core.Ending{Err: errRefused}))
		return
	}
	r.carryOut(r.link.Dialed())
}

func (r *run) authenticate(withTicket bool) {
	token := r.d.token
	if withTicket {
		token = r.ticket
	}
	reply := new(wire.AuthReply)
	r.ask(wire.OpAuth, &wire.AuthRequest{Token: token}, reply, func(err error) {
		now := r.d.w.now
		var refusal *hongyan.Error
		switch {
		case errors.As(err, &refusal):
			r.carryOut(r.link.Refused(now, refusal))
		case err == nil:
			r.ticket, r.clock, r.at = reply.Ticket, reply.TimeMs, now
			r.carryOut(r.link.Authenticated(now, core.Hints{
				HeartbeatMin: ms(reply.Hints.GetHeartbeatMinMs()), HeartbeatMax: ms(reply.Hints.GetHeartbeatMaxMs()),
				ReconnectMin: ms(reply.Hints.GetReconnectMinMs()), ReconnectMax: ms(reply.Hints.GetReconnectMaxMs()),
			}, reply.Ticket != ""))
		}
	})
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

func (r *run) beat() {
	reply := new(wire.HeartbeatReply)
	r.ask(wire.OpHeartbeat, &wire.HeartbeatRequest{Key: r.sync.Presentable()}, reply, func(err error) {
		if hongyan.CodeOf(err) != 0 && !errors.Is(err, errReset) {
			return
		}
		if err == nil {
			r.link.Beaten(r.d.w.now)
			if reply.Newer {
				r.carryOut(r.sync.Newer(r.d.w.now))
				return
			}
		}
		r.wait()
	})
}

// hangUp ends the device's side of its connection. The server learns it, unless the way there is dead.
func (r *run) hangUp() {
	c := r.conn
	r.conn = nil
	c.down.dead = true
	if !c.up.dead {
		c.w.after(c.w.between(time.Millisecond, c.server.net.slowest), c.end)
	}
}

// lose ends the connection and what depends on it.
func (r *run) lose(e core.Ending) {
	if r.conn != nil {
		r.hangUp()
	}
	calls, order := r.calls, r.order
	r.calls, r.order, r.up, r.flying = map[uint32]*call{}, nil, false, false
	if r.sync != nil { // it does more than log in
		r.sync.Disconnected()
		r.outbox.Disconnected()
	}
	for _, seq := range order {
		if k := calls[seq]; k != nil {
			k.stop()
			k.done(errReset)
		}
	}
	if r.link != nil && r.live() {
		r.carryOut(r.link.Ended(r.d.w.now, e))
	}
}

// lost says that a connection has broken.
func (d *device) lost(c *conn, err error) {
	if r := d.running; r != nil && r.conn == c {
		d.w.note("%-8s lost its connection: %v", d.name, err)
		r.lose(core.Ending{Err: err})
	}
}
