package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/wire"
)

func demandTLSCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demand-tls [NAME]",
		Short: "Send unencrypted connections to TLS",
		Long: `Close the unencrypted connections of an account, or of all, in a way that has their clients come back encrypted at once
and for good. Connections that come later are taken by the same rule as before: see the setting tls.allow_plain.`,
		Example: `  hongyan demand-tls
  hongyan demand-tls alice --data /var/lib/hongyan`,
		Args: cobra.MaximumNArgs(1),
	}
	op := operatorFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		request, reply := new(wire.DemandTLSRequest), new(wire.DemandTLSReply)
		if len(args) > 0 {
			request.Name = args[0]
		}
		if err := op.ask(c.Context(), wire.OpDemandTLS, request, reply); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "%d connections were sent to TLS\n", reply.Closed)
		return err
	}
	return c
}
