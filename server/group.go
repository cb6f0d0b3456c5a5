package server

import "sync"

// Group is a set of connections that are sent the same messages. The zero value is empty and ready; its methods are safe
// from any goroutine. Whoever puts a connection in takes it out when it has ended (Config.Close).
type Group struct {
	mu    sync.RWMutex
	conns []*Conn       // a slice is walked faster than a map
	place map[*Conn]int // in conns
}

// Join puts c into the group.
func (g *Group) Join(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.place[c]; ok {
		return
	}
	if g.place == nil {
		g.place = make(map[*Conn]int)
	}
	g.place[c] = len(g.conns)
	g.conns = append(g.conns, c)
}

// Leave takes c out of the group.
func (g *Group) Leave(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, ok := g.place[c]
	if !ok {
		return
	}
	last := len(g.conns) - 1
	g.conns[i] = g.conns[last]
	g.place[g.conns[i]] = i
	g.conns[last] = nil
	g.conns = g.conns[:last]
	delete(g.place, c)
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
	for _, c := range g.conns {
		if !c.Send(m) {
			refused++
		}
	}
	return refused
}
