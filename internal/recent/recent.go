// Package recent remembers what was used lately, within a bound, and is made for what is asked several times in every
// write: to ask changes nothing in memory as a rule, where a list in order of use would touch three entries and miss the
// processor's cache for each.
package recent

// Cache remembers values by key: surely the newest half of its limit, by when they were last added or asked for, and more
// as there is room. It keeps two generations; when the young one is full, the old one is forgotten and the young one
// takes its place. What is asked for in the old one moves to the young. It belongs to one goroutine at a time.
type Cache[K comparable, V any] struct {
	young, old map[K]entry[K, V]
	half       int
}

// entry has its key with it so that to move it takes no copy of the one that was asked for, which may be on the stack.
type entry[K comparable, V any] struct {
	key   K
	value V
}

// New makes a cache of at most limit entries, which is at least 2.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{young: map[K]entry[K, V]{}, old: map[K]entry[K, V]{}, half: limit / 2}
}

// Get returns what is remembered of k.
func (c *Cache[K, V]) Get(k K) (V, bool) {
	e, ok := c.young[k]
	if !ok {
		if e, ok = c.old[k]; ok {
			c.Add(e.key, e.value)
		}
	}
	return e.value, ok
}

// Add remembers v for k, in place of what was there.
func (c *Cache[K, V]) Add(k K, v V) {
	if len(c.young) >= c.half {
		clear(c.old)
		c.young, c.old = c.old, c.young
	}
	c.young[k] = entry[K, V]{k, v}
}

// Len is the number of entries. Those that are in both generations count twice.
func (c *Cache[K, V]) Len() int { return len(c.young) + len(c.old) }
