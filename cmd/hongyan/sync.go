package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

func syncCommand() *cobra.Command {
	var asJSON, follow bool
	c := &cobra.Command{
		Use:   "sync",
		Short: "Bring this device up to date and print what is new",
		Long: `Receive what is new for this device and print it, one line each, oldest first; send what waits in the outbox.

With --json every line is an object with a "type": message, recall, removal, receipt, contact, group, conversation,
profile, devices, setting or reset. A change counts as received when its line was written: if this command is killed,
or nobody reads its output any more, the next run prints that line again, with the same id.`,
		Example: `  hongyan sync --json
  hongyan sync --json --follow | jq -r 'select(.type == "message") | .text'`,
		Args: cobra.NoArgs,
	}
	p := profileFlag(c)
	jsonFlag(c, &asJSON)
	c.Flags().BoolVar(&follow, "follow", false, "stay connected and print what comes")
	c.RunE = func(c *cobra.Command, _ []string) error {
		// A line that cannot be written was not received. Writing to a pipe that nobody reads ends the program (SIGPIPE),
		// which comes to the same.
		show := func(e client.Event) error {
			if err := showEvent(c, e, asJSON); err != nil {
				return fmt.Errorf("cannot print what was received: %w", err)
			}
			return nil
		}
		return p.use(c.Context(), client.Options{OnEvent: show}, func(ctx context.Context, cl *client.Client) error {
			if follow {
				return cl.Run(ctx)
			}
			return cl.Sync(ctx)
		})
	}
	return c
}

// resetLine says that what is known of conversations, contacts, groups and settings is void and comes again.
type resetLine struct {
	Type   string `json:"type"` // "reset"
	Reason string `json:"reason"`
}

// showEvent prints what an event tells: changes on standard output, troubles with the connection on standard error.
func showEvent(c *cobra.Command, e client.Event, asJSON bool) error {
	switch e := e.(type) {
	case client.LinkEvent:
		if l := e.Link; l.Err != nil && !l.RetryAt.IsZero() {
			wait := time.Until(l.RetryAt).Round(time.Second)
			fmt.Fprintf(c.ErrOrStderr(), "hongyan: not connected: %v; trying again in %s\n", l.Err, wait)
		}
		return nil
	case client.TroubleEvent:
		fmt.Fprintf(c.ErrOrStderr(), "hongyan: %v\n", e.Err)
		return nil
	case client.OutboxEvent:
		if err := e.Item.Err(); err != nil {
			fmt.Fprintf(c.ErrOrStderr(), "hongyan: the message %x was not sent: %v\n", e.Item.ID, err)
		}
		return nil
	case client.ResetEvent:
		if asJSON {
			return printJSON(c.OutOrStdout(), resetLine{"reset", resetNames[e.Reason]})
		}
		return nil
	}
	change := changeOf(e)
	if asJSON {
		line, err := changeLine(&change)
		if err != nil {
			return err
		}
		return printJSON(c.OutOrStdout(), line)
	}
	if text := changeText(&change); text != "" {
		_, err := fmt.Fprintln(c.OutOrStdout(), text)
		return err
	}
	return nil
}

// changeOf is the change that an event tells.
func changeOf(e client.Event) hongyan.Change {
	switch e := e.(type) {
	case client.MessageEvent:
		return hongyan.Change{Version: e.Version, Message: &e.Message}
	case client.RecallEvent:
		return hongyan.Change{Version: e.Version, Recall: &e.Recall}
	case client.RemovalEvent:
		return hongyan.Change{Version: e.Version, Removal: &e.Removal}
	case client.ReceiptEvent:
		return hongyan.Change{Version: e.Version, Receipt: &e.Receipt}
	case client.ContactEvent:
		return hongyan.Change{Version: e.Version, Contact: &e.Contact}
	case client.GroupEvent:
		return hongyan.Change{Version: e.Version, Group: &e.Group}
	case client.ConversationEvent:
		return hongyan.Change{Conversation: &e.Conversation}
	case client.ProfileEvent:
		return hongyan.Change{Version: e.Version, Profile: &e.Profile}
	case client.DevicesEvent:
		return hongyan.Change{Version: e.Version, Devices: &e.Devices}
	case client.SettingEvent:
		return hongyan.Change{Version: e.Version, Setting: &e.Setting}
	}
	return hongyan.Change{}
}

// changeText is what a person wants to read of a change, nothing for those that say little without the rest.
func changeText(c *hongyan.Change) string {
	switch {
	case c.Message != nil:
		m := c.Message
		at := time.UnixMilli(m.TimeMS).Format(time.DateTime)
		text := terminal.OneLine(contentText(m))
		return fmt.Sprintf("%s  %s #%d  %s: %s", at, m.Conversation, m.Ordinal, m.FromName, text)
	case c.Recall != nil:
		return fmt.Sprintf("message %d of %s was taken back", c.Recall.Ordinal, c.Recall.Conversation)
	case c.Contact != nil && c.Contact.State == hongyan.ContactAsking:
		name := c.Contact.Profile.Name
		return fmt.Sprintf("%s asks to become a contact: hongyan contact accept %s", name, name)
	}
	return ""
}

// contentText is a message in words.
func contentText(m *hongyan.Message) string {
	switch {
	case m.State != hongyan.Present:
		return "(" + stateNames[m.State] + ")"
	case m.Content.Kind == hongyan.KindText:
		return m.Content.Text
	case m.Content.Kind == hongyan.KindNotice:
		return "(" + noticeNames[m.Content.Notice.Event] + ")"
	case m.Content.Text != "":
		return "(" + kindNames[m.Content.Kind] + ") " + m.Content.Text
	}
	return "(" + kindNames[m.Content.Kind] + ")"
}
