package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/load"
)

func benchCommand() *cobra.Command {
	c := family("bench", "Measure a WebSocket server",
		benchMode(load.Echo, "Send messages there and back",
			`Keep a number of messages in flight on each connection and measure how many come back in a second, how long each
takes, and what they cost the server.`,
			"hongyan bench echo --url ws://127.0.0.1:9001/echo --connections 64 --in-flight 16"),
		benchMode(load.Connect, "Connect, upgrade and leave, again and again",
			"Measure handshakes: connect, upgrade, reset, with a number of them under way at once.",
			"hongyan bench connect --url ws://127.0.0.1:9001/echo --connections 64"),
		benchMode(load.Idle, "Measure what idle connections cost",
			`Open many connections in steps, and read the memory of the server and of the kernel before, after each step, and after
one message on every connection. Run it against a server that has just been started.`,
			"hongyan bench idle --url ws://127.0.0.1:9001/echo --connections 1000,5000,15000"),
		benchMode(load.Broadcast, "Publish to many subscribers",
			`Connect many subscribers and one publisher, whose messages everybody has to receive, and measure deliveries. What the
server sends to --url is what was sent to --publish.`,
			"hongyan bench broadcast --url ws://127.0.0.1:9001/sub --publish /pub --connections 10000 --in-flight 8"),
		benchMode(load.Storm, "Have everybody reconnect at once",
			"Cut all connections at once, have all come back at once, and measure how long that takes.",
			"hongyan bench storm --url ws://127.0.0.1:9001/echo --connections 10000"),
		benchAbuse(), benchMob(),
		serveEchoCommand(),
	)
	c.Long = `Put load on a WebSocket server, this one or another, and check every byte that comes back. A message that is lost,
doubled, swapped or damaged ends the run with an error.

The server's CPU time and memory are read from /proc: of --pid, or of whoever listens on the port on this machine. The
CPU seconds for a million operations are the figure to compare: rates and latencies mean the server only while the
generator, which says what it used itself, had time to spare.`
	return c
}

// benchAbuse makes the command that runs good and bad clients.
func benchAbuse() *cobra.Command {
	o := load.AbuseOptions{}
	var asJSON bool
	c := &cobra.Command{
		Use: "abuse", Short: "See how a Hongyan server serves good clients beside bad ones",
		Long: `Let good clients talk in pairs, alone at first, then beside clients that send garbage, announce huge frames, drip bytes,
guess tokens and passwords, fetch everything again and again, read nothing or come and go, and alone once more. Report
how long the good ones' messages took each time, the longest time that one of them was kept from sending, and the
server's memory. The server is one of this machine; the accounts that this makes stay there.`,
		Example: "  hongyan bench abuse --server 127.0.0.1:7878 --data D --good 1000 --bad 200", Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Server, "server", "127.0.0.1:"+client.DefaultPort, "address of the server")
	f.StringVar(&o.Data, "data", config.DefaultData(), "data `directory` of the server")
	f.IntVar(&o.Good, "good", 1000, "good clients")
	f.IntVar(&o.Bad, "bad", 200, "bad clients")
	f.DurationVar(&o.Every, "every", 2*time.Second, "time between two messages of a good client")
	f.DurationVar(&o.Phase, "phase", 10*time.Second, "how long each of the three parts takes")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Mob = []string{self, "bench", "mob"}
		report, err := load.Abuse(c.Context(), o)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), report)
		}
		return report.WriteText(c.OutOrStdout())
	}
	return c
}

// benchMob makes the command of the process in which the bad clients are.
func benchMob() *cobra.Command {
	return &cobra.Command{
		Use: "mob", Short: "Be the bad clients of bench abuse", Hidden: true, Args: cobra.NoArgs,
		Example: `  echo '{"Server":"127.0.0.1:7878","Token":"hyd_…","Bad":200}' | hongyan bench mob`,
		RunE:    func(c *cobra.Command, _ []string) error { return load.Mob(c.Context(), c.InOrStdin(), c.OutOrStdout()) },
	}
}

// benchMode makes the command for one mode, with the flags that the mode knows.
func benchMode(mode load.Mode, short, long, example string) *cobra.Command {
	o := load.Options{Mode: mode}
	var asJSON bool
	c := &cobra.Command{Use: string(mode), Short: short, Long: long, Example: "  " + example, Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVar(&o.URL, "url", "", "the server: ws://host:port/path, or tcp://host:port for a plain echo of bytes")
	c.MarkFlagRequired("url")
	f.IntVar(&o.PID, "pid", 0, "the server's process (default: who listens on the port)")
	switch mode {
	case load.Idle:
		f.IntSliceVar(&o.Steps, "connections", []int{1000, 5000, 15000}, "how many, each time more")
	case load.Broadcast, load.Storm:
		f.IntVar(&o.Connections, "connections", 10000, "how many")
	default:
		f.IntVar(&o.Connections, "connections", 64, "how many")
	}
	if mode != load.Connect {
		f.IntVar(&o.Size, "size", 128, "bytes of a message")
		f.BoolVar(&o.Text, "text", false, "text messages instead of binary ones")
	}
	switch mode {
	case load.Echo, load.Connect, load.Broadcast:
		f.DurationVar(&o.Duration, "duration", 5*time.Second, "how long to measure, at least")
		f.DurationVar(&o.Warmup, "warmup", time.Second, "load before that")
	}
	switch mode {
	case load.Echo:
		f.IntVar(&o.InFlight, "in-flight", 1, "messages under way on each connection")
	case load.Broadcast:
		f.IntVar(&o.InFlight, "in-flight", 1, "messages of the publisher that have not reached everybody")
		f.StringVar(&o.Publish, "publish", "/pub", "path for the publisher")
	case load.Idle:
		f.DurationVar(&o.Rest, "rest", 2*time.Second, "how long to wait before each look")
	case load.Storm:
		f.IntVar(&o.Rounds, "rounds", 3, "how many storms")
	}
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if mode == load.Idle && len(o.Steps) > 0 {
			o.Connections = o.Steps[len(o.Steps)-1]
		}
		report, err := load.Run(c.Context(), o)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), report)
		}
		return report.WriteText(c.OutOrStdout())
	}
	return c
}
