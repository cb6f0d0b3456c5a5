package client

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
)

func heldOutbox(t *testing.T) *outbox {
	t.Helper()
	o := newOutbox(t.TempDir())
	if err := o.acquire(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.release)
	return o
}

func item(n int) core.Item {
	var id hongyan.ClientID
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return core.Item{ID: id, State: core.Waiting, Content: hongyan.Text("x"), Target: ToName("bob")}
}

func numbers(t *testing.T, items []core.Item, err error) []int {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var list []int
	for _, it := range items {
		list = append(list, int(binary.BigEndian.Uint64(it.ID[:])))
	}
	return list
}

func TestOutboxStore(t *testing.T) {
	t.Parallel()
	o := heldOutbox(t)
	for n := range 5 {
		if err := o.add(item(n)); err != nil {
			t.Fatal(err)
		}
	}
	done, bad, stamped := item(0), item(2), item(1)
	done.State, done.Result = core.Sent, core.Result{Ordinal: 7, Conversation: hongyan.Direct(1, 2)}
	bad.State, bad.Code, bad.Message = core.Failed, hongyan.Muted, "muted"
	stamped.FirstAttemptMS = 99
	if err := o.save([]core.Item{done, bad, stamped}); err != nil {
		t.Fatal(err)
	}
	waiting, err := o.waiting(10)
	if got := numbers(t, waiting, err); !slices.Equal(got, []int{1, 3, 4}) || waiting[0].FirstAttemptMS != 99 {
		t.Errorf("waiting are %v", got)
	}
	waiting, err = o.waiting(2)
	if got := numbers(t, waiting, err); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("the first two are %v", got)
	}
	if it, ok, err := o.get(done.ID); err != nil || !ok || it.Result != done.Result || it.Content.Text != "" {
		t.Errorf("sent is %+v, %v, %v", it, ok, err)
	}
	if it, ok, err := o.get(bad.ID); err != nil || !ok || it.Code != hongyan.Muted || it.Content.Text != "x" {
		t.Errorf("failed is %+v, %v, %v", it, ok, err)
	}
	bad.State = core.Waiting
	if err := o.add(bad); err != nil { // behind what waits
		t.Fatal(err)
	}
	waiting, err = o.waiting(10)
	if got := numbers(t, waiting, err); !slices.Equal(got, []int{1, 3, 4, 2}) {
		t.Errorf("waiting are %v", got)
	}
	for range 2 {
		if err := o.remove(bad.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := o.get(bad.ID); ok || err != nil {
		t.Errorf("it is still there, %v", err)
	}
	if err := o.save([]core.Item{item(77)}); err == nil {
		t.Error("an item that was never added was saved")
	}
}

// TestOutboxBounds: results are kept for a while only, and what waits has a limit.
func TestOutboxBounds(t *testing.T) {
	t.Parallel()
	o := heldOutbox(t)
	o.db.NoSync = true
	const n = maxSentRecords + 20
	var items []core.Item
	for i := range n {
		it := item(i)
		if err := o.add(it); err != nil {
			t.Fatal(err)
		}
		it.State = core.Sent
		items = append(items, it)
	}
	if err := o.save(items); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]bool{0: false, 19: false, 20: true, n - 1: true} {
		if _, ok, err := o.get(item(i).ID); ok != want || err != nil {
			t.Errorf("the result of message %d is there: %v, %v", i, ok, err)
		}
	}
	err := o.db.Update(func(tx *bbolt.Tx) error {
		for i := range MaxOutbox {
			if err := place(tx, [][]byte{bucketWaiting, bucketFailed}[i%2], item(n+i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.add(item(1_000_000)); hongyan.CodeOf(err) != hongyan.TooMany {
		t.Errorf("got %v", err)
	}
}

func TestOutboxTurns(t *testing.T) {
	t.Parallel()
	o := newOutbox(t.TempDir())
	o.turn <- struct{}{} // somebody is opening it
	ctx, cancel := context.WithCancelCause(within(t))
	enough := errors.New("enough")
	cancel(enough)
	if err := o.acquire(ctx); err != enough {
		t.Errorf("got %v", err)
	}
	var locked *LockedError
	ctx, end := context.WithTimeout(within(t), 1)
	defer end()
	if err := o.acquire(ctx); !errors.As(err, &locked) {
		t.Errorf("got %v", err)
	}
	<-o.turn
	for range 3 {
		if err := o.acquire(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	o.release()
	o.release()
	if o.db == nil {
		t.Error("closed while it was held")
	}
	o.release()
	if o.db != nil {
		t.Error("open though nobody holds it")
	}
}
