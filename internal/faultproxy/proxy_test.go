package faultproxy

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const hang = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is an echo server behind a proxy, and what the server has accepted.
func rig(t *testing.T) (*Proxy, chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
			go io.Copy(c, c)
		}
	}()
	p, err := Listen(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		l.Close()
		<-ended
		close(accepted)
		for c := range accepted {
			c.Close()
		}
	})
	return p, accepted
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(hang)); err != nil {
		t.Fatal(err)
	}
	return c
}

// echo sends a word and reads it back.
func echo(c net.Conn, word string) error {
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	back := make([]byte, len(word))
	if _, err := io.ReadFull(c, back); err != nil {
		return err
	}
	if string(back) != word {
		return errors.New("came back as " + string(back))
	}
	return nil
}

func TestReset(t *testing.T) {
	t.Parallel()
	p, accepted := rig(t)
	c := dial(t, p)
	if err := echo(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if n := p.Reset(1); n != 1 {
		t.Errorf("%d connections were reset", n)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client's side: %v", err)
	}
	if err := ended(<-accepted); err != nil {
		t.Errorf("the server's side: %v", err)
	}
	if err := echo(dial(t, p), "again"); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

// ended waits for the end of a connection that something else reads.
func ended(c net.Conn) error {
	for begin := time.Now(); time.Since(begin) < hang; time.Sleep(time.Millisecond) {
		if _, err := c.Write([]byte("x")); err != nil {
			return nil
		}
	}
	return errors.New("goes on")
}

// TestHalfOpen breaks connections until both kinds have come: one whose client is deceived, and one whose server is.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	p, accepted := rig(t)
	var kinds [2]bool
	for begin := time.Now(); !kinds[0] || !kinds[1]; {
		if time.Since(begin) > hang {
			t.Fatal("one side is never deceived")
		}
		c := dial(t, p)
		if err := echo(c, "hello"); err != nil {
			t.Fatal(err)
		}
		far := <-accepted
		if n := p.HalfOpen(1); n != 1 {
			t.Fatalf("%d connections were broken", n)
		}
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			kinds[0] = true
			if _, err := far.Write([]byte("into the void")); err != nil {
				t.Errorf("the server's side was told: %v", err)
			}
		} else {
			kinds[1] = true
			if _, err := c.Write([]byte("into the void")); err != nil {
				t.Errorf("the client's side was told: %v", err)
			}
			if err := ended(far); err != nil {
				t.Errorf("the server's side: %v", err)
			}
		}
		p.Heal()
		if err := ended(c); err != nil {
			t.Errorf("after the end of it: %v", err)
		}
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	p, _ := rig(t)
	c := dial(t, p)
	if err := echo(c, "before"); err != nil {
		t.Fatal(err)
	}
	p.Stall()
	if _, err := io.WriteString(c, "held"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 4)
	if n, err := c.Read(back); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q came during the stall: %v", back[:n], err)
	}
	p.Resume()
	if err := c.SetReadDeadline(time.Now().Add(hang)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, back); err != nil || string(back) != "held" {
		t.Errorf("%q came after it: %v", back, err)
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p, _ := rig(t)
	old := dial(t, p)
	if err := echo(old, "before"); err != nil {
		t.Fatal(err)
	}
	p.Refuse()
	if err := echo(dial(t, p), "new"); err == nil {
		t.Error("a new connection works")
	}
	if err := echo(old, "old"); err != nil {
		t.Errorf("an old connection: %v", err)
	}
	p.Resume()
	if err := echo(dial(t, p), "after"); err != nil {
		t.Error(err)
	}
}

func TestCrawl(t *testing.T) {
	t.Parallel()
	p, _ := rig(t)
	c := dial(t, p)
	p.Crawl()
	begin := time.Now()
	if err := echo(c, string(make([]byte, 50*crawlChunk))); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 50*crawlRest {
		t.Errorf("%d bytes took %v", 50*crawlChunk, took)
	}
}
