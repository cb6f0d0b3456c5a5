package server

import "sync"

// Group is a set of connections that are sent the same messages. The zero value is empty and ready; its methods are safe
// from any goroutine. Whoever puts a connection in takes it out when it has ended (Config.Close).
type Group struct {
	mu    sync.RWMutex
	conns map[*Conn]struct{}
}

// Join puts c into the group.
func (g *Group) Join(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns == nil {
		g.conns = make(map[*Conn]struct{})
	}
	g.conns[c] = struct{}{}
}

// Leave takes c out of the group.
func (g *Group) Leave(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// Len is the number of connections.
func (g *Group) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.conns)
}

// Send queues a message for every connection of the group, in one order for all of them if one goroutine sends at a time.
// m.Data must not be changed any more. It returns how many refused the message, because they have ended or because too
// much waits for their peers.
func (g *Group) Send(m Message) (refused int) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for c := range g.conns {
		if !c.Send(m) {
			refused++
		}
	}
	return refused
}
