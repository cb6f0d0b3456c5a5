package load

import (
	"errors"
	"time"
)

// subscribed is how long a server may take to enter the last subscriber after it has answered its handshake.
const subscribed = 300 * time.Millisecond

// broadcast has one publisher send messages that every subscriber has to receive, with a number of them under way.
func (e *engine) broadcast(r *Report) error {
	r.What, r.InFlight = "deliveries", e.o.InFlight
	e.answers = false
	e.script = newScript(e.o.Size, e.o.InFlight, e.o.Text, false)
	subscribers := len(e.conns)
	if err := e.openRange(0, subscribers); err != nil {
		return err
	}
	e.conns = append(e.conns, conn{})
	if err := e.greet(e.o.Publish); err != nil {
		return err
	}
	if err := e.openRange(subscribers, subscribers+1); err != nil {
		return err
	}
	if err := e.rest(subscribed); err != nil {
		return err
	}
	var (
		window = e.o.InFlight
		began  = make([]int64, window) // of each message under way
		left   = make([]int, window)   // its deliveries that have not come
		got    = make([]int, subscribers)
		sent   = 0
		ended  = 0 // messages that everybody has; the first of the window comes first
		s      = e.newStage(window * subscribers)
	)
	handle := func(i int, events uint32) error {
		c := &e.conns[i]
		if i == subscribers {
			return e.stir(c, events)
		}
		k, err := e.serve(c, events)
		if err != nil {
			return err
		}
		if got[i]+k > sent {
			return errors.New("a subscriber received more than was published")
		}
		now := nanos()
		for range k {
			at := got[i] % window
			s.done(began[at], now)
			got[i]++
			if left[at]--; left[at] == 0 {
				ended++
			}
		}
		return nil
	}
	for !s.over || ended < sent {
		for !s.over && sent-ended < window {
			began[sent%window], left[sent%window] = nanos(), subscribers
			sent++
			if err := e.push(&e.conns[subscribers], 1); err != nil {
				return err
			}
		}
		if err := e.turn(handle); err != nil {
			return err
		}
		s.step()
	}
	s.report(r)
	return nil
}
