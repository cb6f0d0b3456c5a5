package sim

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// cluster is a server, the devices of some people, and what they are going to do.
type cluster struct {
	w       *world
	net     *net
	server  *server
	devices []*device
	people  []hongyan.UserID
	names   []string // of people
	group   hongyan.ConversationID
	history *history.History
	planted *planted

	faulty bool // things may go wrong at present
	ids    uint64
	alarms []history.Violation
	counts Counts
}

// Counts are what happened in a run.
type Counts struct {
	Events        int
	Acknowledged  int // sends
	Repeated      int // sends that were answered more than once
	Pushed        int // pages that came with a notification
	Resets        int // of keys, but for the first
	ServerCrashes int
	LostRounds    int // that were not synced when the server crashed
	DiskFaults    int
	DeviceKills   int
	Cuts          int // of connections
}

func (c *Counts) add(o Counts) {
	c.Events += o.Events
	c.Acknowledged += o.Acknowledged
	c.Repeated += o.Repeated
	c.Pushed += o.Pushed
	c.Resets += o.Resets
	c.ServerCrashes += o.ServerCrashes
	c.LostRounds += o.LostRounds
	c.DiskFaults += o.DiskFaults
	c.DeviceKills += o.DeviceKills
	c.Cuts += o.Cuts
}

// count adds what the history tells.
func (c *cluster) count() Counts {
	n := c.counts
	n.Events, n.ServerCrashes = int(c.w.count), c.server.crashes
	if d, ok := c.server.disk.(*memoryDisk); ok {
		n.LostRounds = d.lost
	}
	seen := map[hongyan.ClientID]bool{}
	for _, o := range c.history.Ops {
		switch {
		case o.Kind != history.Send || !o.Done():
		case seen[o.Client]:
			n.Repeated++
		default:
			seen[o.Client] = true
			n.Acknowledged++
		}
	}
	for i := range c.history.Pages {
		if c.history.Pages[i].Source == history.Pushed {
			n.Pushed++
		}
	}
	for i := range c.history.Commits {
		if commit := &c.history.Commits[i]; commit.Reset && commit.Previous > 0 {
			n.Resets++
		}
	}
	return n
}

// Config is what a run is like, besides its seed. The zero Config is the ordinary one.
type Config struct {
	Pebble  bool // keep the records in the real engine, on a file system that loses what was not synced
	Trace   bool
	planted planted
}

// Result is how a run went.
type Result struct {
	Counts
	Violations []history.Violation
	Trace      []string
	History    *history.History
}

// The parts of a run, in simulated time.
const (
	unrest    = 60 * time.Second // people are busy, and everything may break
	healing   = 3 * time.Minute  // nothing breaks any more
	aftermath = 2 * time.Second  // until the last of what was planned before that has gone wrong
	chats     = 3                // then: how often people write, and nothing even dawdles
	prompt    = 4 * time.Second  // until everybody has to have everything: no heartbeat may be needed for that
)

// Run runs one cluster.
func Run(seed uint64, config Config) (Result, error) {
	var t *trace
	if config.Trace {
		t = &trace{since: epoch}
	}
	w := newWorld(seed, t)
	c, err := newCluster(w, config.Pebble)
	if err != nil {
		return Result{}, err
	}
	if err := c.settleIn(); err != nil {
		return Result{}, fmt.Errorf("seed %d: %w", seed, err)
	}
	c.faulty, *c.planted = true, config.planted
	if w.chance(3) {
		c.history.Kept = 3 + w.rng.IntN(8)
		w.note("server   keeps %d messages of each account", c.history.Kept)
		c.server.keep(c.history.Kept)
	}
	c.live()
	c.breakThings()
	w.run(w.now.Add(unrest))
	c.heal()
	violations, err := c.end()
	if err != nil {
		return Result{}, fmt.Errorf("seed %d: %w", seed, err)
	}
	r := Result{Counts: c.count(), Violations: violations, History: c.history}
	if t != nil {
		r.Trace = t.lines
	}
	return r, nil
}

// newCluster makes a server in a world.
func newCluster(w *world, pebble bool) (*cluster, error) {
	c := &cluster{
		w: w, net: &net{slowest: 40 * time.Millisecond, blocked: map[*device]time.Time{}}, history: new(history.History),
		planted: new(planted),
	}
	var d disk = newMemoryDisk(w, c.planted)
	if pebble {
		d = newPebbleDisk(w)
	}
	var err error
	c.server, err = newServer(w, c.net, d, c.planted)
	return c, err
}

// end waits until all have come to rest, and says which promises were broken.
func (c *cluster) end() ([]history.Violation, error) {
	c.await(c.quiet)
	c.chat()
	c.lookBack()
	c.server.process.endReadings()
	if err := c.server.disk.end(); err != nil {
		return nil, err
	}
	return append(c.alarms, history.Check(c.history)...), nil
}

// await lets time pass until ok, or for as long as healing may take.
func (c *cluster) await(ok func() bool) {
	for end := c.w.now.Add(healing); c.w.now.Before(end) && !ok(); {
		c.w.run(c.w.now.Add(5 * time.Second))
	}
}

// chat lets people write who all are connected and up to date, and expects that all get it at once.
func (c *cluster) chat() {
	c.server.slowSyncs = 0
	c.w.run(c.w.now.Add(aftermath))
	c.await(func() bool { return c.quiet() && !slices.ContainsFunc(c.devices, (*device).disturbed) })
	for n := range chats {
		if !c.quiet() {
			return // the checks say what is wrong
		}
		for i := range 1 + c.w.rng.IntN(3) {
			d := one(c.w, c.devices)
			c.w.after(c.w.between(0, 30*time.Millisecond), func() { d.send(c.somewhere(d), fmt.Sprintf("%s-chat%d.%d", d.name, n, i)) })
		}
		c.w.run(c.w.now.Add(prompt))
		if !c.quiet() {
			c.alarm(history.Progress, "%v after people wrote, with nothing wrong, somebody does not have it", prompt)
		}
	}
}

// disturbed reports whether the device has no connection that works, or waits for an answer that may never come.
func (d *device) disturbed() bool {
	r := d.running
	return r == nil || r.conn == nil || r.conn.closed || r.conn.up.dead || r.conn.down.dead || len(r.calls) > 0
}

// alarm records something that no device should ever meet.
func (c *cluster) alarm(r history.Rule, format string, args ...any) {
	v := history.Violation{Rule: r, Detail: fmt.Sprintf(format, args...)}
	c.w.note("ALARM    %v", v)
	if len(c.alarms) < history.MaxViolations {
		c.alarms = append(c.alarms, v)
	}
}

func (c *cluster) newClientID() hongyan.ClientID {
	var id hongyan.ClientID
	c.ids++
	for i := range 8 {
		id[15-i] = byte(c.ids >> (8 * i))
		id[i] = byte(c.w.rng.Uint32())
	}
	return id
}

// Passwords do not matter here.
const password = "correct horse battery"

// settleIn registers the people, logs their devices in and makes a group, while nothing goes wrong yet.
func (c *cluster) settleIn() error {
	people := 3 + c.w.rng.IntN(2)
	for i := range people {
		who := string(rune('a' + i))
		devices := 1 + c.w.rng.IntN(2)
		for n := range devices {
			if err := c.add(c.newDevice(who, n)); err != nil {
				return err
			}
		}
	}
	c.w.run(c.w.now.Add(5 * time.Second))
	members := wire.FromIDs(c.people[1 : 2+c.w.rng.IntN(len(c.people)-1)])
	reply := new(wire.CreateGroupReply)
	id := c.newClientID()
	if err := c.devices[0].wait(wire.OpCreateGroup, &wire.CreateGroupRequest{Title: "all", Users: members, ClientId: id[:]}, reply); err != nil {
		return err
	}
	c.group = hongyan.GroupConversation(hongyan.GroupID(reply.Group.Id))
	return nil
}

// add lets a device join, and its person with the first one.
func (c *cluster) add(d *device) error {
	first := !slices.Contains(c.names, d.who)
	if err := d.logIn(first); err != nil {
		return err
	}
	c.devices = append(c.devices, d)
	if first {
		c.people, c.names = append(c.people, d.user), append(c.names, d.who)
	}
	d.start()
	return nil
}

func (c *cluster) newDevice(who string, n int) *device {
	d := &device{c: c, w: c.w, who: who, name: fmt.Sprintf("%s%d", who, n+1)}
	d.store = newDeviceStore(d)
	return d
}

// logIn gets the device a token.
func (d *device) logIn(register bool) error {
	r := &run{d: d, calls: map[uint32]*call{}}
	d.running = r
	defer func() { d.running = nil }()
	if r.conn = d.c.server.accept(d); r.conn == nil {
		return errRefused
	}
	defer func() {
		if r.conn != nil {
			r.hangUp()
		}
	}()
	reply := new(wire.LoginReply)
	account, who := "person-"+d.who, &wire.Device{Name: d.name, Class: 1}
	var request proto.Message = &wire.LoginRequest{Name: account, Password: password, Device: who}
	op := wire.OpLogin
	if register {
		op, request = wire.OpRegister, &wire.RegisterRequest{Name: account, Password: password, DisplayName: account, Device: who}
	}
	if err := d.wait(op, request, reply); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	d.token = reply.DeviceToken
	d.user, d.id = hongyan.UserID(reply.Session.User), hongyan.DeviceID(reply.Session.Device)
	return nil
}

// wait makes a request and lets time pass until it is answered.
func (d *device) wait(op wire.Op, request, reply proto.Message) error {
	err := errNoReply
	answered := false
	if d.running == nil {
		return errReset
	}
	d.running.ask(op, request, reply, func(e error) { err, answered = e, true })
	for i := 0; i < 1000 && !answered; i++ {
		d.w.run(d.w.now.Add(10 * time.Millisecond))
	}
	return err
}

// heal ends what is wrong, and lets everybody come back.
func (c *cluster) heal() {
	c.w.note("all is well from here on")
	c.faulty, c.server.doomed = false, false
	c.net.slowest = 40 * time.Millisecond
	clear(c.net.blocked)
	for _, d := range c.devices {
		d.start()
	}
	if c.server.spoilt || c.w.chance(2) {
		c.server.crash(time.Second)
	}
	if !c.server.down {
		c.server.process.engine.Refuse(nil)
	}
}

// quiet reports whether everybody has everything. What never comes to rest is found by the checks.
func (c *cluster) quiet() bool {
	p := c.server.process
	if c.server.down || len(p.queue) > 0 || len(p.pending) > 0 {
		return false
	}
	view := p.engine.Read()
	defer view.Release(func(error) {})
	for _, d := range c.devices {
		head, err := view.Head(d.user)
		held := d.store.state
		if err != nil || d.running == nil || !d.running.up || d.waiting() || held.Version != head || len(held.Backfill) > 0 {
			return false
		}
	}
	return true
}

// lookBack lets a new device of each person fetch everything, and records what all of them hold.
func (c *cluster) lookBack() {
	var fresh []*device
	for _, who := range c.names {
		d := c.newDevice(who, 8)
		err := d.logIn(false)
		for again := 0; err != nil && again < 3; again++ { // what was planned before all was well may go wrong yet
			c.w.run(c.w.now.Add(5 * time.Second))
			err = d.logIn(false)
		}
		if err != nil {
			c.alarm(history.Durable, "a new device cannot log in: %v", err)
			continue
		}
		d.start()
		fresh = append(fresh, d)
	}
	c.w.run(c.w.now.Add(30 * time.Second))
	for _, d := range append(fresh, c.devices...) {
		c.history.Hold(history.Holding{
			Device: d.process(), Messages: d.store.held(), States: d.store.states,
		})
		for at := range d.store.messages {
			if !d.store.told[at] {
				c.alarm(history.Durable, "the program on device %s was never told of %s/%d", d.name, at.conversation, at.ordinal)
			}
		}
	}
	for _, d := range fresh {
		reply := new(wire.ConversationsReply)
		if err := d.wait(wire.OpConversations, &wire.ConversationsRequest{}, reply); err != nil {
			c.alarm(history.Progress, "device %s cannot ask for its conversations: %v", d.name, err)
			continue
		}
		for _, s := range all(d, wire.ToConversation, reply.Conversations) {
			c.history.Settle(history.View{Device: d.process(), Conversation: s})
		}
	}
}
