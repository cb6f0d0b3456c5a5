package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

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
	c.Flags().StringVar(&o.data, "data", "",
		"data `directory` of the running server (environment: HONGYAN_DATA; default as for serve)")
	return o
}

// A server that was started a moment ago, in the line before, has so long to come up.
const (
	startWait = 3 * time.Second
	startLook = 20 * time.Millisecond
)

// ask makes one request over the admin socket of the server.
func (o *operator) ask(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	conn, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Do(ctx, op, request, reply)
}

// connect opens a connection to the admin socket.
func (o *operator) connect(ctx context.Context) (*client.Conn, error) {
	conn, err := dialOperator(ctx, o.socket())
	switch {
	case absent(err):
		return nil, withHint(fmt.Errorf("no server runs on %s", o.dir()),
			"start it with: hongyan serve --data %s, or name the directory of the one that runs with --data", shellQuote(o.dir()))
	case errors.Is(err, fs.ErrPermission):
		return nil, withHint(err, "run this as the user of the server, or as root")
	}
	return conn, err
}

// dir is the data directory of the server.
func (o *operator) dir() string {
	return cmp.Or(o.data, os.Getenv("HONGYAN_DATA"), config.DefaultData())
}

func (o *operator) socket() string { return config.AdminSocket(o.dir()) }

func dialOperator(ctx context.Context, socket string) (*client.Conn, error) {
	for start := time.Now(); ; {
		conn, err := client.Dial(ctx, "unix:"+socket, client.DialOptions{})
		if !absent(err) || time.Since(start) > startWait {
			return conn, err
		}
		select {
		case <-time.After(startLook):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// absent reports whether nobody listens on a socket.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
