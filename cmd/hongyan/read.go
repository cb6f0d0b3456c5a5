package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

func readCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "read NAME|CONVERSATION [NUMBER]",
		Short: "Mark messages as read",
		Long:  "Mark a conversation as read up to a message, by its number; up to the newest one if none is given.",
		Example: `  hongyan read bob
  hongyan read g:42 17`,
		Args: cobra.RangeArgs(1, 2),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		talk, err := conversation(c.Context(), cl, args[0])
		if err != nil {
			return err
		}
		var last hongyan.Ordinal
		if len(args) == 2 {
			last, err = ordinal(c, args[1])
		} else {
			last, err = newest(c, cl, talk)
		}
		if err != nil || last == 0 {
			return err
		}
		return cl.MarkRead(c.Context(), talk, last)
	})
	return c
}

// newest asks for the number of the newest message of a conversation, zero if there is none.
func newest(c *cobra.Command, cl *client.Client, talk hongyan.ConversationID) (hongyan.Ordinal, error) {
	reply := new(wire.ConversationsReply)
	err := cl.Do(c.Context(), wire.OpConversations, &wire.ConversationsRequest{Ids: []string{talk.String()}}, reply)
	if err != nil || len(reply.Conversations) == 0 {
		return 0, err
	}
	return hongyan.Ordinal(reply.Conversations[0].Last), nil
}

// ordinal reads the number of a message in its conversation.
func ordinal(c *cobra.Command, text string) (hongyan.Ordinal, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 {
		return 0, wrongUse(c, fmt.Errorf("%q is no number of a message: they count from 1", text))
	}
	return hongyan.Ordinal(n), nil
}
