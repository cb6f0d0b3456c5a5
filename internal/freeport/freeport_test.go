package freeport

import (
	"net"
	"strings"
	"testing"
)

func TestReserve(t *testing.T) {
	at, release, err := Reserve("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if c, err := net.Dial("tcp", at); err == nil {
		t.Errorf("%s is reserved, and answers", at)
		c.Close()
	}
	for range 3 { // as a server that comes back does, while the end of its connections still lingers
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted.Close() // the side that closes first lingers in TIME-WAIT
		c.Close()
		l.Close()
	}
}

func TestReserveNothing(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "no free port on 192.0.2.1", "::1": "not an IPv4 address", "localhost": "localhost",
	} {
		if _, _, err := Reserve(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
