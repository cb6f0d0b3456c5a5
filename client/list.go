package client

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// When the list of addresses is asked for.
const (
	listMin   = time.Minute        // a list is kept at least so long,
	listMax   = 7 * 24 * time.Hour // and at most so long, whatever it says
	listRetry = 10 * time.Minute   // after a failure

	// A link has been up for a moment before the list is asked for: a server that everybody comes back to has other things
	// to do first.
	listAfterMin = time.Second
	listAfterMax = 5 * time.Second

	listTime = 20 * time.Second // for the answer
)

// keepPlaces keeps the server's list of addresses fresh until the context ends. It asks by the route of the link, where a
// server is known to be.
func (c *Client) keepPlaces(ctx context.Context) {
	var notBefore time.Time
	for ctx.Err() == nil {
		if s, _, _ := c.line.wait(ctx, true); s == nil || s.route.Host == "" {
			return
		}
		kept := c.network.known()
		now := time.Now()
		at := now.Add(listAfterMin + rand.N(listAfterMax-listAfterMin))
		for _, other := range []time.Time{kept.due(now), notBefore} {
			if other.After(at) {
				at = other
			}
		}
		if sleepUntil(ctx, at) != nil {
			return
		}
		s, _, _ := c.line.wait(ctx, true)
		if s == nil {
			return
		}
		if err := c.fetchPlaces(ctx, s); err != nil {
			notBefore = time.Now().Add(listRetry)
		}
	}
}

// fetchPlaces asks for the list of addresses and keeps it.
func (c *Client) fetchPlaces(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	var list placeList
	err := c.short(ctx, s, func(base string, client *http.Client) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"addresses", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := readShort(response)
		if err != nil {
			return err
		}
		return json.Unmarshal(body, &list)
	})
	if err != nil {
		return fmt.Errorf("the list of addresses: %w", err)
	}
	return c.network.believe(&list, s.secure, time.Now())
}

// short makes requests of the short link by the route of a session.
func (c *Client) short(ctx context.Context, s *session, ask func(base string, client *http.Client) error) error {
	o := c.opts.Dial
	o.Pin, o.TrustFirst = pinOf(o, c.credentials()), nil // who is trusted is known by now
	r := s.route
	client := newShortClient(func(ctx context.Context) (net.Conn, error) {
		return o.reach(ctx, r.Host, addressOf(r), s.secure, func() {})
	})
	defer client.CloseIdleConnections()
	return ask(shortBase(nameOf(r), s.secure), client)
}
