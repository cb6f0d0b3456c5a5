package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

func contactCommand() *cobra.Command {
	return family("contact", "Manage one's contacts",
		contactAskCommand(),
		contactVerb("accept", "Accept an account that asks to become a contact", answerContact(true)),
		contactVerb("decline", "Decline an account that asks to become a contact", answerContact(false)),
		contactVerb("remove", "End a contact, on both sides", removeContact),
		contactVerb("block", "Take no more messages from an account", setBlocked(true)),
		contactVerb("unblock", "Take messages from an account again", setBlocked(false)),
		contactRemarkCommand(),
		contactListCommand())
}

// toAccount does one thing with one account.
type toAccount func(context.Context, *client.Client, hongyan.UserID) error

func answerContact(accept bool) toAccount {
	return func(ctx context.Context, cl *client.Client, u hongyan.UserID) error {
		_, err := cl.AnswerContact(ctx, u, accept)
		return err
	}
}

func removeContact(ctx context.Context, cl *client.Client, u hongyan.UserID) error {
	return cl.RemoveContact(ctx, u)
}

func setBlocked(blocked bool) toAccount {
	return func(ctx context.Context, cl *client.Client, u hongyan.UserID) error {
		_, err := cl.SetContact(ctx, u, client.ContactChange{Blocked: &blocked})
		return err
	}
}

// contactVerb makes a command that does one thing with one account.
func contactVerb(verb, short string, do toAccount) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " NAME",
		Short:   short,
		Example: "  hongyan contact " + verb + " bob",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		other, err := account(c.Context(), cl, args[0])
		if err != nil {
			return err
		}
		return do(c.Context(), cl, other.User)
	})
	return c
}

func contactAskCommand() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use:     "ask NAME",
		Short:   "Ask an account to become a contact",
		Example: `  hongyan contact ask bob --note "we met on Monday"`,
		Args:    cobra.ExactArgs(1),
	}
	p := profileFlag(c)
	c.Flags().StringVar(&note, "note", "", "`words` that the other side sees with the request")
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		contact, err := cl.AskContact(c.Context(), args[0], note)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", contact.Profile.Name, contactNames[contact.State])
		return err
	})
	return c
}

func contactRemarkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "remark NAME TEXT",
		Short:   "Set one's own name for an account",
		Long:    "Set one's own name for an account, which only one's own devices see. An empty text removes it.",
		Example: `  hongyan contact remark bob "Bob from the flock"`,
		Args:    cobra.ExactArgs(2),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		other, err := account(c.Context(), cl, args[0])
		if err != nil {
			return err
		}
		_, err = cl.SetContact(c.Context(), other.User, client.ContactChange{Remark: &args[1]})
		return err
	})
	return c
}

func contactListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List one's contacts, and who is to become one",
		Example: "  hongyan contact list --json",
		Args:    cobra.NoArgs,
	}
	p := profileFlag(c)
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, _ []string) error {
		list, err := contacts(c.Context(), cl)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, contact := range list {
			if asJSON {
				if err := printJSON(c.OutOrStdout(), newContactLine(&contact)); err != nil {
					return err
				}
				continue
			}
			state := contactNames[contact.State]
			if contact.Blocked {
				state += ", blocked"
			}
			name := strings.TrimSpace(contact.Remark + " " + contact.Profile.DisplayName)
			rows = append(rows, []string{contact.Profile.Name, id(contact.Profile.User), state, name})
		}
		if asJSON {
			return nil
		}
		return printTable(c.OutOrStdout(), []string{"NAME", "ACCOUNT", "STATE", "CALLED"}, rows)
	})
	return c
}

// contacts reads the whole list from the server, page by page.
func contacts(ctx context.Context, cl *client.Client) ([]hongyan.Contact, error) {
	var all []hongyan.Contact
	request := new(wire.ContactsRequest)
	for {
		reply := new(wire.ContactsReply)
		if err := cl.Do(ctx, wire.OpContacts, request, reply); err != nil {
			return nil, err
		}
		page, err := wire.ToAll("contacts", wire.ToContact, reply.Contacts)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if !reply.More || len(page) == 0 {
			return all, nil
		}
		request.After = uint64(page[len(page)-1].Profile.User)
	}
}
