package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

func groupCommand() *cobra.Command {
	return family("group", "Manage groups",
		groupCreateCommand(), groupListCommand(), groupInfoCommand(), groupJoinCommand(), groupMuteCommand(),
		groupPeople("invite", "Bring accounts into a group", invite),
		groupPeople("remove", "Put members out of a group", removeMembers),
		groupPeople("admit", "Let accounts in that ask to join a group", answerJoin(true)),
		groupPeople("reject", "Keep accounts out that ask to join a group", answerJoin(false)),
		groupPeople("admin", "Make members admins", setRole(hongyan.RoleAdmin)),
		groupPeople("member", "Make admins ordinary members again", setRole(hongyan.RoleMember)),
		groupPeople("owner", "Hand a group over to a member", setRole(hongyan.RoleOwner)),
		groupText("title", "Change the title of a group", func(text string) client.GroupChange {
			return client.GroupChange{Title: &text}
		}),
		groupText("announce", "Change the announcement of a group", func(text string) client.GroupChange {
			return client.GroupChange{Announcement: &text}
		}),
		groupVerb("link", "Make a new link to join with; the old one stops working", newLink),
		groupVerb("leave", "Leave a group", leave),
		groupVerb("dissolve", "End a group", dissolve))
}

// What a command does with a group, with it and some accounts, and with it and one account.
type (
	toGroup  func(context.Context, *client.Client, hongyan.GroupID) (done string, err error)
	toPeople func(context.Context, *client.Client, hongyan.GroupID, []hongyan.UserID) error
	toMember func(context.Context, *client.Client, hongyan.GroupID, hongyan.UserID) error
)

func invite(ctx context.Context, cl *client.Client, g hongyan.GroupID, list []hongyan.UserID) error {
	return cl.Invite(ctx, g, list, nil)
}

func removeMembers(ctx context.Context, cl *client.Client, g hongyan.GroupID, list []hongyan.UserID) error {
	return cl.RemoveMember(ctx, g, list...)
}

func newLink(ctx context.Context, cl *client.Client, g hongyan.GroupID) (string, error) {
	group, err := cl.SetGroup(ctx, g, client.GroupChange{NewLink: true})
	return group.Link, err
}

func leave(ctx context.Context, cl *client.Client, g hongyan.GroupID) (string, error) {
	return "left", cl.Leave(ctx, g)
}

func dissolve(ctx context.Context, cl *client.Client, g hongyan.GroupID) (string, error) {
	return "dissolved", cl.Dissolve(ctx, g)
}

func answerJoin(accept bool) toPeople {
	return forEach(func(ctx context.Context, cl *client.Client, g hongyan.GroupID, u hongyan.UserID) error {
		return cl.AnswerJoin(ctx, g, u, accept)
	})
}

func setRole(role hongyan.Role) toPeople {
	return forEach(func(ctx context.Context, cl *client.Client, g hongyan.GroupID, u hongyan.UserID) error {
		return cl.SetRole(ctx, g, u, role)
	})
}

// forEach does something with one account after the other, up to the first error.
func forEach(do toMember) toPeople {
	return func(ctx context.Context, cl *client.Client, g hongyan.GroupID, list []hongyan.UserID) error {
		for _, u := range list {
			if err := do(ctx, cl, g, u); err != nil {
				return err
			}
		}
		return nil
	}
}

// groupID reads a group: its number, or its conversation as in g:42.
func groupID(c *cobra.Command, text string) (hongyan.GroupID, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "g:"), 10, 53)
	if err != nil || n == 0 {
		return 0, wrongUse(c, fmt.Errorf("%q is no group: write its number, or its conversation as in g:42", text))
	}
	return hongyan.GroupID(n), nil
}

// groupVerb makes a command that does one thing with a group and says what came of it.
func groupVerb(verb, short string, do toGroup) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " GROUP",
		Short:   short,
		Example: "  hongyan group " + verb + " g:42",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		g, err := groupID(c, args[0])
		if err != nil {
			return err
		}
		done, err := do(c.Context(), cl, g)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), done)
		return err
	})
	return c
}

// groupPeople makes a command that does one thing with some accounts in a group.
func groupPeople(verb, short string, do toPeople) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " GROUP NAME...",
		Short:   short,
		Example: "  hongyan group " + verb + " g:42 bob",
		Args:    cobra.MinimumNArgs(2),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		g, err := groupID(c, args[0])
		if err != nil {
			return err
		}
		list, err := accounts(c.Context(), cl, args[1:])
		if err != nil {
			return err
		}
		return do(c.Context(), cl, g, list)
	})
	return c
}

// groupText makes a command that sets a text of a group.
func groupText(verb, short string, change func(string) client.GroupChange) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " GROUP TEXT",
		Short:   short,
		Example: "  hongyan group " + verb + ` g:42 "Wild geese"`,
		Args:    cobra.ExactArgs(2),
	}
	c.RunE = profileFlag(c).asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		g, err := groupID(c, args[0])
		if err != nil {
			return err
		}
		_, err = cl.SetGroup(c.Context(), g, change(args[1]))
		return err
	})
	return c
}

func groupCreateCommand() *cobra.Command {
	var policy string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create TITLE [NAME...]",
		Short: "Make a group",
		Example: `  hongyan group create "Wild geese" bob carol
  hongyan group create "Open sky" --policy link --json`,
		Args: cobra.MinimumNArgs(1),
	}
	p := profileFlag(c)
	c.Flags().StringVar(&policy, "policy", "invitation", "how others come in: "+wordsOf(policyNames))
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		join, ok := named(policyNames, policy)
		if !ok {
			return wrongUse(c, errors.New("--policy is one of "+wordsOf(policyNames)))
		}
		g, err := cl.CreateGroup(c.Context(), client.NewGroup{Title: args[0], Names: args[1:], Policy: join})
		if err != nil {
			return err
		}
		return printGroup(c, &g, asJSON)
	})
	return c
}

// maxListed is how many conversations the server tells of at once.
const maxListed = 200

func groupListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List one's groups",
		Long:    fmt.Sprintf("List one's groups, as far as they are among the %d conversations in which something happened last.", maxListed),
		Example: "  hongyan group list --json",
		Args:    cobra.NoArgs,
	}
	p := profileFlag(c)
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, _ []string) error {
		reply := new(wire.ConversationsReply)
		if err := cl.Do(c.Context(), wire.OpConversations, &wire.ConversationsRequest{Limit: maxListed}, reply); err != nil {
			return err
		}
		list, err := wire.ToAll("conversations", wire.ToConversation, reply.Conversations)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, conv := range list {
			if _, group := conv.ID.Group(); !group || conv.Left != 0 {
				continue
			}
			if asJSON {
				if err := printJSON(c.OutOrStdout(), newConversationLine(&conv)); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, []string{conv.ID.String(), strconv.Itoa(conv.Unread), conv.Title})
		}
		if asJSON {
			return nil
		}
		return printTable(c.OutOrStdout(), []string{"GROUP", "UNREAD", "TITLE"}, rows)
	})
	return c
}

func groupInfoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "info GROUP",
		Short:   "Show a group and its members",
		Example: "  hongyan group info g:42",
		Args:    cobra.ExactArgs(1),
	}
	p := profileFlag(c)
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		n, err := groupID(c, args[0])
		if err != nil {
			return err
		}
		g, err := cl.GetGroup(c.Context(), n)
		if err != nil {
			return err
		}
		return printGroup(c, &g, asJSON)
	})
	return c
}

func groupJoinCommand() *cobra.Command {
	var note string
	var asJSON bool
	c := &cobra.Command{
		Use:     "join LINK",
		Short:   "Come into a group by its link",
		Example: `  hongyan group join LINK --note "it is me, Bob"`,
		Args:    cobra.ExactArgs(1),
	}
	p := profileFlag(c)
	c.Flags().StringVar(&note, "note", "", "`words` for the admins, where they have to approve")
	jsonFlag(c, &asJSON)
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		g, waiting, err := cl.Join(c.Context(), args[0], note)
		if err != nil {
			return err
		}
		if waiting {
			_, err := fmt.Fprintln(c.ErrOrStderr(), "an admin of the group has to approve first")
			return err
		}
		return printGroup(c, &g, asJSON)
	})
	return c
}

func groupMuteCommand() *cobra.Command {
	var lasting time.Duration
	var lift bool
	c := &cobra.Command{
		Use:   "mute GROUP [NAME...]",
		Short: "Silence members, or everybody but the admins",
		Example: `  hongyan group mute g:42 bob --for 1h
  hongyan group mute g:42
  hongyan group mute g:42 --lift`,
		Args: cobra.MinimumNArgs(1),
	}
	p := profileFlag(c)
	c.Flags().DurationVar(&lasting, "for", 10*time.Minute, "how long; everybody is silent until it is lifted")
	c.Flags().BoolVar(&lift, "lift", false, "let them speak again")
	c.RunE = p.asDevice(func(c *cobra.Command, cl *client.Client, args []string) error {
		g, err := groupID(c, args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			muted := !lift
			_, err := cl.SetGroup(c.Context(), g, client.GroupChange{MutedAll: &muted})
			return err
		}
		list, err := accounts(c.Context(), cl, args[1:])
		if err != nil {
			return err
		}
		until := time.Now().Add(lasting).UnixMilli()
		if lift {
			until = 0
		}
		return forEach(func(ctx context.Context, cl *client.Client, g hongyan.GroupID, u hongyan.UserID) error {
			return cl.MuteMember(ctx, g, u, until)
		})(c.Context(), cl, g, list)
	})
	return c
}

// printGroup shows a group as its members see it.
func printGroup(c *cobra.Command, g *hongyan.Group, asJSON bool) error {
	w := c.OutOrStdout()
	if asJSON {
		return printJSON(w, newGroupLine(g))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", hongyan.GroupConversation(g.ID), g.Title)
	if g.Announcement != "" {
		fmt.Fprintf(&b, "  %s\n", g.Announcement)
	}
	fmt.Fprintf(&b, "others come in by %s; link %s\n", policyNames[g.Policy], g.Link)
	for _, m := range g.Members {
		note := ""
		if until := time.UnixMilli(m.MutedUntilMS); until.After(time.Now()) {
			note = "  muted until " + until.Format(time.DateTime)
		}
		fmt.Fprintf(&b, "%-8s%s%s\n", roleNames[m.Role], m.Name, note)
	}
	for _, p := range g.Asking {
		fmt.Fprintf(&b, "%-8s%s\n", "asks", p.Name)
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}
