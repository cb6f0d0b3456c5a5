package main

import (
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
)

func registerCommand() *cobra.Command {
	var r client.Registration
	c := &cobra.Command{
		Use:   "register",
		Short: "Create an account and log in to it",
		Example: `  hongyan register --server chat.example.com --user alice --invitation CODE
  printf '%s\n' "$PASSWORD" | hongyan register --server 127.0.0.1:7878 --user alice --password-stdin`,
		Args: cobra.NoArgs,
	}
	p, s, stdin := profileFlag(c), serverFlags(c), passwordFlag(c)
	c.Flags().StringVar(&r.Name, "user", "", "`name` of the account: it never changes")
	c.Flags().StringVar(&r.DisplayName, "display-name", "", "`name` that others see (default: the account's)")
	c.Flags().StringVar(&r.Invitation, "invitation", "", "`code` that the server's operator has made")
	if err := c.MarkFlagRequired("user"); err != nil {
		panic(err) // the flag was just made
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := p.dir()
		if err != nil {
			return err
		}
		if r.Password, err = readPassword(c, *stdin, true); err != nil {
			return err
		}
		cl, err := client.Register(c.Context(), dir, s.address, r, s.options(c))
		if err != nil {
			return err
		}
		return p.welcome(c, cl, dir)
	}
	return c
}
