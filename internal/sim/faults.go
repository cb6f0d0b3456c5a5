package sim

import (
	"time"

	"github.com/hongyan-im/hongyan"
)

// breakThings plans what goes wrong. Some runs are calm, some are not.
func (c *cluster) breakThings() {
	for range c.w.rng.IntN(20) {
		c.w.at(c.w.now.Add(c.w.between(0, unrest)), c.breakSomething)
	}
}

func (c *cluster) breakSomething() {
	w, d := c.w, one(c.w, c.devices)
	switch w.rng.IntN(12) {
	case 0, 1:
		if w.chance(4) {
			c.server.crash(w.between(0, 6*time.Second))
		} else {
			c.server.doomed = true
		}
	case 2:
		c.spoil()
	case 3, 4:
		c.counts.DeviceKills++
		d.dieFor(15 * time.Second)
	case 5, 6:
		if list := c.server.live(); len(list) > 0 {
			c.counts.Cuts++
			broken := one(w, list)
			w.note("network  cuts a connection of %s", broken.d.name)
			broken.cut()
		}
	case 7:
		if list := c.server.live(); len(list) > 0 {
			c.counts.Cuts++
			half := one(w, list)
			w.note("network  half-opens a connection of %s", half.d.name)
			half.up.dead = half.up.dead || w.chance(2)
			half.down.dead = half.down.dead || !half.up.dead || w.chance(2)
		}
	case 8:
		w.note("network  stands still for %s", d.name)
		c.net.blocked[d] = w.now.Add(w.between(time.Second, 20*time.Second))
	case 9:
		w.note("network  is slow")
		c.net.slowest = 2 * time.Second
		w.after(w.between(time.Second, 10*time.Second), func() { c.net.slowest = 40 * time.Millisecond })
	case 10:
		if p := c.server.process; !c.server.down {
			w.note("disk     is low: sends are refused, and the clock moves")
			c.server.skew += w.between(-90*time.Minute, 90*time.Minute)
			p.engine.Refuse(hongyan.Errorf(hongyan.StorageLow, "the disk is nearly full"))
			w.after(w.between(0, 5*time.Second), func() { p.engine.Refuse(nil) })
		}
	case 11:
		c.server.drain()
	}
}

// spoil makes the server's disk fail with the next write.
func (c *cluster) spoil() {
	if !c.server.down {
		c.w.note("disk     is spoilt")
		c.counts.DiskFaults++
		c.server.spoilt = true
		c.server.disk.spoil()
	}
}
