package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

func chatCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "chat",
		Short: "Chat in the terminal",
		Long: `Chat in the terminal: conversations, messages as they come, what became of one's own, and the state of the connection.

F1 shows the keys. The language follows LANG (English, or Chinese for zh), and NO_COLOR=1 leaves the colours out.`,
		Example: "  hongyan chat --profile A",
		Args:    cobra.NoArgs,
	}
	p := profileFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
			return withHint(errors.New("chat needs a terminal"), "for scripts there are hongyan send and hongyan sync --json")
		}
		feed := terminal.NewFeed()
		return p.use(c.Context(), client.Options{OnEvent: feed.OnEvent}, func(ctx context.Context, cl *client.Client) error {
			return terminal.Run(ctx, cl, feed)
		})
	}
	return c
}
