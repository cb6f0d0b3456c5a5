package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/app"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a server",
		Long: `Run a server until it is told to stop by SIGTERM or SIGINT (Ctrl-C). It then asks its clients to come back, finishes
what it has accepted, and ends; a second signal ends it at once, which loses nothing that was acknowledged.

Every setting is a flag, a variable of the environment (--tls.cert is HONGYAN_TLS_CERT) and a line of the configuration
file that hongyan config prints. A flag wins over the environment, the environment over the file.`,
		Example: `  hongyan serve --data D --listen 127.0.0.1:7878
  hongyan serve --config /etc/hongyan.toml`,
		Args: cobra.NoArgs,
	}
	load := configFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := load()
		if err != nil {
			return err
		}
		return serve(c.Context(), settings, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func serve(ctx context.Context, c config.Config, out, errs io.Writer) error {
	var err error
	if c.Data, err = filepath.Abs(cmp.Or(c.Data, config.DefaultData())); err != nil {
		return err
	}
	log := newLogger(c.Log, errs)
	s, err := app.New(c, log)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" {
		return cannotListen(op)
	}
	if err != nil {
		return withHint(err, "hongyan doctor, with the same flags, examines this machine")
	}
	log.Info("serving", "data", c.Data, "listen", s.Addrs(), "pin", s.Pin())
	if err := greetFirst(ctx, out, c.Data, s); err != nil {
		s.Close()
		return err
	}
	return s.Run(ctx)
}

// cannotListen says what keeps the server from an address.
func cannotListen(op *net.OpError) error {
	cause := op.Err
	if e, ok := errors.AsType[*os.SyscallError](cause); ok {
		cause = e.Err // without the name of the call
	}
	err := fmt.Errorf("cannot listen on %s: %w", op.Addr, cause)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return withHint(err, "another program listens there: end it, or choose another address with --listen")
	case errors.Is(err, fs.ErrPermission):
		return withHint(err, "ports below 1024 are for root and for those with CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd)")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return withHint(err, "this machine has no such address: name one of its own with --listen, or none before the port for all")
	}
	return withHint(err, "hongyan doctor, with the same flags, examines this machine")
}

// greetFirst says what to do next if nobody has an account yet.
func greetFirst(ctx context.Context, out io.Writer, data string, s *app.Server) error {
	one, first := &wire.ListAccountsRequest{Limit: 1}, new(wire.ListAccountsReply)
	o := operator{data: data}
	if err := o.ask(ctx, wire.OpListAccounts, one, first); err != nil || len(first.Accounts) > 0 {
		return err
	}
	return greet(out, data, s.Addrs()[0], s.Pin())
}

func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		panic(err) // config.Load lets four words through, and all are levels
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// greet says what to do with a server that has no accounts yet, in lines to be copied: the program is called as it was
// called.
func greet(w io.Writer, data, address, pin string) error {
	elsewhere := ""
	if local := reachable(address); local != address {
		elsewhere = fmt.Sprintf(`
From other machines log in with this machine's name instead of %s, and with
  --pin %s
`, local, pin)
	}
	_, err := fmt.Fprintf(w, `
This is a new server; its data is in %[1]s. Chat in a browser on this machine:

  http://%[3]s/

Or make two accounts, in another terminal:

  %[5]s user add alice --data %[2]s
  %[5]s user add bob --data %[2]s

Log in as each, with a profile of its own, and talk:

  %[5]s login --server %[3]s --user alice --profile alice
  %[5]s login --server %[3]s --user bob --profile bob
  %[5]s send --profile alice --to bob "hello"
  %[5]s chat --profile bob
%[4]s
`, data, shellQuote(data), reachable(address), elsewhere, shellQuote(os.Args[0]))
	return err
}
