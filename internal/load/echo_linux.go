package load

import "time"

// A stage is where a measurement stands: load without counting, counting, and waiting for what is under way.
type stage struct {
	e       *engine
	least   int64 // operations that have to end in this part of it
	warming bool
	over    bool
	end     int64
	before  usage
	after   usage
	count   int64
	took    Histogram
}

// turns is how many times what is under way at once a measurement counts at least. With fewer, what was under way when
// it began, and cost the server time before, would weigh too much: a busy machine may take long for a single turn.
const turns = 3

// newStage begins the warm-up for a load with so many operations under way at once.
func (e *engine) newStage(flying int) *stage {
	return &stage{e: e, least: int64(flying), warming: true, end: nanos() + int64(e.o.Warmup)}
}

// step goes on to the next part of the measurement if its time has come and enough operations have ended in this one.
func (s *stage) step() {
	if s.over || s.count < s.least || nanos() < s.end {
		return
	}
	if s.warming {
		s.warming, s.count = false, 0
		s.least *= turns
		s.took.Reset()
		s.before = s.e.usage()
		s.end = nanos() + int64(s.e.o.Duration)
		return
	}
	s.over = true
	s.after = s.e.usage()
}

// done counts an operation that began at the given time. After the end nothing is counted any more.
func (s *stage) done(began, now int64) {
	if !s.over {
		s.count++
		s.took.Add(time.Duration(now - began))
	}
}

func (s *stage) report(r *Report) {
	s.e.settle(r, s.after.since(s.before), s.count)
	r.Latency = latency(&s.took)
}

// echo keeps a number of messages in flight on each connection: for each answer one more goes out, and for answers that
// are read together they go out together.
func (e *engine) echo(r *Report) error {
	r.What, r.InFlight = "messages", e.o.InFlight
	e.script = newScript(e.o.Size, e.o.InFlight, e.o.Text, e.to.raw)
	if err := e.openRange(0, len(e.conns)); err != nil {
		return err
	}
	depth := e.o.InFlight
	began := make([]int64, len(e.conns)*depth)
	flying := 0
	send := func(i, k int, now int64) error {
		c := &e.conns[i]
		times := began[i*depth : (i+1)*depth]
		for j := range k {
			times[(c.oldest+c.flying+j)%depth] = now
		}
		flying += k
		return e.push(c, k)
	}
	s := e.newStage(len(e.conns) * depth)
	handle := func(i int, events uint32) error {
		c := &e.conns[i]
		k, err := e.serve(c, events)
		if k == 0 || err != nil {
			return err
		}
		now := nanos()
		times := began[i*depth : (i+1)*depth]
		for range k {
			s.done(times[c.oldest], now)
			if c.oldest++; c.oldest == depth {
				c.oldest = 0
			}
		}
		flying -= k
		if s.over {
			return nil
		}
		return send(i, k, now)
	}
	for i := range e.conns {
		e.aim(&e.conns[i], i)
		if err := send(i, depth, nanos()); err != nil {
			return err
		}
		// The server begins while the rest is still being sent, and so does reading its answers.
		if i%dialWindow == dialWindow-1 {
			if err := e.turn(handle); err != nil {
				return err
			}
		}
	}
	s.end = nanos() + int64(e.o.Warmup)
	for !s.over || flying > 0 {
		if err := e.turn(handle); err != nil {
			return err
		}
		s.step()
	}
	s.report(r)
	return nil
}

// aim has connection i begin at a message of its own.
func (e *engine) aim(c *conn, i int) {
	c.out = i % e.script.messages * e.script.sentLen
	c.in = i % e.script.messages * e.script.wantLen
}
