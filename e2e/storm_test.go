package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/client"

	"github.com/hongyan-im/hongyan"
)

// TestServerKilledInAStorm sends from several devices to one account and to a group while the server is killed again and
// again. Whatever was acknowledged must be there once and in order: for the device that was connected all the time, for
// a member of the group, and for a device that logs in afterwards.
func TestServerKilledInAStorm(t *testing.T) {
	const senders, kills = 4, 20
	s := newServer(t, t.TempDir())
	var names []string
	for i := range senders {
		names = append(names, fmt.Sprintf("sender%d", i))
	}
	s.addUser(append(names, "bob")...)

	var told inbound
	bob := s.login("bob", told.on)
	run(t, bob)
	var clients []*client.Client
	for _, name := range names {
		c := s.login(name, nil)
		run(t, c)
		clients = append(clients, c)
	}
	group, err := clients[0].CreateGroup(t.Context(), client.NewGroup{Title: "storm", Names: append(names[1:], "bob")})
	if err != nil {
		t.Fatal(err)
	}
	targets := []client.Target{client.ToName("bob"), client.ToConversation(hongyan.GroupConversation(group.ID))}

	var acked outbound
	stop, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for i, c := range clients {
		sending.Go(func() {
			for n := 1; stop.Err() == nil; n++ {
				ctx, done := context.WithTimeout(context.Background(), hang)
				sent, err := c.Send(ctx, targets[n%2], hongyan.Text(numbered(names[i], n)))
				done()
				if err != nil {
					t.Errorf("%s: message %d: %v", names[i], n, err)
					return
				}
				acked.add(sent)
			}
		})
	}
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		s.kill()
		s.start()
	}
	cancel()
	sending.Wait()
	told.waitFor(t, acked.sent())
	checkHistory(t, "the device that was there", told.messages(), acked.sent())

	var later inbound
	fresh := s.login("bob", later.on)
	syncNow(t, fresh)
	checkHistory(t, "a device that came later", later.messages(), acked.sent())

	var member inbound
	syncNow(t, s.login(names[0], member.on))
	var inGroup []client.Sent
	for _, sent := range acked.sent() {
		if sent.Conversation == hongyan.GroupConversation(group.ID) {
			inGroup = append(inGroup, sent)
		}
	}
	checkHistory(t, "a member of the group", member.messages(), inGroup)
	t.Logf("%d messages acknowledged over %d kills", len(acked.sent()), kills)
}

func syncNow(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	if err := c.Sync(ctx); err != nil {
		t.Fatal(err)
	}
}
