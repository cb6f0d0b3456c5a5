package auth

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// MaxTracked is how many pairs, how many accounts and how many networks a Throttle remembers, each. One takes about
// 110 bytes, so a full Throttle holds about 20 MiB.
const MaxTracked = 1 << 16

// What each kind of record allows. An account's penalty begins only beyond what one network can inflict on it: a pair
// whose penalty has grown to the full step fails once per step, which is as fast as the account is forgiven, and 17
// times until it gets there. So guesses from one network do not delay logins from another.
var (
	pairRule    = rule{free: 5, step: 15 * time.Minute}
	accountRule = rule{free: 32, step: 15 * time.Minute}
	networkRule = rule{free: 32, step: time.Minute}
)

// Throttle slows down guessing. It counts failed attempts in three records: of the account, of the network that the
// guesses come from, and of the pair of both. Each record grants some failures, then asks for a wait that doubles
// from a second with each further one, up to its cap.
//
// An attempt has to wait for all three, with one exception: a known pair, a network from which the account has
// logged in before, waits for its own record alone. Guesses from everywhere at once are slowed by the account's
// record, guesses at many accounts by the network's, and neither keeps a person out at home, where only guesses
// from that very network count.
//
// The caller knows which pairs are known from its own records of devices, which outlive the process. Networks are
// as Network groups addresses. Memory is bounded by MaxTracked; see ledger for why a flood of names or addresses
// wins nothing. A Throttle may be used from several goroutines.
type Throttle struct {
	mu       sync.Mutex
	start    time.Time
	latest   time.Duration // since start, of the latest call
	pairs    *ledger
	accounts *ledger
	networks *ledger
}

// NewThrottle returns a Throttle without records. Pass the unaltered result of time.Now to it and to its methods:
// they measure spans by the monotonic reading in it, so that setting the clock neither forgives nor prolongs a
// penalty.
func NewThrottle(now time.Time) *Throttle {
	return &Throttle{
		start:    now,
		pairs:    newLedger(pairRule, MaxTracked),
		accounts: newLedger(accountRule, MaxTracked),
		networks: newLedger(networkRule, MaxTracked),
	}
}

// Network returns the network that addr is counted under: the address itself for IPv4, also when mapped into IPv6,
// and the /64 for IPv6, which is what one subscriber has at the least. The caller stores it with a device to tell
// known pairs.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits) // bits fits, so there is no error; the zero Addr gives the zero Prefix
	return network
}

// Allow asks whether a password for account, by its canonical name, may be tried from addr; known says that the
// account has logged in from Network(addr) before. Call it for every name, with known false where no such account
// exists, so that penalties do not tell which names are taken.
//
// If ok, the attempt counts as failed from now on, so that guesses made in parallel do not all slip through before
// the first verdict; Success or Cancel take that back, and after a wrong password nothing is left to do. If not ok,
// it may be tried after wait, and nothing was counted. An empty account leaves the network's record alone to decide,
// for secrets that name no account, such as codes.
func (t *Throttle) Allow(now time.Time, account string, addr netip.Addr, known bool) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, key := t.since(now), keysFor(account, addr)
	if account != "" {
		wait = t.pairs.wait(key.pair, at)
	}
	if account == "" || !known {
		wait = max(wait, t.networks.wait(key.network, at))
	}
	if account != "" && !known {
		wait = max(wait, t.accounts.wait(key.account, at))
	}
	if wait > 0 {
		return wait, false
	}
	t.networks.charge(key.network, at)
	if account != "" {
		t.pairs.charge(key.pair, at)
		t.accounts.charge(key.account, at)
	}
	return 0, true
}

// Success ends an attempt that Allow let through with the right password. It clears the penalty of the account and
// of the pair. To the network it gives back only what this attempt cost: whoever owns one account would otherwise
// buy free guesses at all others with it.
func (t *Throttle) Success(now time.Time, account string, addr netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, key := t.since(now), keysFor(account, addr)
	t.networks.refund(key.network, at)
	if account != "" {
		t.pairs.forget(key.pair)
		t.accounts.forget(key.account)
	}
}

// Cancel ends an attempt that Allow let through and that got no verdict, for instance because the Hasher was busy.
// It gives back what the attempt cost.
func (t *Throttle) Cancel(now time.Time, account string, addr netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, key := t.since(now), keysFor(account, addr)
	t.networks.refund(key.network, at)
	if account != "" {
		t.pairs.refund(key.pair, at)
		t.accounts.refund(key.account, at)
	}
}

// Tracked returns how many pairs, accounts and networks are remembered, for metrics.
func (t *Throttle) Tracked() (pairs, accounts, networks int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.pairs.records), len(t.accounts.records), len(t.networks.records)
}

// since returns the time of a call as the ledgers count it. Calls that overtake each other on the way to the lock
// must not turn it back.
func (t *Throttle) since(now time.Time) time.Duration {
	t.latest = max(t.latest, now.Sub(t.start))
	return t.latest
}

// keys are what an attempt is recorded under.
type keys struct {
	pair, account, network [16]byte
}

func keysFor(account string, addr netip.Addr) keys {
	network := Network(addr)
	return keys{
		pair:    recordKey(account, network),
		account: recordKey(account, netip.Prefix{}),
		network: recordKey("", network),
	}
}

// recordKey hashes what a record is about, so that every key has the same size, whatever a client sends as a name,
// and no name is kept.
func recordKey(account string, network netip.Prefix) (key [16]byte) {
	b := make([]byte, 0, 128)
	b = network.AppendTo(b) // never contains a zero byte
	b = append(b, 0)
	b = append(b, account...)
	sum := sha256.Sum256(b)
	copy(key[:], sum[:])
	return key
}
