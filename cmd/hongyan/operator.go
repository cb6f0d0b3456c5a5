package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

// operator asks a running server on this machine for what only its operator may do.
type operator struct{ data string }

// operatorFlags adds --data.
func operatorFlags(c *cobra.Command) *operator {
	o := new(operator)
	c.Flags().StringVar(&o.data, "data", "", "data `directory` of the running server (environment: HONGYAN_DATA; default as for serve)")
	return o
}

// ask makes one request over the admin socket of the server.
func (o *operator) ask(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	data := cmp.Or(o.data, os.Getenv("HONGYAN_DATA"), config.DefaultData())
	conn, err := client.Dial(ctx, "unix:"+config.AdminSocket(data), client.DialOptions{})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return withHint(fmt.Errorf("no server runs on %s", data),
			"start it with: hongyan serve --data %s, or name the directory of the one that runs with --data", data)
	case errors.Is(err, fs.ErrPermission):
		return withHint(err, "run this as the user of the server, or as root")
	case err != nil:
		return err
	}
	defer conn.Close()
	return conn.Do(ctx, op, request, reply)
}
