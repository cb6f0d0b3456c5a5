package app

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan"
)

func TestReads(t *testing.T) {
	t.Parallel()
	r := newReads()
	// Everybody who works is kept, so that the rest waits.
	busy, release := 2*runtime.GOMAXPROCS(0)+2, make(chan struct{})
	started := make(chan struct{})
	for range busy {
		if err := r.run(1, func() { started <- struct{}{}; <-release }); err != nil {
			t.Fatal(err)
		}
		<-started
	}
	var ran atomic.Int64
	job := func() { ran.Add(1) }
	accepted := map[hongyan.UserID]int{}
	for who := range hongyan.UserID(4) {
		for {
			if err := r.run(who, job); err != nil {
				if hongyan.CodeOf(err) != hongyan.Busy {
					t.Fatal(err)
				}
				break
			}
			accepted[who]++
		}
	}
	if accepted[0] != waitingReads/2 || accepted[1] != waitingReads/2 || accepted[2]+accepted[3] != 0 {
		t.Errorf("of each account wait %v", accepted)
	}
	if n, _ := r.waiting(); n != waitingReads {
		t.Errorf("%d wait", n)
	}
	close(release)
	r.close()
	if n := ran.Load(); n != waitingReads {
		t.Errorf("%d of %d ran before the end", n, waitingReads)
	}
	if err := r.run(1, job); hongyan.CodeOf(err) != hongyan.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}
