package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/wire"
)

func keyCommand() *cobra.Command {
	return family("key", "Manage the keys of the server API", keyCreateCommand())
}

func keyCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a key of the server API",
		Long: `Make a key with which a program of yours may do what an operator may. NAME says what it is for.

The key is printed once and is not kept in a form from which it could be printed again.`,
		Example: "  hongyan key create billing",
		Args:    cobra.ExactArgs(1),
	}
	op := operatorFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		reply := new(wire.CreateKeyReply)
		if err := op.ask(c.Context(), wire.OpCreateKey, &wire.CreateKeyRequest{Name: args[0]}, reply); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), reply.Key)
		return err
	}
	return c
}
