package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// redial is how soon a connection that a storm has failed to bring back is tried again.
const redial = 50 * time.Millisecond

// storm opens connections, and then cuts them all and has them all come back, at once.
func (e *engine) storm(r *Report) error {
	r.What = "reconnects"
	e.script = newScript(e.o.Size, 1, e.o.Text, e.to.raw)
	if err := e.openRange(0, len(e.conns)); err != nil {
		return err
	}
	var took Histogram
	var total usage
	for range e.o.Rounds {
		before := e.usage()
		if err := e.comeBack(r, &took); err != nil {
			return err
		}
		spent := e.usage().since(before)
		r.Back = append(r.Back, time.Duration(spent.at).Seconds())
		total = total.plus(spent)
		// Whoever is back can talk.
		if err := e.once(); err != nil {
			return err
		}
	}
	e.settle(r, total, int64(e.o.Rounds*len(e.conns)))
	r.Latency = latency(&took)
	return nil
}

// comeBack cuts all connections and dials them again, each as often as it takes. The time of a connection runs from the
// moment when all were cut.
func (e *engine) comeBack(r *Report, took *Histogram) error {
	for i := range e.conns {
		e.cut(&e.conns[i])
	}
	cut := nanos()
	for i := range e.conns {
		if err := e.dial(i); err != nil {
			return err
		}
	}
	back, latest := 0, cut
	var again []int // connections to be dialled again at the time due
	var due int64
	handle := func(i int, events uint32) error {
		c := &e.conns[i]
		if c.phase == open {
			return e.stir(c, events)
		}
		opened, err := e.shake(c, events)
		switch {
		case err != nil && !mayPass(err):
			return err
		case err != nil:
			e.cut(c)
			r.Failed++
			if len(again) == 0 {
				due = nanos() + int64(redial)
			}
			again = append(again, i)
		case opened:
			back++
			latest = nanos()
			took.Add(time.Duration(latest - cut))
		}
		return nil
	}
	for back < len(e.conns) {
		if err := e.turn(handle); err != nil {
			return fmt.Errorf("%d of %d connections are back: %w", back, len(e.conns), err)
		}
		now := nanos()
		if now-latest > int64(Stall) {
			return fmt.Errorf("%d of %d connections are back, and none has followed for %v", back, len(e.conns), Stall)
		}
		if len(again) > 0 && now >= due {
			for _, i := range again {
				if err := e.dial(i); err != nil {
					return err
				}
			}
			again = again[:0]
		}
	}
	return nil
}

// mayPass reports whether err is how a server that has too much to do turns a connection away.
func mayPass(err error) bool {
	if status, ok := errors.AsType[*ws.StatusError](err); ok {
		const tooMany, unavailable = 429, 503
		return status.Status == tooMany || status.Status == unavailable
	}
	return errors.Is(err, errCut) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) ||
		errors.Is(err, unix.ETIMEDOUT) || errors.Is(err, unix.EPIPE)
}
