package auth

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var testRule = rule{free: 3, step: 10 * time.Minute}

func ledgerKey(i int) (key [16]byte) {
	binary.BigEndian.PutUint64(key[:], uint64(i))
	return key
}

// plainLedger counts the same with a scan over numbers of failures that shrink with time.
type plainLedger struct {
	rule
	records map[int]*plainRecord
}

type plainRecord struct {
	failures float64 // at last
	last     time.Duration
}

func (l *plainLedger) left(i int, at time.Duration) float64 {
	r := l.records[i]
	if r == nil {
		return 0
	}
	return max(0, r.failures-float64(at-r.last)/float64(l.step))
}

func (l *plainLedger) charge(i int, at time.Duration) {
	l.records[i] = &plainRecord{l.left(i, at) + 1, at}
}

func (l *plainLedger) wait(i int, at time.Duration) time.Duration {
	r := l.records[i]
	if r == nil {
		return 0
	}
	beyond := math.Ceil(r.failures-1e-9) - float64(l.free)
	if beyond <= 0 {
		return 0
	}
	wait := min(float64(l.step), math.Exp2(beyond-1)*float64(firstWait))
	return max(0, r.last+time.Duration(wait)-at)
}

// Whatever is charged and cleared in whatever order, the ledger with room for all agrees with the plain one.
func TestLedgerAgainstPlainOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		l := newLedger(testRule, 100)
		plain := &plainLedger{testRule, make(map[int]*plainRecord)}
		at := time.Duration(0)
		for range 500 {
			at += time.Duration(random.ExpFloat64() * float64(5*time.Second))
			if random.IntN(50) == 0 {
				at += time.Duration(random.Int64N(int64(2 * time.Hour)))
			}
			i := random.IntN(8)
			got, want := l.wait(ledgerKey(i), at), plain.wait(i, at)
			if diff := got - want; diff < -time.Microsecond || diff > time.Microsecond {
				t.Fatalf("seed %d, at %v: %d waits %v, want %v", seed, at, i, got, want)
			}
			switch random.IntN(10) {
			case 0:
				l.forget(ledgerKey(i))
				delete(plain.records, i)
			default:
				l.charge(ledgerKey(i), at)
				plain.charge(i, at)
			}
		}
	}
}

func TestLedgerRemovesTheOneThatIsClearFirst(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 2))
		l := newLedger(testRule, 16)
		at := time.Duration(0)
		for range 500 {
			at += time.Duration(random.Int64N(int64(time.Minute)))
			key := ledgerKey(random.IntN(40))
			before := make(map[[16]byte]time.Duration)
			for k, r := range l.records {
				before[k] = r.clear
			}
			switch random.IntN(8) {
			case 0:
				l.forget(key)
			case 1:
				l.refund(key, at)
			default:
				l.charge(key, at)
			}
			if len(l.records) > 16 || len(l.records) != len(l.order) {
				t.Fatalf("seed %d: %d records, %d in order", seed, len(l.records), len(l.order))
			}
			for k, clear := range before {
				if l.records[k] != nil || k == key || clear <= at {
					continue
				}
				for other, r := range l.records { // k was pushed out: nothing that stayed may be clear before it
					if other != key && r.clear < clear {
						t.Fatalf("seed %d: removed a record clear at %v and kept one clear at %v", seed, clear, r.clear)
					}
				}
				if l.floor < clear {
					t.Fatalf("seed %d: removed a record clear at %v, floor is %v", seed, clear, l.floor)
				}
			}
			for i, r := range l.order {
				if r.index != i || l.records[r.key] != r {
					t.Fatalf("seed %d: order and records disagree", seed)
				}
			}
		}
	}
}

// A flood of names or addresses does not free an attacker of the penalty.
func TestFloodDoesNotPushOutAPenalty(t *testing.T) {
	t.Parallel()
	const limit = 1000
	l := newLedger(testRule, limit)
	attacker := ledgerKey(-1)
	for range testRule.free + 5 {
		l.charge(attacker, 0)
	}
	before := l.wait(attacker, 0)
	if before < 16*time.Second {
		t.Fatalf("wait is %v", before)
	}
	for i := range 20 * limit {
		l.charge(ledgerKey(i), 0)
	}
	if got := l.wait(attacker, 0); got != before {
		t.Errorf("wait is %v after the flood, was %v", got, before)
	}
}

// Even a flood that does push the record out wins no free failures.
func TestNewcomersOfASaturatedLedger(t *testing.T) {
	t.Parallel()
	const limit = 100
	l := newLedger(testRule, limit)
	for i := range limit {
		for range 10 {
			l.charge(ledgerKey(i), 0)
		}
	}
	newcomer := ledgerKey(-1)
	if got := l.wait(newcomer, 0); got != 0 {
		t.Errorf("the first attempt of a newcomer has to wait %v", got)
	}
	l.charge(newcomer, 0)
	if got := l.wait(newcomer, 0); got != firstWait {
		t.Errorf("the second attempt has to wait %v, want %v", got, firstWait)
	}
	if len(l.records) != limit {
		t.Errorf("%d records, want %d", len(l.records), limit)
	}
	// Once what was pushed out is forgiven, so is the suspicion.
	late := 10*testRule.step + 1
	other := ledgerKey(-2)
	for range testRule.free {
		l.charge(other, late)
	}
	if got := l.wait(other, late); got != 0 {
		t.Errorf("long after, a newcomer has to wait %v", got)
	}
}

func TestLedgerShrinks(t *testing.T) {
	t.Parallel()
	l := newLedger(testRule, 1000)
	for i := range 1000 {
		l.charge(ledgerKey(i), 0)
	}
	for range 1000 {
		l.charge(ledgerKey(-1), time.Hour)
		l.forget(ledgerKey(-1))
	}
	if len(l.records) != 0 {
		t.Errorf("%d records left of those that are clear", len(l.records))
	}
}

func TestWaitNeverOverflows(t *testing.T) {
	t.Parallel()
	l := newLedger(testRule, 10)
	for range 10_000 {
		l.charge(ledgerKey(1), 0)
	}
	if got := l.wait(ledgerKey(1), 0); got != testRule.step {
		t.Errorf("wait is %v, want the cap", got)
	}
}
