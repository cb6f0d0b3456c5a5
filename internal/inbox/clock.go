package inbox

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/hongyan-im/hongyan/internal/store"
)

// clock is the server's time as its records tell it: the wall clock, but never earlier than any time it has told
// before, over restarts too. The deduplication window depends on it.
type clock struct {
	told atomic.Int64 // Unix milliseconds; changed by rounds alone, read by anybody
	kept int64
}

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
	c.told.Store(c.kept)
	return nil
}

func (c *clock) tick(tx *store.Tx, nowMS int64) int64 {
	told := c.at(nowMS)
	c.told.Store(told)
	if told >= c.kept+clockEvery || hourOf(told) != hourOf(c.kept) {
		c.kept = told
		raw := binary.BigEndian.AppendUint64(nil, uint64(told))
		store.Meta.Put(tx, metaClock, &raw)
	}
	return told
}

// at is what the clock would tell now.
func (c *clock) at(nowMS int64) int64 { return max(c.told.Load(), nowMS) }

// Clock is the time by which rounds stamp what they write and judge first attempts: nowMS, the machine's, but never
// earlier than any time that a round has told. Clients have to go by this one. It may be called from any goroutine.
func (e *Engine) Clock(nowMS int64) int64 { return e.clock.at(nowMS) }
