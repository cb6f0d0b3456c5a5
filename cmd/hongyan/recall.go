package main

import (
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
)

func recallCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "recall NAME|CONVERSATION NUMBER",
		Short: "Take a message back",
		Long:  "Take a message back, for everybody. The server says for how long after sending that is possible.",
		Example: `  hongyan recall bob 17
  hongyan recall g:42 17`,
		Args: cobra.ExactArgs(2),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		number, err := ordinal(c, args[1])
		if err != nil {
			return err
		}
		talk, err := conversation(c.Context(), cl, args[0])
		if err != nil {
			return err
		}
		return cl.Recall(c.Context(), talk, number)
	})
	return c
}
