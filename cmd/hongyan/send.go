package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// noticeAfter is how long a person waits without a word.
const noticeAfter = 3 * time.Second

func sendCommand() *cobra.Command {
	var to, file string
	var asJSON bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "send --to NAME|CONVERSATION TEXT",
		Short: "Send a message, or a file",
		Long: `Send a message, and return when the server has it on disk, where every device of both sides will find it.

A text of - is read from standard input. With --file the text is the caption and may be left out; an upload that was
cut off goes on where it was when the same file is sent again.

If there is no acknowledgement in time, the message stays in the profile's outbox and goes out with the next send, sync
or chat; the exit status is 1 then.`,
		Example: `  hongyan send --to bob "hello"
  hongyan send --to g:42 --json "hello, everybody"
  uptime | hongyan send --to bob -
  hongyan send --to bob --file reeds.jpg "look"`,
		Args: func(c *cobra.Command, args []string) error {
			if file != "" {
				return cobra.MaximumNArgs(1)(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
	}
	p := profileFlag(c)
	c.Flags().StringVar(&to, "to", "", "`name` of an account, or a conversation such as g:42")
	c.Flags().StringVar(&file, "file", "", "`path` of a file to send")
	c.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait for the acknowledgement")
	jsonFlag(c, &asJSON)
	if err := c.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag was just made
	}
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		goal, err := target(to)
		if err != nil {
			return err
		}
		var content hongyan.Content
		if len(args) > 0 {
			text, err := messageText(c.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			content = hongyan.Text(text)
		}
		if file != "" {
			if content, err = uploaded(c.Context(), cl, file, content.Text, c.ErrOrStderr()); err != nil {
				return err
			}
		}
		waiting := time.AfterFunc(noticeAfter, func() {
			fmt.Fprintln(c.ErrOrStderr(), "hongyan: still trying; Ctrl-C leaves the message in the outbox")
		})
		defer waiting.Stop()
		late := fmt.Errorf("there was no acknowledgement within %s", timeout)
		ctx, cancel := context.WithTimeoutCause(c.Context(), timeout, late)
		defer cancel()
		sent, err := cl.Send(ctx, goal, content)
		if queued, ok := errors.AsType[*client.QueuedError](err); ok {
			return withHint(queued,
				"it goes out with the next send, sync or chat of this profile; its client id is %x", queued.ID)
		}
		if err != nil {
			return err
		}
		return printSent(c.OutOrStdout(), to, sent, asJSON)
	})
	return c
}

// messageText is the argument, or all of standard input without the last line end.
func messageText(in io.Reader, argument string) (string, error) {
	text := argument
	if argument == "-" {
		all, err := io.ReadAll(io.LimitReader(in, hongyan.MaxText+2)) // more is refused by its length
		if err != nil {
			return "", fmt.Errorf("cannot read the text: %w", err)
		}
		text = strings.TrimSuffix(string(all), "\n")
	}
	if text == "" {
		return "", errors.New("there is no text to send")
	}
	return text, nil
}

// sentLine is the acknowledgement of a message.
type sentLine struct {
	ID           string `json:"id"`
	ClientID     string `json:"client_id"`
	Conversation string `json:"conversation"`
	Ordinal      uint64 `json:"ordinal"`
	Time         string `json:"time"`
}

func printSent(w io.Writer, to string, s client.Sent, asJSON bool) error {
	if asJSON {
		return printJSON(w, sentLine{id(s.ID), hex.EncodeToString(s.ClientID[:]), s.Conversation.String(),
			uint64(s.Ordinal), timestamp(s.TimeMS)})
	}
	_, err := fmt.Fprintf(w, "sent to %s, number %d\n", to, s.Ordinal)
	return err
}
