package client

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestConnectThrough asks proxies of several kinds for a tunnel.
func TestConnectThrough(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, tt := range map[string]struct {
		user   string
		answer string // empty: a tunnel
		want   string // of the error
	}{
		"a tunnel":           {"", "", ""},
		"with a password":    {"me:secret@", "", ""},
		"forbidden":          {"", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "status 403"},
		"no HTTP":            {"", "SSH-2.0\n", "no HTTP"},
		"a cut":              {"", "HTTP/1.1 200", "EOF"},
		"speaks for nobody":  {"", "HTTP/1.1 200 OK\r\n\r\nhello", "speaks where"},
		"not over http, ftp": {"ftp", "", "none that is asked over http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			asked := make(chan string, 1)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				in := bufio.NewReader(nc)
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				asked <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization")
				if tt.answer != "" {
					_, _ = io.WriteString(nc, tt.answer)
					return
				}
				out, err := net.Dial("tcp", r.RequestURI)
				if err != nil {
					return
				}
				_, _ = io.WriteString(nc, "HTTP/1.1 200 Connection established\r\n\r\n")
				go func() { _, _ = io.Copy(nc, out); nc.Close() }()
				_, _ = io.Copy(out, in)
				out.Close()
			}()
			defer func() { ln.Close(); <-ended }()
			proxy := &url.URL{Scheme: "http", Host: ln.Addr().String()}
			switch user, password, ok := strings.Cut(strings.TrimSuffix(tt.user, "@"), ":"); {
			case ok:
				proxy.User = url.UserPassword(user, password)
			case user != "":
				proxy.Scheme = user
			}
			nc, err := connectThrough(within(t), proxy, s.addr())
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			c := NewConn(nc, nil)
			beat(t, c)
			c.Close()
			want := "CONNECT " + s.addr() + " "
			if proxy.User != nil {
				want += "Basic bWU6c2VjcmV0"
			}
			if got := <-asked; got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
		})
	}
}
