package e2e

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// TestHalfOpen lets the network swallow every packet of two devices, one in the clear and one over TLS, so that nobody ever
// says goodbye, and has somebody write to them. The server notices by their silence and frees all that it has of them,
// whatever carries them.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	const idle = 30 * time.Second // the shortest that can be set
	for _, carrier := range []string{"reactor", "goroutine"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			inNamespace(t, func(t *testing.T) {
				host := becomeHost(t, 192, 0, 2, 1)
				s := newServerAt(t, host, t.TempDir(), "--tls.allow_plain", "--limits.idle", idle.String(), "--carrier", carrier)
				s.addUser("alice")
				encrypted, err := client.Dial(t.Context(), s.addr, client.DialOptions{Pin: s.pin()})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(encrypted.Close)
				plain := s.plain(t)
				for name, c := range map[string]*client.Conn{"plain": plain, "encrypted": encrypted} {
					login := &wire.LoginRequest{
						Name: "alice", Password: "alice-secret",
						Device: wire.FromDevice(hongyan.Device{Name: name, Class: hongyan.ClassBot}),
					}
					if err := c.Do(t.Context(), wire.OpLogin, login, new(wire.LoginReply)); err != nil {
						t.Fatal(err)
					}
				}
				operator := s.operator()
				sessions := func() (devices, all uint32) {
					r := new(wire.StatusReply)
					if err := operator.Do(t.Context(), wire.OpStatus, &wire.StatusRequest{}, r); err != nil {
						t.Fatal(err)
					}
					return r.Sessions, r.Connections
				}
				before, connections := sessions()
				if before != 2 {
					t.Fatalf("%d devices are connected", before)
				}
				netfilter(t, "ip daddr "+host+" drop")
				began := time.Now()
				token := new(wire.MintTokenReply) // which the account's devices are told of
				if err := operator.Do(t.Context(), wire.OpMintToken, &wire.MintTokenRequest{
					Name: "alice", Device: wire.FromDevice(hongyan.Device{Name: "third", Class: hongyan.ClassBot}),
				}, token); err != nil {
					t.Fatal(err)
				}
				for {
					devices, all := sessions()
					if devices == 0 && all == connections-2 {
						break
					}
					if time.Since(began) > hang {
						t.Fatalf("%d devices and %d connections are left after %v", devices, all, time.Since(began))
					}
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(began); took < idle/2 {
					t.Errorf("they were freed after %v, though they might have come back", took)
				} else {
					t.Logf("freed %v after the last packet, idle is %v", took, idle)
				}
				if err := plain.Err(); err != nil {
					t.Errorf("the device knows of it: %v", err)
				}
			})
		})
	}
}
