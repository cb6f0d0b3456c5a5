package load

// connect opens and resets connections, a number of them at once.
func (e *engine) connect(r *Report) error {
	r.What = "handshakes"
	for i := range e.conns {
		if err := e.dial(i); err != nil {
			return err
		}
	}
	s := e.newStage(len(e.conns))
	next := len(e.conns)
	for !s.over {
		err := e.turn(func(i int, events uint32) error {
			c := &e.conns[i]
			opened, err := e.shake(c, events)
			if !opened || err != nil {
				return err
			}
			s.done(c.began, nanos())
			e.cut(c)
			err = e.dial(i)
			c.hello = uint8(next % hellos)
			next++
			return err
		})
		if err != nil {
			return err
		}
		s.step()
	}
	s.report(r)
	return nil
}
