package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/torture"
)

func tortureCommand() *cobra.Command {
	o := torture.Options{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "torture",
		Short: "Try to break a server, and check what everybody was told",
		Long: `Start a server and some client processes on this machine, let them talk while processes are killed and stopped and
connections break, stall and lie, and check afterwards that no promise was broken: nothing that was acknowledged is
lost, doubled or in another order for somebody, and everybody has everything when the trouble is over.

It touches nothing but processes that it starts itself and the directory --dir, which must be empty or missing; the
default is a new one among the temporary files. It goes away if all is well. Otherwise the exit status is 1, and the
report names the promises, the seed, and the records that show what happened.`,
		Example: "  hongyan torture --duration 10m --clients 4 --seed 7",
		Args:    cobra.NoArgs,
	}
	f := c.Flags()
	f.DurationVar(&o.Duration, "duration", time.Minute, "how long to break things")
	f.IntVar(&o.Clients, "clients", 4, "client processes, each with six devices")
	f.Float64Var(&o.Rate, "rate", 800, "messages a second that clients try to send, all together")
	f.Uint64Var(&o.Seed, "seed", 0, "what the faults are drawn from (0: any)")
	f.StringVar(&o.Dir, "dir", "", "where to keep the server's data and the records")
	f.StringVar(&o.Disk, "disk", "", "a small file system for the server's data, to be filled now and then")
	f.BoolVar(&o.Keep, "keep", false, "keep the records of what went well, too")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.Seed == 0 {
			o.Seed = rand.Uint64() >> 11 // it survives a JSON number
		}
		temporary := o.Dir == ""
		if temporary {
			var err error
			if o.Dir, err = os.MkdirTemp("", "hongyan-torture-"); err != nil {
				return err
			}
		}
		o.Progress = c.ErrOrStderr()
		report, err := torture.Run(c.Context(), o)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(c.OutOrStdout(), report)
		} else {
			err = report.WriteText(c.OutOrStdout())
		}
		if err == nil && !report.OK() {
			return errors.New("promises were broken")
		}
		if err == nil && temporary && !o.Keep {
			err = os.RemoveAll(o.Dir)
		}
		return err
	}
	work := &cobra.Command{
		Use: "work PLAN", Short: "Be one of the client processes", Hidden: true, Args: cobra.ExactArgs(1),
		Example: "  hongyan torture work plan.json",
		RunE: func(c *cobra.Command, args []string) error {
			if err := torture.Work(c.Context(), args[0], c.InOrStdin(), c.OutOrStdout()); err != nil {
				return fmt.Errorf("torture work: %w", err)
			}
			return nil
		},
	}
	c.AddCommand(work)
	return c
}
