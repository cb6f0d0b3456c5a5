package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

func searchCommand() *cobra.Command {
	var in string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "search WORD...",
		Short: "Look for messages by their words",
		Long: `Look for messages that hold all of the words, in any case of letters, newest first. The server keeps no index: it
looks through the messages of the account until there are enough, or no more.`,
		Example: `  hongyan search wild goose
  hongyan search --in bob --limit 5 invoice`,
		Args: cobra.MinimumNArgs(1),
	}
	p := profileFlag(c)
	c.Flags().StringVar(&in, "in", "", "look in the conversation with `NAME`, or in this conversation, alone")
	c.Flags().IntVar(&limit, "limit", 20, "messages to find")
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		if limit < 1 {
			return wrongUse(c, fmt.Errorf("%d messages cannot be looked for", limit))
		}
		q := client.Search{Text: strings.Join(args, " ")}
		if in != "" {
			var err error
			if q.Conversation, err = conversation(c.Context(), cl, in); err != nil {
				return err
			}
		}
		show := eventPrinter{out: c.OutOrStdout(), asJSON: asJSON, client: cl}
		for found := 0; found < limit; {
			q.Limit = limit - found
			page, err := cl.Search(c.Context(), q)
			if err != nil {
				return err
			}
			for i := range page.Messages {
				if err := show.change(hongyan.Change{Message: &page.Messages[i]}); err != nil {
					return err
				}
			}
			found += len(page.Messages)
			if q.Token = page.Token; len(q.Token) == 0 {
				break
			}
		}
		return nil
	})
	return c
}
