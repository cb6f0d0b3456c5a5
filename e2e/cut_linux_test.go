package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// cutHost is the server of the tests that cut networks, as another machine sees it.
const (
	cutName = "chat.test"
	cutHost = "192.0.2.1"
)

// cuts are what may be cut between client and server.
var cuts = []struct {
	name string
	rule string
}{
	{"dns", "udp dport 53"},
	{"80", "tcp dport 80"},
	{"8080", "tcp dport 8080"},
	{"443", "tcp dport 443"},
	{"14000", "tcp dport 14000"},
}

// verdicts are how it is cut: packets vanish, or somebody says no.
var verdicts = []string{"drop", "reject"}

// TestCutPorts cuts names and the four TCP ports in all 32 combinations, in both ways. Whenever one TCP port is open a
// client that knows nothing but a name and a built-in address logs in, sends and receives. With none it keeps what is to
// be sent, says so, offers a report, and comes back by itself.
func TestCutPorts(t *testing.T) {
	t.Parallel()
	const networks = 6
	for network := range networks {
		t.Run(fmt.Sprint("network ", network), func(t *testing.T) {
			t.Parallel()
			inNamespace(t, func(t *testing.T) {
				n := newCutNetwork(t)
				for i := network; i < len(verdicts)<<len(cuts); i += networks {
					n.try(i&(1<<len(cuts)-1), verdicts[i>>len(cuts)])
				}
			})
		})
	}
}

// cutNetwork is a network of two hosts, and two people: bob on the server's own machine, alice on the other.
type cutNetwork struct {
	t      *testing.T
	server *server
	bob    *client.Client
	told   inbound
	alice  string // her profile, from before anything was cut
	n      int    // messages
}

func newCutNetwork(t *testing.T) *cutNetwork {
	t.Helper()
	becomeHost(t, 192, 0, 2, 1)
	answerNames(t, netip.MustParseAddr(cutHost))
	n := &cutNetwork{t: t, server: newServerListening(t, "127.0.0.1:8080", "well-known", t.TempDir())}
	n.server.addUser("alice", "bob")
	n.bob = n.server.login("bob", n.told.on)
	run(t, n.bob)
	n.alice = filepath.Join(t.TempDir(), "alice")
	c, err := client.Login(t.Context(), n.alice, cutName, "alice", "alice-secret", n.options(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *cutNetwork) options(on func(client.Event)) client.Options {
	return client.Options{
		OnEvent: func(e client.Event) error {
			if on != nil {
				on(e)
			}
			return nil
		},
		Dial:      client.DialOptions{Pin: n.server.pin()},
		Addresses: []client.Address{{Host: cutName, IPs: []netip.Addr{netip.MustParseAddr(cutHost)}}},
	}
}

// cut replaces what is cut.
func (n *cutNetwork) cut(mask int, verdict string) {
	n.t.Helper()
	var rules []string
	for i, c := range cuts {
		if mask>>i&1 == 1 {
			rules = append(rules, "ip daddr "+cutHost+" "+c.rule+" "+verdict)
		}
	}
	netfilter(n.t, rules...)
}

// try cuts, and has alice and bob talk.
func (n *cutNetwork) try(mask int, verdict string) {
	t := n.t
	n.cut(mask, verdict)
	dir := filepath.Join(t.TempDir(), "alice")
	if err := os.CopyFS(dir, os.DirFS(n.alice)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "network.json")); err != nil { // she knows nothing, as on the first day
		t.Fatal(err)
	}
	var told inbound
	events := newLinkEvents()
	alice, err := client.Open(dir, n.options(func(e client.Event) {
		told.on(e)
		events.on(e)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer alice.Close()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	stop, end := context.WithCancel(ctx)
	defer end()
	began := time.Now()
	running.Go(func() {
		if err := alice.Run(stop); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	row := fmt.Sprintf("%-6s %-24s", verdict, cutList(mask))
	if mask>>1 == 1<<(len(cuts)-1)-1 {
		row += n.heal(ctx, alice, events)
	}
	n.n++
	sent, err := alice.Send(ctx, client.ToName("bob"), hongyan.Text(numbered("alice", n.n)))
	if err != nil {
		t.Fatalf("%s: %v", row, err)
	}
	took := time.Since(began)
	n.told.waitFor(t, []client.Sent{sent})
	answer, err := n.bob.Send(ctx, client.ToName("alice"), hongyan.Text(numbered("bob", n.n)))
	if err != nil {
		t.Fatal(err)
	}
	told.waitFor(t, []client.Sent{answer})
	t.Logf("%s sent after %5d ms, answered after %5d ms, by %s to %s", row, took.Milliseconds(),
		time.Since(began).Milliseconds(), alice.Link().Transport, alice.Link().Address)
}

// heal has alice write while everything is shut, and opens the network when she is offered a report, which she sends.
func (n *cutNetwork) heal(ctx context.Context, alice *client.Client, events *linkEvents) string {
	t := n.t
	t.Helper()
	n.n++
	id, err := alice.Queue(ctx, client.ToName("bob"), hongyan.Text(numbered("alice", n.n)))
	if err != nil {
		t.Fatal(err)
	}
	var offer client.Report
	select {
	case offer = <-events.report:
	case <-ctx.Done():
		t.Fatal("no report was offered")
	}
	link := alice.Link()
	waits, err := alice.Outbox(ctx)
	if err != nil || len(waits) != 1 || waits[0].ID != id || waits[0].State != client.StateWaiting {
		t.Errorf("the outbox holds %v, %v", waits, err)
	}
	if link.Online || link.Err == nil || events.online() || offer.Waiting != 1 || len(offer.Attempts) == 0 {
		t.Errorf("the link is %+v, the offer %+v", link, offer)
	}
	reported := make(chan error, 1)
	go func() {
		_, err := alice.SendReport(ctx, offer)
		reported <- err
	}()
	n.cut(0, verdicts[0])
	healed := time.Now()
	for ; !slices.ContainsFunc(n.told.messages(), func(m hongyan.Message) bool { return m.ClientID == id }); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatal("what waited was never sent")
		}
	}
	sent := time.Since(healed)
	if err := <-reported; err != nil {
		t.Errorf("the report: %v", err)
	}
	return fmt.Sprintf(" all shut: healed, sent %d ms and reported %d ms later;", sent.Milliseconds(), time.Since(healed).Milliseconds())
}

// linkEvents are what a client says of its connection.
type linkEvents struct {
	report chan client.Report

	mu  sync.Mutex
	was bool
}

func newLinkEvents() *linkEvents { return &linkEvents{report: make(chan client.Report, 1)} }

func (l *linkEvents) on(e client.Event) {
	switch e := e.(type) {
	case client.ReportEvent:
		select {
		case l.report <- e.Report:
		default:
		}
	case client.LinkEvent:
		l.mu.Lock()
		l.was = l.was || e.Link.Online
		l.mu.Unlock()
	}
}

// online reports whether there ever was a link.
func (l *linkEvents) online() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.was
}

func cutList(mask int) string {
	var names []string
	for i, c := range cuts {
		if mask>>i&1 == 1 {
			names = append(names, c.name)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}

// answerNames answers every question for an IPv4 address (RFC 1035) with ip, and has this machine ask there.
func answerNames(t *testing.T, ip netip.Addr) {
	t.Helper()
	pc, err := net.ListenPacket("udp", net.JoinHostPort(ip.String(), "53"))
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answerName(buf[:n], ip); reply != nil {
				_, _ = pc.WriteTo(reply, from)
			}
		}
	})
	t.Cleanup(func() {
		pc.Close()
		answering.Wait()
	})
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver "+ip.String()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount("/etc/resolv.conf", syscall.MNT_DETACH) })
}

// answerName makes the answer to a query of one question, nil if it is none.
func answerName(query []byte, ip netip.Addr) []byte {
	const header = 12
	end := header
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	if end > len(query) {
		return nil
	}
	reply := append([]byte(nil), query[:end]...)
	reply[2], reply[3] = 0x85, 0x80        // an answer, with authority
	copy(reply[4:header], make([]byte, 8)) // counts
	reply[5] = 1                           // of questions
	if kind := [2]byte(query[end-4:]); kind == [2]byte{0, 1} {
		reply[7] = 1 // and of answers
		reply = append(reply, 0xC0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		reply = append(reply, ip.AsSlice()...)
	}
	return reply
}
