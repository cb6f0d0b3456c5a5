package torture

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// The cast of an act, for each client process.
const (
	peopleEach = 2 // accounts, with three devices each
	groupSize  = 4 // members that a group begins with
)

const (
	stuckLimit = 90 * time.Second // without any progress before everybody has everything, when the faults have ended
	holdLimit  = 5 * time.Minute  // to record what all devices hold
	skewMost   = 20 * time.Minute // that the clock of a device is wrong
)

// act is a part of a run with accounts of its own: they talk while things break, and then everything is checked. A run
// of any length is a number of acts, so that no more than one has to be looked at at a time.
type act struct {
	*run
	dir     string
	clients []*clients
	people  []person
	groups  []group
	devices []device // all, of all processes, and the fresh ones in the end
}

// play runs the act for so long, and returns what it has found.
func (a *act) play(ctx context.Context, seed uint64, length time.Duration) error {
	if err := a.cast(ctx, seed); err != nil {
		return err
	}
	defer a.dismiss()
	for _, c := range a.clients {
		if err := c.run(); err != nil {
			return err
		}
	}
	a.now(a.progress)
	n := &nemesis{server: a.server, clients: a.clients, disk: a.disk, counts: &a.counts}
	raging, cancel := context.WithTimeout(ctx, length)
	err := n.rage(raging, seed)
	cancel()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := a.converge(ctx); err != nil {
		return err
	}
	if err := a.hold(ctx); err != nil {
		return err
	}
	return a.lookBack(ctx)
}

// ways are those of the devices of an account, by its place in the cast.
var ways = [][3]way{
	{sdkTCP, linkTCP, poll},
	{sdkTLS, linkWS, stream},
	{sdkTCP, linkTLS, poll},
	{sdkTLS, linkTCP, stream},
}

// cast makes accounts, groups and devices, whose three are on different processes where there are enough.
func (a *act) cast(ctx context.Context, seed uint64) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	for i := range a.options.Clients {
		c, err := newClients(fmt.Sprintf("client process %d", i+1), filepath.Join(a.dir, fmt.Sprintf("plan-%d.json", i+1)), a.server.addr)
		if err != nil {
			return err
		}
		c.plan.Seed = seed
		a.clients = append(a.clients, c)
	}
	for i := range peopleEach * a.options.Clients {
		a.accounts++
		reply := new(wire.CreateAccountReply)
		name := fmt.Sprintf("t%d-%d", seed%1_000_000, a.accounts)
		if err := a.server.operate(ctx, wire.OpCreateAccount, &wire.CreateAccountRequest{Name: name}, reply); err != nil {
			return err
		}
		who := person{hongyan.UserID(reply.Account.User), name}
		a.people = append(a.people, who)
		for j, w := range ways[i%len(ways)] {
			d, err := a.mint(ctx, who, w, a.dir)
			if err != nil {
				return err
			}
			d.SkewMS = int64(uint64(d.Device)%uint64(2*skewMost/time.Millisecond)) - skewMost.Milliseconds()
			if d.sdk() {
				d.Profile = filepath.Join(a.dir, "profiles", strconv.FormatUint(uint64(d.Device), 10))
			}
			c := a.clients[(i+j)%len(a.clients)]
			c.plan.Devices = append(c.plan.Devices, d)
			a.devices = append(a.devices, d)
		}
	}
	if err := a.found(ctx); err != nil {
		return err
	}
	senders := 0
	for i := range a.devices {
		if !a.devices[i].sdk() {
			senders++
		}
	}
	for _, c := range a.clients {
		c.plan.People, c.plan.Groups, c.plan.Rate = a.people, a.groups, a.options.Rate/float64(senders)
		if err := c.plan.save(c.args[len(c.args)-1]); err != nil {
			return err
		}
	}
	return nil
}

// found makes the groups, one for each client process.
func (a *act) found(ctx context.Context) error {
	for i := range a.options.Clients {
		owner := a.people[i]
		d, err := a.mint(ctx, owner, poll, a.dir)
		if err != nil {
			return err
		}
		var members []uint64
		for j := 1; j < min(groupSize, len(a.people)); j++ {
			members = append(members, uint64(a.people[(i+j)%len(a.people)].User))
		}
		id := make([]byte, 16)
		rand.Read(id)
		reply := new(wire.CreateGroupReply)
		s := newShort(a.server.addr, &d)
		err = insist(ctx, s, wire.OpCreateGroup, &wire.CreateGroupRequest{Title: "torture", Users: members, ClientId: id}, reply)
		s.close()
		if err != nil {
			return err
		}
		a.groups = append(a.groups, group{hongyan.GroupID(reply.Group.Id), owner.User})
	}
	return nil
}

// dismiss ends what is left of the act.
func (a *act) dismiss() {
	for _, c := range a.clients {
		if c.cmd != nil {
			c.kill()
		}
		c.proxy.Close()
	}
}

// statuses returns the last word of every device.
func (a *act) statuses() map[hongyan.DeviceID]deviceStatus {
	all := map[hongyan.DeviceID]deviceStatus{}
	for _, c := range a.clients {
		for _, d := range c.statuses() {
			all[d.Device] = d
		}
	}
	return all
}

// converge ends all trouble and waits until everything is answered and every device has all messages, by itself. It notes
// how long that took the last one.
func (a *act) converge(ctx context.Context) error {
	for _, c := range a.clients {
		c.proxy.Heal()
		c.command(calm)
	}
	healed := time.Now()
	moved, stood := healed, a.stand()
	for ; ctx.Err() == nil; rest(ctx, statusEvery) {
		if err := a.fatal(); err != nil {
			return err
		}
		if now := a.stand(); now != stood {
			moved, stood = time.Now(), now
		}
		behind := a.behind(ctx)
		if behind == "" {
			a.report.WorstHealMS = max(a.report.WorstHealMS, time.Since(healed).Milliseconds())
			return nil
		}
		if time.Since(moved) > stuckLimit {
			a.violate(history.Progress, "%v after the last fault, and %v after the last sign of progress, %s",
				time.Since(healed).Round(time.Second), time.Since(moved).Round(time.Second), behind)
			return nil
		}
	}
	return context.Cause(ctx)
}

// stand is a number that changes whenever a device gets something or an answer. Those who want nothing more change it so
// often and no more.
func (a *act) stand() (n uint64) {
	for _, d := range a.statuses() {
		n += uint64(d.Acked) - uint64(d.Waiting)
		for _, mark := range d.Marks {
			n += uint64(mark)
		}
	}
	return n
}

func (a *act) fatal() error {
	for _, c := range a.clients {
		if why := c.failed(); why != "" {
			return fmt.Errorf("%s: %s", c.name, why)
		}
		if !c.running() {
			return c.failure()
		}
	}
	return nil
}

// behind says which device has not got everything yet; nothing if all have.
func (a *act) behind(ctx context.Context) string {
	all := a.statuses()
	for i := range a.devices {
		d := &a.devices[i]
		if s, ok := all[d.Device]; !ok || s.Marks == nil || s.Waiting > 0 {
			return fmt.Sprintf("device %d (%s) of account %d has %d sends without an answer; its last trouble: %s",
				d.Device, d.Way, d.User, s.Waiting, s.Fault)
		}
	}
	for i := range a.devices {
		d := &a.devices[i]
		if i%3 != 0 {
			continue // once for each account
		}
		reply := new(wire.ConversationsReply)
		s := newShort(a.server.addr, d)
		err := s.ask(ctx, wire.OpConversations, &wire.ConversationsRequest{Limit: 200}, reply)
		s.close()
		if err != nil {
			return fmt.Sprintf("the server does not tell account %d its conversations: %v", d.User, err)
		}
		for _, of := range a.devices[i : i+3] {
			for _, c := range reply.Conversations {
				if got := all[of.Device].Marks[c.Id]; uint64(got) < c.Last {
					return fmt.Sprintf("device %d (%s) of account %d has %s up to %d, not to %d; its last trouble: %s",
						of.Device, of.Way, of.User, c.Id, got, c.Last, all[of.Device].Fault)
				}
			}
		}
	}
	return ""
}

// hold has all devices record what they hold.
func (a *act) hold(ctx context.Context) error {
	for _, c := range a.clients {
		c.command(hold)
	}
	limit := time.After(holdLimit)
	for _, c := range a.clients {
		select {
		case <-c.end():
		case <-limit:
			return fmt.Errorf("%s does not come to its end; its last words: %s", c.name, c.log.String())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if why := c.failed(); why != "" {
			a.violate(history.Progress, "%s: %s", c.name, why)
		} else if c.err != nil {
			return c.failure()
		}
	}
	return nil
}

// lookBack lets a new device of each account fetch everything from nothing.
func (a *act) lookBack(ctx context.Context) error {
	for _, who := range a.people {
		d, err := a.fetch(ctx, who, a.dir)
		if err != nil {
			return err
		}
		a.devices = append(a.devices, d)
	}
	return nil
}

// progress says how the act is.
func (a *act) progress() string {
	acked, waiting := 0, 0
	for _, d := range a.statuses() {
		acked += d.Acked
		waiting += d.Waiting
	}
	return fmt.Sprintf("act %d: %d messages acknowledged, %d waiting", a.report.Acts+1, acked, waiting)
}
