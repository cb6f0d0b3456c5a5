package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/doctor"
)

func doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Examine this machine for a server",
		Long: `Examine this machine: what a server set up with the same flags would find here, what that means, and what to do.

Run it as the user of the server. It changes nothing. The exit status is 1 if something must be put right.`,
		Example: "  hongyan doctor --config /etc/hongyan.toml",
		Args:    cobra.NoArgs,
	}
	load := configFlags(c)
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := load()
		if err != nil {
			return err
		}
		settings.Data = cmp.Or(settings.Data, config.DefaultData())
		findings := doctor.Examine(c.Context(), settings)
		if err := printFindings(c.OutOrStdout(), findings, asJSON); err != nil {
			return err
		}
		if doctor.Worst(findings) == doctor.Fail {
			return silentError(exitFailed)
		}
		return nil
	}
	return c
}

func printFindings(w io.Writer, findings []doctor.Finding, asJSON bool) error {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	for _, f := range findings {
		var err error
		switch {
		case asJSON:
			err = printJSON(w, f)
		case f.Status == doctor.OK:
			_, err = fmt.Fprintf(w, "%-4s  %-*s  %s\n", f.Status, width, f.Check, f.Found)
		default:
			_, err = fmt.Fprintf(w, "%-4s  %-*s  %s\n      %s\n      → %s\n", f.Status, width, f.Check, f.Found, f.Means, f.Do)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
