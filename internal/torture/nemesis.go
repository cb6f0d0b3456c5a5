package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// Fault names a kind of trouble.
type Fault string

// The faults.
const (
	KillServer  Fault = "kill the server"
	DrainServer Fault = "drain the server"
	StopServer  Fault = "stop the server" // SIGSTOP, and SIGCONT after a while
	KillClients Fault = "kill clients"
	StopClients Fault = "stop clients"
	ResetLinks  Fault = "reset connections"
	HalfOpen    Fault = "half-open connections"
	StallLinks  Fault = "stall a network"
	RefuseLinks Fault = "refuse connections"
	CrawlLinks  Fault = "slow a network"
	FullDisk    Fault = "full disk"
)

// nemesis breaks things, as its seed says.
type nemesis struct {
	server  *server
	clients []*clients
	disk    *filler // nil if the disk may not be filled
	counts  *counts
}

// counts counts faults.
type counts struct {
	mu sync.Mutex
	of map[Fault]int
}

func (c *counts) add(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[f]++
}

func (c *counts) sum() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.of {
		n += times
	}
	return n
}

// Each of the two hands of the nemesis rests so long, on average, before it breaks the next thing.
const (
	processRest = 2500 * time.Millisecond
	networkRest = 1500 * time.Millisecond
)

// rage breaks things until the context ends, and repairs the last ones then. The error is that of a process that does not
// come up again, or that has ended by itself.
func (n *nemesis) rage(ctx context.Context, seed uint64) error {
	var hands sync.WaitGroup
	var failed error
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	hands.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 1))
		for rest(ctx, wait(rng, processRest)); ctx.Err() == nil; rest(ctx, wait(rng, processRest)) {
			if err := n.strikeProcess(ctx, rng); err != nil {
				failed = err
				giveUp()
				return
			}
		}
	})
	hands.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 2))
		for rest(ctx, wait(rng, networkRest)); ctx.Err() == nil; rest(ctx, wait(rng, networkRest)) {
			n.strikeNetwork(ctx, rng)
		}
	})
	hands.Wait()
	if failed != nil {
		return failed
	}
	return n.dead()
}

// wait draws a pause.
func wait(rng *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(rng.ExpFloat64(), 4) * float64(mean))
}

func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)+1))
}

// dead returns how a process has ended that nobody has killed.
func (n *nemesis) dead() error {
	if !n.server.running() {
		return n.server.failure()
	}
	for _, c := range n.clients {
		if !c.running() {
			return c.failure()
		}
	}
	return nil
}

func (n *nemesis) strikeProcess(ctx context.Context, rng *rand.Rand) error {
	if err := n.dead(); err != nil {
		return err
	}
	c := n.clients[rng.IntN(len(n.clients))]
	switch k := rng.IntN(100); {
	case k < 35:
		n.counts.add(KillServer)
		n.server.kill()
		rest(ctx, between(rng, 0, time.Second))
		return n.server.run(context.WithoutCancel(ctx))
	case k < 40:
		n.counts.add(DrainServer)
		n.server.signal(syscall.SIGTERM)
		select {
		case <-n.server.end():
		case <-time.After(hang):
			n.server.kill()
			return n.server.failure()
		}
		return n.server.run(context.WithoutCancel(ctx))
	case k < 50:
		n.counts.add(StopServer)
		pause(ctx, &n.server.process, between(rng, 100*time.Millisecond, 3*time.Second))
	case k < 85:
		n.counts.add(KillClients)
		c.kill()
		rest(ctx, between(rng, 0, time.Second))
		return c.run()
	case k < 95 || n.disk == nil:
		n.counts.add(StopClients)
		// Longer than a server waits for anything but silence, so that it has given up what this process asked for.
		pause(ctx, &c.process, between(rng, 100*time.Millisecond, 10*time.Second))
	default:
		n.counts.add(FullDisk)
		return n.fillDisk(ctx, rng)
	}
	return nil
}

// pause stops a process for a while.
func pause(ctx context.Context, p *process, d time.Duration) {
	p.signal(syscall.SIGSTOP)
	rest(ctx, d)
	p.signal(syscall.SIGCONT)
}

func (n *nemesis) strikeNetwork(ctx context.Context, rng *rand.Rand) {
	p := n.clients[rng.IntN(len(n.clients))].proxy
	share := []float64{0.2, 0.5, 1}[rng.IntN(3)]
	switch rng.IntN(5) {
	case 0:
		n.counts.add(ResetLinks)
		p.Reset(share)
	case 1:
		n.counts.add(HalfOpen)
		p.HalfOpen(share)
	case 2:
		n.counts.add(StallLinks)
		p.Stall()
		rest(ctx, between(rng, 200*time.Millisecond, 10*time.Second))
	case 3:
		n.counts.add(RefuseLinks)
		p.Refuse()
		rest(ctx, between(rng, 200*time.Millisecond, 3*time.Second))
	case 4:
		n.counts.add(CrawlLinks)
		p.Crawl()
		rest(ctx, between(rng, 200*time.Millisecond, 4*time.Second))
	}
	p.Resume()
}

// fillDisk fills the disk until the server has noticed, and makes room again. A server that could not write has ended.
func (n *nemesis) fillDisk(ctx context.Context, rng *rand.Rand) error {
	if err := n.disk.fill(rng.Int64N(4 << 20)); err != nil {
		return err
	}
	rest(ctx, between(rng, 500*time.Millisecond, 4*time.Second))
	if err := n.disk.empty(); err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		switch {
		case !n.server.running():
			return n.server.run(context.WithoutCancel(ctx))
		case n.server.healthy(context.WithoutCancel(ctx)):
			return nil
		case time.Since(begin) > hang:
			return fmt.Errorf("the server neither works nor ends after its disk was full; its last words: %s", n.server.log.String())
		}
	}
}
