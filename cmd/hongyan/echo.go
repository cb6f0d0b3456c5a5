package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/memory"
	service "github.com/hongyan-im/hongyan/server"
)

// Limits of the echo. Test suites send messages of 16 MiB, and broadcasts are to reach slow subscribers too.
const (
	echoMessage = 17 << 20
	echoQueue   = 1 << 20
	echoDrain   = 3 * time.Second
)

func serveEchoCommand() *cobra.Command {
	var listen []string
	carrier := string(config.Default().Carrier)
	c := &cobra.Command{
		Use:   "serve-echo",
		Short: "Run an echo to measure or to test",
		Long: `Run a bare WebSocket echo until it is told to stop: on any path it sends every message back, with permessage-deflate
where the client offers it, and every frame of the long link over TCP. What is sent to /pub goes to everybody connected
to /sub. It asks nobody who they are: use it on loopback.`,
		Example: `  hongyan bench serve-echo --listen 127.0.0.1:9001
  hongyan bench serve-echo --listen 127.0.0.1:9001 --carrier goroutine`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringSliceVar(&listen, "listen", []string{"127.0.0.1:9001"}, "addresses to listen on")
	c.Flags().StringVar(&carrier, "carrier", carrier, "what carries connections: reactor or goroutine")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch carrier {
		case string(config.CarrierReactor), string(config.CarrierGoroutine):
		default:
			return wrongUse(c, fmt.Errorf("--carrier is reactor or goroutine, not %q", carrier))
		}
		s, err := service.Listen(echo(listen, carrier == string(config.CarrierGoroutine)))
		if err != nil {
			return err
		}
		defer s.Close()
		for _, addr := range s.Addrs() {
			fmt.Fprintf(c.OutOrStdout(), "ws://%s\n", addr)
		}
		memory.Tidy(c.Context(), func() uint64 {
			received, sent := s.Traffic()
			return received + sent
		})
		ctx, cancel := context.WithTimeout(context.Background(), echoDrain)
		defer cancel()
		_ = s.Drain(ctx) // who does not go is cut off
		return nil
	}
	return c
}

// echo is the service behind serve-echo.
func echo(listen []string, goroutines bool) service.Config {
	type role int
	const (
		echoes role = iota
		subscriber
		publisher
	)
	subscribers := new(service.Group)
	return service.Config{
		Listen: listen, Goroutines: goroutines, Origins: []string{"*"}, Protocols: []string{"echo"}, Compress: true,
		MaxMessage: echoMessage, MaxQueue: echoQueue,
		Open: func(c *service.Conn, r *service.Request) error {
			switch r.Path() {
			case "/sub":
				c.Value = subscriber
				subscribers.Join(c)
			case "/pub":
				c.Value = publisher
			}
			return nil
		},
		Message: func(c *service.Conn, m service.Message) {
			if c.Value != publisher {
				c.Write(m)
				return
			}
			m.Data = bytes.Clone(m.Data)
			subscribers.Send(m)
		},
		Close: func(c *service.Conn, _ service.End) {
			if c.Value == subscriber {
				subscribers.Leave(c)
			}
		},
	}
}
