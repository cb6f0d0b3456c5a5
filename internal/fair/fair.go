// Package fair decides whose turn it is. Every account has a line of its own, and the lines take turns, so that a thousand
// jobs of one account keep no other's waiting. An account that takes much of the time goes behind the others: its jobs
// begin when nobody else's waits, or every so often, and few of that kind run at a time. On an idle server that costs it
// nothing.
//
// A Queue is a data structure, with no clock, goroutine or lock in it.
package fair

import (
	"math"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/recent"
)

// Who takes much of the time, and what that means. Time is that between the beginning and the end of a job.
const (
	Much   = 200 * time.Millisecond // within about a second; an account that has taken as much goes behind,
	Little = 12 * time.Millisecond  // until it has taken no more than this

	memory   = time.Second // after which half of what was taken is forgotten
	everySo  = 8           // one turn in so many is that of somebody who is behind, if any waits
	accounts = 4096        // whose time is remembered
)

// Limits bound a Queue.
type Limits struct {
	Waiting int // jobs that wait
	Line    int // jobs of one account that wait
	Behind  int // jobs that run at a time for accounts that are behind
}

// Job is a job whose turn has come. It must be given back with Done.
type Job struct {
	Run    func()
	who    hongyan.UserID
	behind bool
}

// Queue holds jobs that wait. Account 0 is nobody in particular: its jobs have a line too, and never go behind.
type Queue struct {
	limits  Limits
	lines   map[hongyan.UserID]*line // those in which somebody waits
	prompt  ring                     // lines, by whose turn it is; some turn out to belong behind
	behind  ring
	spent   *recent.Cache[hongyan.UserID, spent]
	waiting int
	running int // jobs of accounts that are behind
	turns   int
}

// line is what an account has waiting.
type line struct {
	who  hongyan.UserID
	jobs []func()
}

// spent is the time that an account has taken, of which half is forgotten with every second.
type spent struct {
	time   time.Duration
	at     time.Time
	behind bool
}

// New makes an empty queue.
func New(l Limits) *Queue {
	return &Queue{
		limits: l, lines: map[hongyan.UserID]*line{}, spent: recent.New[hongyan.UserID, spent](accounts),
	}
}

// Push adds a job of an account. It reports whether there was room.
func (q *Queue) Push(who hongyan.UserID, run func()) bool {
	l := q.lines[who]
	if q.waiting >= q.limits.Waiting || l != nil && len(l.jobs) >= q.limits.Line {
		return false
	}
	if l == nil {
		l = &line{who: who}
		q.lines[who] = l
		q.prompt.push(l)
	}
	l.jobs = append(l.jobs, run)
	q.waiting++
	return true
}

// Next takes the job whose turn it is. There may be none though some wait: then one that runs has to end first.
func (q *Queue) Next(now time.Time) (Job, bool) {
	q.turns++
	if q.turns%everySo == 0 {
		if j, ok := q.nextBehind(now); ok {
			return j, true
		}
	}
	for {
		l := q.prompt.pop()
		if l == nil {
			return q.nextBehind(now)
		}
		if !q.isBehind(l.who, now) {
			return q.take(l, false), true
		}
		q.behind.push(l)
	}
}

func (q *Queue) nextBehind(now time.Time) (Job, bool) {
	if q.running >= q.limits.Behind {
		return Job{}, false
	}
	l := q.behind.pop()
	if l == nil {
		return Job{}, false
	}
	return q.take(l, q.isBehind(l.who, now)), true
}

// take takes the first job of a line, and sends the line to the end of its ring.
func (q *Queue) take(l *line, behind bool) Job {
	j := Job{Run: l.jobs[0], who: l.who, behind: behind}
	q.waiting--
	if behind {
		q.running++
	}
	l.jobs[0] = nil
	l.jobs = l.jobs[1:]
	switch {
	case len(l.jobs) == 0:
		delete(q.lines, l.who)
	case behind:
		q.behind.push(l)
	default:
		q.prompt.push(l)
	}
	return j
}

// Done says that a job has ended, and how long it took.
func (q *Queue) Done(j Job, took time.Duration, now time.Time) {
	if j.behind {
		q.running--
	}
	if j.who == 0 {
		return
	}
	s, _ := q.spent.Get(j.who)
	s = s.until(now)
	s.time += took
	s.behind = s.behind || s.time > Much
	q.spent.Add(j.who, s)
}

// isBehind reports whether an account goes behind the others.
func (q *Queue) isBehind(who hongyan.UserID, now time.Time) bool {
	s, ok := q.spent.Get(who)
	return ok && s.until(now).behind
}

// until is what is remembered at a later time.
func (s spent) until(now time.Time) spent {
	if gone := now.Sub(s.at); gone > 0 {
		s.time = time.Duration(float64(s.time) * math.Exp2(-gone.Seconds()/memory.Seconds()))
		s.at = now
	}
	s.behind = s.behind && s.time > Little
	return s
}

// Waiting is the number of jobs that wait.
func (q *Queue) Waiting() int { return q.waiting }

// Behind is the number of accounts that wait behind the others.
func (q *Queue) Behind() int { return q.behind.n }

// ring is a queue of lines.
type ring struct {
	list []*line
	next int
	n    int
}

func (r *ring) push(l *line) {
	if r.n == len(r.list) {
		grown := make([]*line, max(8, 2*r.n))
		for i := range r.n {
			grown[i] = r.list[(r.next+i)%len(r.list)]
		}
		r.list, r.next = grown, 0
	}
	r.list[(r.next+r.n)%len(r.list)] = l
	r.n++
}

// pop returns the first line, nil if there is none.
func (r *ring) pop() *line {
	if r.n == 0 {
		return nil
	}
	l := r.list[r.next]
	r.list[r.next] = nil
	r.next = (r.next + 1) % len(r.list)
	r.n--
	return l
}
