package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Groups of commands in the help.
const (
	groupServer  = "server"
	groupAccount = "account"
	groupTalk    = "talk"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hongyan",
		Short: "Instant messaging that you run yourself",
		Long: `Hongyan is an instant-messaging server and its client in one program.

Start a server, make an account, log in, and send a message:

  hongyan serve
  hongyan user add alice
  hongyan login --server localhost --user alice
  hongyan send --to alice "note to self"`,
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
	}
	root.AddGroup(
		&cobra.Group{ID: groupServer, Title: "Run a server:"},
		&cobra.Group{ID: groupAccount, Title: "Use an account:"},
		&cobra.Group{ID: groupTalk, Title: "Talk:"},
	)
	root.SetHelpCommandGroupID(groupServer)
	root.SetCompletionCommandGroupID(groupServer)
	add(root, groupServer, serveCommand(), userCommand(), keyCommand(), inviteCommand(), statusCommand(), demandTLSCommand(), reportCommand(),
		configCommand(), doctorCommand(), benchCommand(), tortureCommand(), versionCommand())
	add(root, groupAccount, registerCommand(), loginCommand(), logoutCommand(), devicesCommand(), contactCommand(),
		groupCommand())
	add(root, groupTalk, chatCommand(), sendCommand(), getCommand(), syncCommand(), readCommand(), recallCommand(), searchCommand())
	refuseWrongUse(root)
	return root
}

func add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// family makes a command that only holds others.
func family(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Example: "  hongyan " + use + " " + commands[0].Use}
	c.AddCommand(commands...)
	return c
}

// refuseWrongUse has every way of calling c or a command below it wrongly end in a usageError.
func refuseWrongUse(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if words := c.Flags().Args(); len(words) > 0 && c.HasSubCommands() {
			err = noCommand(c, words[0]) // whose flags are not known either
		}
		return wrongUse(c, err)
	})
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, list []string) error {
			if err := args(c, list); err != nil {
				return wrongUse(c, fmt.Errorf("this is written: %s", strings.TrimSuffix(c.UseLine(), " [flags]")))
			}
			return nil
		}
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := cmp.Or(c.ValidateRequiredFlags(), c.ValidateFlagGroups()); err != nil {
			return wrongUse(c, err)
		}
		return nil
	}
	if c.RunE == nil && c.HasSubCommands() {
		c.SuggestionsMinimumDistance = 2
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return wrongUse(c, noCommand(c, args[0]))
		}
	}
	for _, sub := range c.Commands() {
		refuseWrongUse(sub)
	}
}

// noCommand says that c has no command of that name.
func noCommand(c *cobra.Command, name string) error {
	err := fmt.Errorf("there is no command %q", strings.Join(append(strings.Fields(c.CommandPath())[1:], name), " "))
	if near := c.SuggestionsFor(name); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %q?", err, near[0])
	}
	return err
}
