package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
)

func logoutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "logout",
		Short:   "End this device",
		Long:    "End this device: its credentials are worth nothing any more. What it has received stays in the profile.",
		Example: "  hongyan logout --profile A",
		Args:    cobra.NoArgs,
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, _ []string) error {
		if err := cl.Logout(c.Context()); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "logged out %s\n", cl.Name())
		return err
	})
	return c
}
