package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/wire"
)

func inviteCommand() *cobra.Command {
	return family("invite", "Manage invitations to register", inviteCreateCommand())
}

func inviteCreateCommand() *cobra.Command {
	var uses, days uint32
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an invitation to register",
		Long:  "Make a code with which people can create accounts: hongyan register --invitation CODE.",
		Example: `  hongyan invite create
  hongyan invite create --uses 30 --days 2`,
		Args: cobra.NoArgs,
	}
	op := operatorFlags(c)
	c.Flags().Uint32Var(&uses, "uses", 1, "accounts that may be created with it")
	c.Flags().Uint32Var(&days, "days", 7, "days until it ends")
	c.RunE = func(c *cobra.Command, _ []string) error {
		request, reply := &wire.CreateInvitationRequest{Uses: uses, Days: days}, new(wire.CreateInvitationReply)
		if err := op.ask(c.Context(), wire.OpCreateInvitation, request, reply); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), reply.Code)
		return err
	}
	return c
}
