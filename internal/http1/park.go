package http1

import (
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Waiter is told what becomes of a parked request that is not answered, on the goroutine of its connection.
type Waiter interface {
	// Expired returns the answer to a request whose time is over. If Parked.Respond is called at the same time, the
	// first answer counts.
	Expired(now time.Time) Response

	// Gone says that the client is gone, and nobody waits for an answer any more.
	Gone()
}

// Parked is a request that is answered later.
type Parked struct {
	conn     carrier.Conn
	waiter   Waiter
	deadline time.Time
	headOnly bool
	closes   bool

	mu   sync.Mutex
	at   time.Time // when it was answered
	done bool      // it was answered, or the client is gone
}

// Park leaves the request without an answer until Parked.Respond gives one or the deadline has come. Requests that the
// client sends meanwhile wait.
func (x *Exchange) Park(deadline time.Time, w Waiter) *Parked {
	x.settle()
	p := &Parked{conn: x.conn.conn, waiter: w, deadline: deadline, headOnly: x.headOnly(), closes: x.closes}
	x.conn.parked.Store(p)
	if x.conn.leaving.Load() { // which may have found nothing parked
		p.leave()
	}
	return p
}

// leave has the connection end with the answer.
func (p *Parked) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closes = true
	if p.done {
		p.conn.Close(carrier.Item{})
	}
}

// Respond answers, from any goroutine. It returns false if the request has been answered before or the client is gone.
func (p *Parked) Respond(r Response) bool { return p.respond(time.Now(), r) }

func (p *Parked) respond(now time.Time, r Response) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return false
	}
	p.done, p.at = true, now
	item := carrier.Item{Bytes: r.append(nil, now, p.headOnly, p.closes)}
	if p.closes {
		p.conn.Close(item)
	} else {
		p.conn.Reply(item)
	}
	return true
}

// answered returns when the request was answered, and whether it was.
func (p *Parked) answered() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, p.done
}

func (p *Parked) expire(now time.Time) {
	if _, ok := p.answered(); !ok {
		p.respond(now, p.waiter.Expired(now))
	}
}

func (p *Parked) gone() {
	p.mu.Lock()
	waiting := !p.done
	p.done = true
	p.mu.Unlock()
	if waiting {
		p.waiter.Gone()
	}
}
