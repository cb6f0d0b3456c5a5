package client

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
)

// Outbox returns the messages that wait or have failed, in the order in which they were sent. If another process is
// sending for long, the error is a *LockedError.
func (c *Client) Outbox(ctx context.Context) (items []OutboxItem, err error) {
	err = c.withOutbox(ctx, func() error {
		waiting, err := c.box.list(bucketWaiting, MaxOutbox)
		if err != nil {
			return err
		}
		failed, err := c.box.list(bucketFailed, MaxOutbox)
		items = append(waiting, failed...)
		return err
	})
	slices.SortStableFunc(items, func(a, b core.Item) int { return cmp.Compare(a.QueuedMS, b.QueuedMS) })
	return items, err
}

// Resend sends a failed message again, under the same id, and returns like Send. It refuses with TooLate if the server
// might have accepted the message too long ago to recognise it: only a person can tell, and may choose ResendAsNew.
func (c *Client) Resend(ctx context.Context, id hongyan.ClientID) (Sent, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	err := c.withOutbox(ctx, func() error {
		it, err := c.failed(id)
		if err != nil {
			return err
		}
		if err := it.Renew(c.serverMS()); err != nil {
			return err
		}
		return c.enqueue(it)
	})
	if err != nil {
		return Sent{}, err
	}
	return c.await(ctx, id)
}

// ResendAsNew sends the content of a failed message as a new one, which may be a repetition of what has arrived after
// all. It returns like Send; the failed message is gone.
func (c *Client) ResendAsNew(ctx context.Context, id hongyan.ClientID) (Sent, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	it := core.Item{ID: newClientID(), State: core.Waiting, QueuedMS: time.Now().UnixMilli()}
	err := c.withOutbox(ctx, func() error {
		old, err := c.failed(id)
		if err != nil {
			return err
		}
		it.Target, it.Content = old.Target, old.Content
		// In this order a crash between the two leaves a failed message too many, not one too few.
		if err := c.enqueue(it); err != nil {
			return err
		}
		return c.box.remove(id)
	})
	if err != nil {
		return Sent{}, err
	}
	return c.await(ctx, it.ID)
}

// Discard takes a failed message out of the outbox.
func (c *Client) Discard(ctx context.Context, id hongyan.ClientID) error {
	return c.withOutbox(ctx, func() error {
		if _, err := c.failed(id); err != nil {
			return err
		}
		return c.box.remove(id)
	})
}

// failed returns a failed message of the outbox.
func (c *Client) failed(id hongyan.ClientID) (core.Item, error) {
	it, ok, err := c.box.get(id)
	switch {
	case err != nil:
		return it, err
	case !ok:
		return it, hongyan.Errorf(hongyan.NotFound, "there is no such message in the outbox")
	case it.State != core.Failed:
		return it, hongyan.Errorf(hongyan.Conflict, "the message has not failed")
	}
	return it, nil
}
