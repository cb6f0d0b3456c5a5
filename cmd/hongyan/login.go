package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
)

func loginCommand() *cobra.Command {
	var user string
	var token bool
	c := &cobra.Command{
		Use:   "login",
		Short: "Make this a device of an account",
		Long: `Log in to an account and keep the device's credentials in a profile, with which the other commands work.

Logging in again with the same profile keeps the device, what it has received and what waits to be sent.`,
		Example: `  hongyan login --server chat.example.com --user alice
  printf '%s\n' "$PASSWORD" | hongyan login --server 127.0.0.1:7878 --user alice --profile A --password-stdin
  hongyan user token weather | hongyan login --server 127.0.0.1:7878 --profile W --token-stdin`,
		Args: cobra.NoArgs,
	}
	p, s, stdin := profileFlag(c), serverFlags(c), passwordFlag(c)
	c.Flags().StringVar(&user, "user", "", "`name` of the account")
	c.Flags().BoolVar(&token, "token-stdin", false, "read a device token instead of a password from standard input")
	c.MarkFlagsMutuallyExclusive("token-stdin", "password-stdin")
	c.MarkFlagsMutuallyExclusive("token-stdin", "user")
	c.MarkFlagsOneRequired("token-stdin", "user")
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := p.dir()
		if err != nil {
			return err
		}
		cl, err := s.login(c, dir, user, token, *stdin)
		if err != nil {
			return err
		}
		return p.welcome(c, cl, dir)
	}
	return c
}

// login asks for what proves who this is, and logs in.
func (s *server) login(c *cobra.Command, dir, user string, byToken, stdin bool) (*client.Client, error) {
	if byToken {
		token, err := firstLine(c.InOrStdin())
		if err != nil {
			return nil, errors.New("there is no token on standard input")
		}
		return client.LoginToken(c.Context(), dir, s.address, token, s.options(c))
	}
	password, err := readPassword(c, stdin, false)
	if err != nil {
		return nil, err
	}
	return client.Login(c.Context(), dir, s.address, user, password, s.options(c))
}
