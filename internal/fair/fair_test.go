package fair

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

var begin = time.UnixMilli(1_700_000_000_000)

// order runs jobs, each of which takes some time, until none can, and returns whose they were.
func order(q *Queue, now *time.Time, took time.Duration) (who []hongyan.UserID) {
	for {
		j, ok := q.Next(*now)
		if !ok {
			return who
		}
		*now = now.Add(took)
		q.Done(j, took, *now)
		who = append(who, j.who)
	}
}

func push(t *testing.T, q *Queue, who hongyan.UserID, n int) {
	t.Helper()
	for range n {
		if !q.Push(who, func() {}) {
			t.Fatalf("no room for account %d", who)
		}
	}
}

func TestLinesTakeTurns(t *testing.T) {
	t.Parallel()
	q, now := New(Limits{Waiting: 100, Line: 100, Behind: 1}), begin
	push(t, q, 1, 50)
	push(t, q, 2, 3)
	push(t, q, 3, 2)
	got := order(q, &now, time.Microsecond)
	want := []hongyan.UserID{1, 2, 3, 1, 2, 3, 1, 2, 1, 1}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the turns were %v", got[:len(want)])
		}
	}
	if len(got) != 55 || q.Waiting() != 0 || len(q.lines) != 0 {
		t.Errorf("%d ran, %d wait in %d lines", len(got), q.Waiting(), len(q.lines))
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	q := New(Limits{Waiting: 10, Line: 4, Behind: 1})
	push(t, q, 1, 4)
	if q.Push(1, func() {}) {
		t.Error("a line takes more than its limit")
	}
	push(t, q, 2, 4)
	push(t, q, 3, 2)
	if q.Push(4, func() {}) {
		t.Error("the queue takes more than its limit")
	}
	if _, ok := q.Next(begin); !ok || !q.Push(4, func() {}) {
		t.Error("a job that runs still waits")
	}
}

// Who takes all the time goes behind, comes at last all the same, and is forgiven when it has been quiet.
func TestWhoTakesMuchGoesBehind(t *testing.T) {
	t.Parallel()
	q, now := New(Limits{Waiting: 1000, Line: 1000, Behind: 1}), begin
	push(t, q, 1, 500)
	for range 30 {
		j, _ := q.Next(now)
		now = now.Add(10 * time.Millisecond)
		q.Done(j, 10*time.Millisecond, now)
	}
	push(t, q, 2, 100)
	between := 0
	for seen := 0; seen < 100; {
		j, ok := q.Next(now)
		if !ok {
			t.Fatal("nobody's turn")
		}
		if j.who == 2 {
			seen++
		} else {
			between++
		}
		q.Done(j, 100*time.Microsecond, now)
		now = now.Add(100 * time.Microsecond)
	}
	if between == 0 || between > 100/(everySo-1)+1 {
		t.Errorf("among 100 jobs of the other account came %d", between)
	}
	if q.Behind() != 1 {
		t.Errorf("%d accounts are behind", q.Behind())
	}
	order(q, &now, 0)
	now = now.Add(10 * time.Second)
	push(t, q, 1, 4)
	push(t, q, 2, 4)
	if got := order(q, &now, time.Microsecond); got[0] != 1 || got[1] != 2 || got[2] != 1 {
		t.Errorf("10 s later the turns were %v", got)
	}
}

// Few jobs of those who are behind run at a time, and nobody in particular never is.
func TestBehindIsBounded(t *testing.T) {
	t.Parallel()
	q, now := New(Limits{Waiting: 1000, Line: 1000, Behind: 2}), begin
	for who := range hongyan.UserID(6) {
		push(t, q, who, 1)
	}
	for {
		j, ok := q.Next(now)
		if !ok {
			break
		}
		q.Done(j, time.Second, now)
	}
	for who := range hongyan.UserID(6) {
		push(t, q, who, 2)
	}
	var running []Job
	for {
		j, ok := q.Next(now)
		if !ok {
			break
		}
		running = append(running, j)
	}
	if len(running) != 4 { // two of account 0
		t.Fatalf("%d run", len(running))
	}
	for _, j := range running {
		if j.who != 0 {
			q.Done(j, time.Second, now)
			break
		}
	}
	if _, ok := q.Next(now); !ok {
		t.Error("when one has ended there is no turn for the next")
	}
}

// TestNothingIsLost pushes and takes at random: every job runs once, and those of an account in their order.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	q, now := New(Limits{Waiting: 300, Line: 60, Behind: 2}), begin
	pushed, ran := map[hongyan.UserID]int{}, map[hongyan.UserID]int{}
	var running []Job
	for step := range 50_000 {
		now = now.Add(time.Duration(r.IntN(2000)) * time.Microsecond)
		switch who := hongyan.UserID(r.IntN(12)); {
		case r.IntN(2) == 0 && step < 40_000:
			n := pushed[who]
			if q.Push(who, func() {
				if ran[who] != n {
					t.Fatalf("job %d of account %d ran as %d", n, who, ran[who])
				}
				ran[who]++
			}) {
				pushed[who]++
			}
		case len(running) > 0 && r.IntN(2) == 0:
			i := r.IntN(len(running))
			q.Done(running[i], time.Duration(r.IntN(int(who)*8000+1))*time.Microsecond, now)
			running = append(running[:i], running[i+1:]...)
		default:
			if j, ok := q.Next(now); ok {
				j.Run()
				running = append(running, j)
			}
		}
	}
	for who, n := range pushed {
		if ran[who] != n {
			t.Errorf("of %d jobs of account %d %d ran", n, who, ran[who])
		}
	}
	if q.Waiting() != 0 || len(q.lines) != 0 {
		t.Errorf("%d wait in %d lines", q.Waiting(), len(q.lines))
	}
}

func BenchmarkQueue(b *testing.B) {
	q, now := New(Limits{Waiting: 4096, Line: 512, Behind: 1}), begin
	job := func() {}
	b.ReportAllocs()
	for i := range b.N {
		q.Push(hongyan.UserID(i%100+1), job)
		j, _ := q.Next(now)
		now = now.Add(10 * time.Microsecond)
		q.Done(j, 10*time.Microsecond, now)
	}
}
