package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
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
		show := eventPrinter{out: c.OutOrStdout(), errs: c.ErrOrStderr(), asJSON: asJSON}
		return p.use(c.Context(), client.Options{OnEvent: show.event}, func(ctx context.Context, cl *client.Client) error {
			show.client = cl
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

// eventPrinter prints what events tell: changes on standard output, troubles with the connection on standard error.
type eventPrinter struct {
	out, errs io.Writer
	asJSON    bool
	client    *client.Client // that tells the events
}

// event prints one event. What cannot be written was not received: the error ends the sync. Writing to a pipe that nobody
// reads ends the program (SIGPIPE), which comes to the same.
func (p *eventPrinter) event(e client.Event) error {
	var err error
	switch e := e.(type) {
	case client.LinkEvent:
		if l := e.Link; l.Err != nil && !l.RetryAt.IsZero() {
			p.trouble("not connected: %v; trying again in %s", l.Err, time.Until(l.RetryAt).Round(time.Second))
		}
	case client.ReportEvent:
		p.trouble("the network fails again and again; hongyan report send tells the server's operator of it")
	case client.TroubleEvent:
		p.trouble("%v", e.Err)
	case client.OutboxEvent:
		if err := e.Item.Err(); err != nil {
			p.trouble("the message %x was not sent: %v", e.Item.ID, err)
		}
	case client.ResetEvent:
		if p.asJSON {
			err = printJSON(p.out, resetLine{"reset", resetNames[e.Reason]})
		}
	default:
		err = p.change(changeOf(e))
	}
	if err != nil {
		return fmt.Errorf("cannot print what was received: %w", err)
	}
	return nil
}

func (p *eventPrinter) trouble(format string, args ...any) {
	fmt.Fprintf(p.errs, "hongyan: "+format+"\n", args...)
}

func (p *eventPrinter) change(c hongyan.Change) error {
	if p.asJSON {
		line, err := changeLine(&c)
		if err != nil {
			return err
		}
		return printJSON(p.out, line)
	}
	if text := p.text(&c); text != "" {
		_, err := fmt.Fprintln(p.out, text)
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

// text is what a person wants to read of a change, nothing for those that say little without the rest.
func (p *eventPrinter) text(c *hongyan.Change) string {
	switch {
	case c.Message != nil:
		m := c.Message
		at := time.UnixMilli(m.TimeMS).Format(time.DateTime)
		return fmt.Sprintf("%s  %s #%d  %s: %s", at, p.place(m.Conversation), m.Ordinal, m.FromName, terminal.OneLine(contentText(m)))
	case c.Recall != nil:
		return fmt.Sprintf("%s #%d was taken back", p.place(c.Recall.Conversation), c.Recall.Ordinal)
	case c.Contact != nil && c.Contact.State == hongyan.ContactAsking:
		name := c.Contact.Profile.Name
		return fmt.Sprintf("%s asks to become a contact: hongyan contact accept %s", name, name)
	}
	return ""
}

// place is how other commands name a conversation: by the account's name if it is a direct one.
func (p *eventPrinter) place(id hongyan.ConversationID) string {
	if c, ok, err := p.client.Conversation(id); err == nil && ok && c.Peer != nil {
		return c.Peer.Name
	}
	return id.String()
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
	}
	words := []string{"(" + kindNames[m.Content.Kind] + ")"}
	if f := m.Content.Media; f != nil {
		words = append(words, f.Name, f.Ref)
	}
	words = append(words, m.Content.Text)
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}
