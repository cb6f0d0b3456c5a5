package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// fill writes a file until leave bytes are free, or nothing is.
func fill(t *testing.T, dir string, leave int64) (path string) {
	t.Helper()
	path = filepath.Join(dir, "filler")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		if int64(st.Bavail)*st.Bsize <= leave {
			return path
		}
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return path
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// attempt sends once, without the outbox that would try again.
func attempt(t *testing.T, c *client.Conn, text string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	id := hongyan.ClientID{}
	copy(id[:], text)
	return c.Do(ctx, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToName{Name: "bob"}, ClientId: id[:], FirstAttemptMs: time.Now().UnixMilli(),
		Content: wire.FromContent(hongyan.Text(text)),
	}, new(wire.SendReply))
}

func (s *server) conn(name string) *client.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), hang)
	defer cancel()
	c, err := client.Dial(ctx, s.addr, client.DialOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	login := &wire.LoginRequest{Name: name, Password: name + "-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassBot})}
	if err := c.Do(ctx, wire.OpLogin, login, new(wire.LoginReply)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// TestDiskRunsLow: below the low-water mark senders get a clear error that they can retry, readers go on, and when
// there is room again the same messages are accepted.
func TestDiskRunsLow(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		disk := smallDisk(t, "512")
		s := newServer(t, filepath.Join(disk, "data"), "--storage.low_water", "100MiB")
		s.addUser("alice", "bob")
		alice := s.conn("alice")
		if err := attempt(t, alice, "before"); err != nil {
			t.Fatal(err)
		}
		filler := fill(t, disk, 50<<20)
		tries := 0
		waitUntil(t, func() bool { // the server looks at its disk every second
			tries++
			return hongyan.CodeOf(attempt(t, alice, fmt.Sprintf("filling %d", tries))) == hongyan.StorageLow
		})
		refused := fmt.Sprintf("filling %d", tries)
		var refusal *hongyan.Error
		if err := attempt(t, alice, refused); !errors.As(err, &refusal) || !refusal.Code.Retryable() || refusal.RetryAfter == 0 {
			t.Errorf("the refusal is no invitation to retry: %v", err)
		}
		if st := s.status(); st.Sending || st.RefusedBecause == "" {
			t.Errorf("status says %v", st)
		}
		var told inbound
		syncNow(t, s.login("bob", told.on)) // a login and a sync are still possible
		if got := told.messages(); len(got) != tries || got[0].Content.Text != "before" {
			t.Errorf("bob has %v, want %d messages", got, tries)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, func() bool { return attempt(t, alice, refused) == nil })
	})
}

// TestDiskIsFull: when the disk is full all the same, the server acknowledges nothing more and exits with an error. When
// there is room again everything acknowledged is there.
func TestDiskIsFull(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		disk := smallDisk(t, "256")
		s := newServer(t, filepath.Join(disk, "data"), "--storage.low_water", "0B")
		s.addUser("alice", "bob")
		alice := s.login("alice", nil)
		run(t, alice)
		var acked outbound
		stop, cancel := context.WithCancel(t.Context())
		sending := make(chan struct{})
		go func() {
			defer close(sending)
			for n := 1; stop.Err() == nil; n++ {
				ctx, done := context.WithTimeout(context.Background(), hang)
				sent, err := alice.Send(ctx, client.ToName("bob"), hongyan.Text(numbered("alice", n)))
				done()
				if err != nil {
					t.Errorf("message %d: %v", n, err)
					return
				}
				acked.add(sent)
			}
		}()
		waitUntil(t, func() bool { return len(acked.sent()) > 50 })
		filler := fill(t, disk, 0)
		select {
		case err := <-s.exited:
			if err == nil {
				t.Error("the server ended without an error")
			}
		case <-time.After(hang):
			t.Fatal("the server goes on with a full disk")
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		s.start()
		before := len(acked.sent())
		waitUntil(t, func() bool { return len(acked.sent()) > before+20 })
		cancel()
		<-sending
		var told inbound
		syncNow(t, s.login("bob", told.on))
		checkHistory(t, "bob", told.messages(), acked.sent())
		t.Logf("%d messages acknowledged, %d of them before the disk was full", len(acked.sent()), before)
	})
}

func waitUntil(t *testing.T, true func() bool) {
	t.Helper()
	for begin := time.Now(); !true(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > hang {
			t.Fatal("this does not happen")
		}
	}
}
