// Package topic is the set of subscribers of the broadcast that every peer offers.
package topic

import "sync"

// A Set holds subscribers. The zero value is empty and ready; its methods may be called from any goroutine.
type Set[S comparable] struct {
	mu      sync.Mutex
	members map[S]struct{}
}

// Add puts a subscriber in.
func (t *Set[S]) Add(s S) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.members == nil {
		t.members = make(map[S]struct{})
	}
	t.members[s] = struct{}{}
}

// Remove takes a subscriber out, if it is in.
func (t *Set[S]) Remove(s S) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.members, s)
}

// Each calls send with every subscriber; send must not call the set.
func (t *Set[S]) Each(send func(S)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.members {
		send(s)
	}
}
