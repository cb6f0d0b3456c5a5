package client

import (
	"context"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// AskContact asks the account of a name to become a contact. If it has asked already, both are contacts at once.
func (c *Client) AskContact(ctx context.Context, name, note string) (hongyan.Contact, error) {
	return c.contact(request[wire.AskContactReply](ctx, c, wire.OpAskContact,
		&wire.AskContactRequest{Target: &wire.AskName{Name: name}, Note: note}))
}

// AnswerContact accepts or declines to become a contact.
func (c *Client) AnswerContact(ctx context.Context, u hongyan.UserID, accept bool) (hongyan.Contact, error) {
	return c.contact(request[wire.AnswerContactReply](ctx, c, wire.OpAnswerContact,
		&wire.AnswerContactRequest{User: uint64(u), Accept: accept}))
}

// ContactChange is what an account may change about how it sees another. What is nil stays.
type ContactChange struct {
	Remark  *string // this account's own name for the other
	Blocked *bool
}

// SetContact sets the remark for an account, or blocks it.
func (c *Client) SetContact(ctx context.Context, u hongyan.UserID, change ContactChange) (hongyan.Contact, error) {
	return c.contact(request[wire.SetContactReply](ctx, c, wire.OpSetContact,
		&wire.SetContactRequest{User: uint64(u), Remark: change.Remark, Blocked: change.Blocked}))
}

// RemoveContact ends a contact, on both sides. The conversation stays.
func (c *Client) RemoveContact(ctx context.Context, u hongyan.UserID) error {
	_, err := request[wire.RemoveContactReply](ctx, c, wire.OpRemoveContact, &wire.RemoveContactRequest{User: uint64(u)})
	return err
}

// contact reads the contact of an answer.
func (c *Client) contact(reply interface{ GetContact() *wire.Contact }, err error) (hongyan.Contact, error) {
	if err != nil {
		return hongyan.Contact{}, err
	}
	return wire.ToContact(reply.GetContact())
}
