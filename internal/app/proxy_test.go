package app

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// TestTrustedProxy: what a proxy says of its clients decides what they may do, if it is trusted; what others say of
// themselves never lets them do more.
func TestTrustedProxy(t *testing.T) {
	const login = `{"name":"nobody","password":"wrong-password","device":{"name":"x","class":"BOT"}}`
	for _, tt := range []struct {
		name    string
		trusted []string
		headers []string
		code    string // of a login
		metrics int
		socket  bool // a WebSocket may say who it is
	}{
		{"loopback itself", nil, nil, "BAD_CREDENTIALS", 200, true},
		{"the proxy itself", []string{"127.0.0.0/8"}, nil, "BAD_CREDENTIALS", 200, true},
		{"nobody is trusted", nil, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "http"}, "BAD_CREDENTIALS", 200, true},
		{"another is trusted", []string{"10.0.0.0/8"}, []string{"X-Forwarded-For", "198.51.100.1"}, "BAD_CREDENTIALS", 200, true},
		{"in the clear", []string{"127.0.0.1"}, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "http"}, "TLS_REQUIRED", 403, false},
		{"encrypted", []string{"127.0.0.1"}, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "https"}, "BAD_CREDENTIALS", 403, true},
		{"by RFC 7239", []string{"127.0.0.1"}, []string{"Forwarded", "for=198.51.100.1;proto=https"}, "BAD_CREDENTIALS", 403, true},
		{"playing loopback", []string{"127.0.0.1"}, []string{"X-Forwarded-For", "127.0.0.1, 198.51.100.1"}, "TLS_REQUIRED", 403, false},
		{"being loopback", []string{"127.0.0.1"}, []string{"X-Forwarded-For", "127.0.0.1"}, "TLS_REQUIRED", 403, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := start(t, t.TempDir(), func(c *config.Config) { c.HTTP.TrustedProxies = tt.trusted })
			base := "http://" + s.Addrs()[0]
			do := func(method, path, body string) (int, string) {
				r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if body != "" {
					r.Header.Set("Content-Type", "application/json")
				}
				for i := 0; i < len(tt.headers); i += 2 {
					r.Header.Set(tt.headers[i], tt.headers[i+1])
				}
				answer, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				text, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				return answer.StatusCode, string(text)
			}
			if _, text := do("POST", "/v1/login", login); !strings.Contains(text, `"`+tt.code+`"`) {
				t.Errorf("a login was answered with %s", text)
			}
			wrong := "UNAUTHENTICATED"
			if tt.code == "TLS_REQUIRED" {
				wrong = tt.code
			}
			if _, text := do("GET", "/v1/sync?waitMs=1&ticket=", ""); !strings.Contains(text, "UNAUTHENTICATED") {
				t.Errorf("a poll without a token was answered with %s", text)
			}
			tt.headers = append(tt.headers, "Authorization", "Bearer hya_x")
			if _, text := do("GET", "/v1/sync?waitMs=1", ""); !strings.Contains(text, wrong) {
				t.Errorf("a poll was answered with %s", text)
			}
			if status, _ := do("GET", "/metrics", ""); status != tt.metrics {
				t.Errorf("the metrics were answered with %d", status)
			}
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
			if got := linkAllowed(t, s, tt.headers); got != tt.socket {
				t.Errorf("over WebSocket it may say who it is: %v", got)
			}
		})
	}
}

// linkAllowed opens a long link over WebSocket and reports whether a login there is refused for its password alone.
func linkAllowed(t *testing.T, s *Server, headers []string) bool {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	hello := ws.Hello{Host: "127.0.0.1", Target: LinkPath, Protocols: []string{"hongyan.v1.json"}}
	for i := 0; i < len(headers); i += 2 {
		hello.Fields = append(hello.Fields, ws.Field{Name: headers[i], Value: headers[i+1]})
	}
	request, err := hello.AppendRequest(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := ws.Key(1)
	text := `{"op":2,"seq":1,"body":{"name":"nobody","password":"wrong-password","device":{"name":"x","class":"BOT"}}}`
	request = ws.AppendMessage(request, ws.Text, []byte(text), &key)
	if _, err := nc.Write(request); err != nil {
		t.Fatal(err)
	}
	var got string
	buf := make([]byte, 4096)
	for !strings.Contains(got, `"seq":1`) && !strings.Contains(got, `"op":31`) {
		n, err := nc.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got += string(buf[:n])
	}
	if !strings.Contains(got, "BAD_CREDENTIALS") && !strings.Contains(got, "TLS_REQUIRED") {
		t.Fatalf("the server answered %q", got)
	}
	return strings.Contains(got, "BAD_CREDENTIALS")
}
