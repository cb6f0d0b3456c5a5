package client

import (
	"context"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// PendingLogin is a device that asks to be let into this account by the code that it shows.
type PendingLogin struct {
	Device  hongyan.Device // name and class
	Address string         // of the network that the request came from, as the server saw it
	AskedMS int64          // Unix milliseconds
}

// ReadLogin reads who shows a code, and tells that device that it was read: show the answer to whoever decides, then call
// AnswerLogin. NotFound says that the code is over, Forbidden that somebody else has read it.
func (c *Client) ReadLogin(ctx context.Context, code string) (PendingLogin, error) {
	reply, err := request[wire.ReadLoginReply](ctx, c, wire.OpReadLogin, &wire.ReadLoginRequest{Code: code})
	if err != nil {
		return PendingLogin{}, err
	}
	device, err := wire.ToDevice(reply.Device)
	return PendingLogin{Device: device, Address: reply.Address, AskedMS: reply.AskedMs}, err
}

// AnswerLogin lets a device in whose code was read by ReadLogin, or not.
func (c *Client) AnswerLogin(ctx context.Context, code string, accept bool) error {
	_, err := request[wire.AnswerLoginReply](ctx, c, wire.OpAnswerLogin, &wire.AnswerLoginRequest{Code: code, Accept: accept})
	return err
}
