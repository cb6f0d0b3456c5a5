package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "status",
		Short:   "Say how the running server is",
		Long:    "Say how the running server is. The exit status is 1 if it refuses messages.",
		Example: "  hongyan status --json",
		Args:    cobra.NoArgs,
	}
	op := operatorFlags(c)
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		reply := new(wire.StatusReply)
		if err := op.ask(c.Context(), wire.OpStatus, &wire.StatusRequest{}, reply); err != nil {
			return err
		}
		if err := printStatus(c.OutOrStdout(), reply, asJSON); err != nil {
			return err
		}
		if !reply.Sending {
			return silentError(exitFailed)
		}
		return nil
	}
	return c
}

// status is the JSON form of a StatusReply.
type status struct {
	Version     string `json:"version"`
	Started     string `json:"started"`
	Connections uint32 `json:"connections"`
	Sessions    uint32 `json:"sessions"` // devices that have said who they are
	Generation  string `json:"generation"`
	Term        uint64 `json:"term"`
	Sending     bool   `json:"sending"`
	Refused     string `json:"refused_because,omitempty"`
	DiskFree    uint64 `json:"disk_free"` // bytes
	DiskUsed    uint64 `json:"disk_used"`
}

func printStatus(w io.Writer, r *wire.StatusReply, asJSON bool) error {
	started := time.UnixMilli(r.StartedMs)
	if asJSON {
		return printJSON(w, status{r.Version, timestamp(r.StartedMs), r.Connections, r.Sessions,
			strconv.FormatUint(r.Generation, 10), r.Term, r.Sending, r.RefusedBecause, r.DiskFree, r.DiskUsed})
	}
	sending := "accepted"
	if !r.Sending {
		sending = "REFUSED: " + r.RefusedBecause
	}
	_, err := fmt.Fprintf(w, `version      %s
started      %s (%s ago)
connections  %d, of which %d are devices that logged in
messages     %s
disk         %s used, %s free
`, r.Version, started.Format(time.DateTime), time.Since(started).Round(time.Second), r.Connections, r.Sessions, sending,
		config.Size(r.DiskUsed).Approx(), config.Size(r.DiskFree).Approx())
	return err
}
