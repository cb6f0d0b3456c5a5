package client

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// relay carries connections from one address to another.
func relay(t *testing.T, at, to string) {
	t.Helper()
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			carry := func(a, b net.Conn) {
				buf := make([]byte, 4096)
				for {
					n, err := a.Read(buf)
					if _, werr := b.Write(buf[:n]); err != nil || werr != nil {
						a.Close()
						b.Close()
						return
					}
				}
			}
			work.Go(func() { carry(in, out) })
			work.Go(func() { carry(out, in) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		work.Wait()
	})
}

// TestReturnsToABetterWay: a place of the list that was shut at first is used when it opens, without losing anything.
func TestReturnsToABetterWay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	shut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	best := netip.MustParseAddrPort(shut.Addr().String())
	shut.Close()
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	bob := register(t, s, "bob", Options{})
	alice.searchPause = 20 * time.Millisecond
	place := listedPlace{Host: "127.0.0.1", Port: best.Port(), Priority: 1, Weight: 1, Transports: []string{"tcp"}}
	if err := alice.network.believe(&placeList{Addresses: []listedPlace{place}, TTLMS: 3_600_000}, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	start(t, alice)
	online := func(address string) func([]Event) bool {
		return count(func(e LinkEvent) bool {
			return e.Link.Online && e.Link.Address == address && e.Link.Transport == "tcp"
		})
	}
	w.until(t, "the given address", online(s.addr()))
	relay(t, best.String(), s.addr())
	w.until(t, "the better one", online(best.String()))
	const text = "over the better way"
	if _, err := bob.Send(within(t), ToName("alice"), hongyan.Text(text)); err != nil {
		t.Fatal(err)
	}
	w.untilText(t, text)
}
