package load

import "time"

// idle opens connections in steps, and reads the server's memory before, after each step, and after one message on each
// connection.
func (e *engine) idle(r *Report) error {
	r.What = "connections"
	e.script = newScript(e.o.Size, 1, e.o.Text, e.to.raw)
	before := e.memory("before", 0)
	r.Memory = append(r.Memory, before)
	opened := 0
	var opening int64
	for _, next := range e.o.Steps {
		began := nanos()
		if err := e.openRange(opened, next); err != nil {
			return err
		}
		opening += nanos() - began
		opened = next
		if err := e.look(r, before, "opened", opened); err != nil {
			return err
		}
	}
	r.Count, r.Seconds = int64(opened), time.Duration(opening).Seconds()
	r.PerSecond = float64(opened) / r.Seconds
	if err := e.once(); err != nil {
		return err
	}
	if err := e.look(r, before, "used", opened); err != nil {
		return err
	}
	from := e.usage()
	if err := e.rest(e.o.Rest); err != nil {
		return err
	}
	spent := e.usage().since(from)
	if len(e.server) > 0 && spent.at > 0 {
		user, system := spent.server()
		core := share(user+system, time.Duration(spent.at))
		r.IdleCore = &core
	}
	return nil
}

// look reads the memory when nothing has happened for a while.
func (e *engine) look(r *Report, before Memory, at string, connections int) error {
	if err := e.rest(e.o.Rest); err != nil {
		return err
	}
	m := e.memory(at, connections)
	m.since(before)
	r.Memory = append(r.Memory, m)
	return nil
}

// once exchanges one message on every connection, dialWindow of them at a time.
func (e *engine) once() error {
	for from := 0; from < len(e.conns); from += dialWindow {
		to := min(from+dialWindow, len(e.conns))
		flying := to - from
		for i := from; i < to; i++ {
			e.aim(&e.conns[i], i)
			if err := e.push(&e.conns[i], 1); err != nil {
				return err
			}
		}
		for flying > 0 {
			err := e.turn(func(i int, events uint32) error {
				ended, err := e.serve(&e.conns[i], events)
				flying -= ended
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
