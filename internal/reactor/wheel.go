//go:build linux

package reactor

import "math/bits"

const (
	wheelLevels = 4
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelSpan   = 1<<(wheelBits*wheelLevels) - 1 // ticks; what is due later waits there and is looked at again
)

// before reports whether tick a comes before tick b. Ticks are counted in 32 bits and begin again after 497 days; two
// that are compared are less than half of that apart.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// wheel is a hierarchical timing wheel (Varghese and Lauck, 1987) of connections: a slot of level k holds what is due
// within 64^k ticks, and is spread over the level below when its time comes. Setting, moving and cancelling cost the
// same whatever the number of connections, and nothing is allocated.
type wheel struct {
	now   uint32 // the tick up to which everything due was handed out
	count int
	full  [wheelLevels]uint64 // one bit for each slot that is not empty
	slots [wheelLevels][wheelSlots]*conn
}

// timer is a conn's place in the wheel.
type timer struct {
	prev, next *conn
	due        uint32 // tick
	slot       uint16 // level << wheelBits | index, plus one; zero: not in the wheel
}

// set puts c into the wheel, or moves it there.
func (w *wheel) set(c *conn, due uint32) {
	w.cancel(c)
	w.count++
	if !before(w.now, due) {
		due = w.now + 1
	}
	w.insert(c, due)
}

func (w *wheel) insert(c *conn, due uint32) {
	c.timer.due = due
	ahead := min(due-w.now, wheelSpan)
	level := (bits.Len32(ahead) - 1) / wheelBits
	index := (w.now + ahead) >> (level * wheelBits) & (wheelSlots - 1)
	head := &w.slots[level][index]
	if *head != nil {
		(*head).timer.prev = c
	}
	c.timer.prev, c.timer.next = nil, *head
	c.timer.slot = uint16(level<<wheelBits|int(index)) + 1
	*head = c
	w.full[level] |= 1 << index
}

// cancel takes c out of the wheel, if it is there.
func (w *wheel) cancel(c *conn) {
	if c.timer.slot == 0 {
		return
	}
	w.count--
	level, index := (c.timer.slot-1)>>wheelBits, (c.timer.slot-1)&(wheelSlots-1)
	if c.timer.prev != nil {
		c.timer.prev.timer.next = c.timer.next
	} else {
		w.slots[level][index] = c.timer.next
	}
	if c.timer.next != nil {
		c.timer.next.timer.prev = c.timer.prev
	}
	if w.slots[level][index] == nil {
		w.full[level] &^= 1 << index
	}
	c.timer = timer{}
}

// empty takes everything out of a slot and returns it, linked by timer.next.
func (w *wheel) empty(level, index uint32) *conn {
	c := w.slots[level][index]
	w.slots[level][index] = nil
	w.full[level] &^= 1 << index
	return c
}

// advance moves the wheel to a tick and calls due for every connection whose time has come, which is no longer in the
// wheel then. due may set and cancel what it likes.
func (w *wheel) advance(to uint32, due func(*conn)) {
	for before(w.now, to) {
		if w.count == 0 {
			w.now = to
			return
		}
		if w.full[0] == 0 { // nothing up to the end of this round
			w.now |= wheelSlots - 1
			if !before(w.now, to) {
				w.now = to
				return
			}
		}
		w.now++
		w.cascade()
		for c := w.slots[0][w.now&(wheelSlots-1)]; c != nil; c = w.slots[0][w.now&(wheelSlots-1)] {
			w.cancel(c)
			due(c)
		}
	}
}

// cascade spreads the slots of higher levels that begin at the present tick.
func (w *wheel) cascade() {
	for level := uint32(1); level < wheelLevels; level++ {
		if w.now&(1<<(level*wheelBits)-1) != 0 {
			return
		}
		for c := w.empty(level, w.now>>(level*wheelBits)&(wheelSlots-1)); c != nil; {
			next := c.timer.next
			w.insertNow(c)
			c = next
		}
	}
}

// insertNow is insert for what may be due at the very tick that is being handled.
func (w *wheel) insertNow(c *conn) {
	due := c.timer.due
	if before(w.now, due) {
		w.insert(c, due)
		return
	}
	w.now--
	w.insert(c, due)
	w.now++
}

// wake returns how many ticks from now something is to be done; false: never.
func (w *wheel) wake() (ticks uint32, ok bool) {
	if w.count == 0 {
		return 0, false
	}
	ticks = wheelSpan
	for level := range wheelLevels {
		shift := level * wheelBits
		position := w.now >> shift
		// The slots in the order of their time, beginning behind the present one.
		behind := bits.RotateLeft64(w.full[level], -int(position&(wheelSlots-1))-1)
		if behind == 0 {
			continue
		}
		at := (position + 1 + uint32(bits.TrailingZeros64(behind))) << shift
		ticks = min(ticks, at-w.now)
	}
	return ticks, true
}
