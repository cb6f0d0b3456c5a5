package inbox

import (
	"encoding/binary"
	"fmt"

	"github.com/hongyan-im/hongyan/internal/store"
)

// clock is the server's time as its records tell it: the wall clock, but never earlier than any time it has told
// before, over restarts too. The deduplication window depends on it.
type clock struct{ told, kept int64 } // Unix milliseconds

const (
	metaClock  = "clock"
	clockEvery = 60_000 // ms between two writes of the clock; so much it may step back after a crash, within the hour
)

func (c *clock) load(r store.Reader) error {
	raw, err := store.Meta.Get(r, metaClock)
	switch {
	case err != nil || raw == nil:
		return err
	case len(*raw) != 8:
		return fmt.Errorf("inbox: the clock's record is damaged: %x", *raw)
	}
	c.kept = int64(binary.BigEndian.Uint64(*raw))
	c.told = c.kept
	return nil
}

func (c *clock) tick(tx *store.Tx, nowMS int64) int64 {
	c.told = max(c.told, nowMS)
	if c.told >= c.kept+clockEvery || hourOf(c.told) != hourOf(c.kept) {
		c.kept = c.told
		raw := binary.BigEndian.AppendUint64(nil, uint64(c.told))
		store.Meta.Put(tx, metaClock, &raw)
	}
	return c.told
}
