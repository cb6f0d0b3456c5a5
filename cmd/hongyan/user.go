package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

func userCommand() *cobra.Command {
	return family("user", "Manage the accounts of a server",
		userAddCommand(), userListCommand(), userPasswordCommand(), userTokenCommand(),
		userSwitchCommand("disable", "End an account's sessions and keep it from logging in", true),
		userSwitchCommand("enable", "Let a disabled account log in again", false))
}

func userAddCommand() *cobra.Command {
	var displayName string
	var noPassword bool
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Create an account",
		Long: `Create an account on the running server. Its password is asked for, or read from standard input.

An account without a password can be used with a token only: see hongyan user token.`,
		Example: `  hongyan user add alice
  printf '%s\n' "$PASSWORD" | hongyan user add alice --data /var/lib/hongyan --password-stdin`,
		Args: cobra.ExactArgs(1),
	}
	op, stdin := operatorFlags(c), passwordFlag(c)
	c.Flags().StringVar(&displayName, "display-name", "", "`name` that others see (default: NAME)")
	c.Flags().BoolVar(&noPassword, "no-password", false, "create it without a password")
	c.MarkFlagsMutuallyExclusive("no-password", "password-stdin")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		request := &wire.CreateAccountRequest{Name: args[0], DisplayName: displayName}
		if !noPassword {
			if request.Password, err = readPassword(c, *stdin, true); err != nil {
				return err
			}
		}
		reply := new(wire.CreateAccountReply)
		if err := op.ask(c.Context(), wire.OpCreateAccount, request, reply); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "created %s, account %d\n", reply.Account.GetName(), reply.Account.GetUser())
		return err
	}
	return c
}

func userListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the accounts by name",
		Example: "  hongyan user list --json",
		Args:    cobra.NoArgs,
	}
	op := operatorFlags(c)
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		accounts, err := op.accounts(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			for _, a := range accounts {
				if err := printJSON(c.OutOrStdout(), newAccountLine(a)); err != nil {
					return err
				}
			}
			return nil
		}
		rows := make([][]string, len(accounts))
		for i, a := range accounts {
			state := "active"
			if a.Disabled {
				state = "disabled"
			}
			rows[i] = []string{a.Name, strconv.FormatUint(a.User, 10), state, strconv.FormatUint(uint64(a.Devices), 10),
				time.UnixMilli(a.CreatedMs).Format(time.DateOnly), a.DisplayName}
		}
		return printTable(c.OutOrStdout(), []string{"NAME", "ACCOUNT", "STATE", "DEVICES", "CREATED", "DISPLAY NAME"}, rows)
	}
	return c
}

// accounts reads the whole list, page by page.
func (o *operator) accounts(ctx context.Context) ([]*wire.Account, error) {
	var all []*wire.Account
	request := &wire.ListAccountsRequest{}
	for {
		reply := new(wire.ListAccountsReply)
		if err := o.ask(ctx, wire.OpListAccounts, request, reply); err != nil {
			return nil, err
		}
		all = append(all, reply.Accounts...)
		if !reply.More || len(reply.Accounts) == 0 {
			return all, nil
		}
		request.After = reply.Accounts[len(reply.Accounts)-1].Name
	}
}

func userPasswordCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set an account's password and end its sessions",
		Long:  "Set a new password. Every device of the account has to log in again.",
		Example: `  hongyan user passwd alice
  printf '%s\n' "$PASSWORD" | hongyan user passwd alice --password-stdin`,
		Args: cobra.ExactArgs(1),
	}
	op, stdin := operatorFlags(c), passwordFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		password, err := readPassword(c, *stdin, true)
		if err != nil {
			return err
		}
		return op.setAccount(c, &wire.SetAccountRequest{Name: args[0], Password: &password}, "new password set for %s")
	}
	return c
}

func userSwitchCommand(verb, short string, disabled bool) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " NAME",
		Short:   short,
		Example: "  hongyan user " + verb + " alice",
		Args:    cobra.ExactArgs(1),
	}
	op := operatorFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return op.setAccount(c, &wire.SetAccountRequest{Name: args[0], Disabled: proto.Bool(disabled)}, verb+"d %s")
	}
	return c
}

// setAccount makes a change and says so; done has a verb for the name.
func (o *operator) setAccount(c *cobra.Command, request *wire.SetAccountRequest, done string) error {
	reply := new(wire.SetAccountReply)
	if err := o.ask(c.Context(), wire.OpSetAccount, request, reply); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), done+"\n", reply.Account.GetName())
	return err
}

func userTokenCommand() *cobra.Command {
	var device, class string
	c := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a device token for an account",
		Long: `Make a device of an account and print its token, for a bot or for a product with a login of its own.

The token is as good as a password: it is shown once, and ends when the device is kicked.`,
		Example: "  hongyan user token weather --device weather-bot",
		Args:    cobra.ExactArgs(1),
	}
	op := operatorFlags(c)
	c.Flags().StringVar(&device, "device", "token", "`name` of the device")
	c.Flags().StringVar(&class, "class", "bot", "`class` of the device: "+wordsOf(classNames))
	c.RunE = func(c *cobra.Command, args []string) error {
		kind, ok := named(classNames, class)
		if !ok {
			return wrongUse(c, errors.New("--class is one of "+wordsOf(classNames)))
		}
		request := &wire.MintTokenRequest{
			Name:   args[0],
			Device: wire.FromDevice(hongyan.Device{Name: device, Class: kind}),
		}
		reply := new(wire.MintTokenReply)
		if err := op.ask(c.Context(), wire.OpMintToken, request, reply); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), reply.DeviceToken)
		return err
	}
	return c
}
