package session

import "time"

// What a connection may ask for. More is not refused: the connection is not read for as long as it takes.
const (
	Rate       = 300      // requests a second, for long
	Burst      = 4 * Rate // requests at once, after a silence
	AnswerUnit = 16 << 10 // bytes of an answer that count as one more request
	WasteCost  = 50       // what a request counts for that was refused, or while nobody has said who is there
)

// budget is what a connection has asked for lately: a bucket that leaks Rate requests a second.
type budget struct {
	level float32
	at    time.Time // when the level was that
}

// pass lets out what leaks until now.
func (b *budget) pass(now time.Time) {
	if since := now.Sub(b.at); since > 0 {
		b.level = max(0, b.level-Rate*float32(since.Seconds()))
		b.at = now
	}
}

// rest is until when nothing more is to be read; the zero Time: it may be at once.
func (b *budget) rest() time.Time {
	if b.level <= Burst {
		return time.Time{}
	}
	return b.at.Add(time.Duration((b.level - Burst) / Rate * float32(time.Second)))
}
