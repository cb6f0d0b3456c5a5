package chat

import (
	"encoding/binary"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// NewGroup is a group to be made. ClientID makes a retry within a day find the group of the first attempt.
type NewGroup struct {
	Title    string
	Others   []Target
	Policy   hongyan.JoinPolicy // zero: by invitation
	ClientID hongyan.ClientID
}

const createRetryMS = 24 * 3600_000

// CreateGroup makes a group of the caller, who owns it, and others.
func (s *Service) CreateGroup(c Caller, n NewGroup, done func(hongyan.Group, error)) {
	if n.Policy == 0 {
		n.Policy = hongyan.JoinByInvitation
	}
	if err := firstError(checkLength("title", n.Title, MaxTitle), checkPolicy(n.Policy), checkInvited(n.Others)); err != nil {
		done(hongyan.Group{}, err)
		return
	}
	write(s, c, func(tx *inbox.Tx) (hongyan.Group, error) { return s.createGroup(tx, c, n) }, done)
}

func (s *Service) createGroup(tx *inbox.Tx, c Caller, n NewGroup) (hongyan.Group, error) {
	digest := digestOf(hongyan.ConversationID{}, store.Encode(n))
	if n.ClientID != (hongyan.ClientID{}) {
		var g hongyan.GroupID
		seen, err := retried(tx, c.User, n.ClientID, tx.NowMS()-createRetryMS, digest, &g)
		if err != nil {
			return hongyan.Group{}, err
		}
		if seen {
			group, err := memberGroup(tx, g, c.User)
			if err != nil {
				return hongyan.Group{}, err
			}
			return wholeGroup(tx, g, group, c.User)
		}
	}
	if err := tx.Accepting(); err != nil {
		return hongyan.Group{}, err
	}
	users, err := s.invitable(tx, c.User, n.Others)
	if err != nil {
		return hongyan.Group{}, err
	}
	users = slices.DeleteFunc(users, func(u hongyan.UserID) bool { return u == c.User })
	id, err := s.newGroupID(tx)
	if err != nil {
		return hongyan.Group{}, err
	}
	link, err := s.newLink(tx)
	if err != nil {
		return hongyan.Group{}, err
	}
	if err := roomForGroups(tx, append([]hongyan.UserID{c.User}, users...)); err != nil {
		return hongyan.Group{}, err
	}
	group := &store.Group{Title: n.Title, Owner: c.User, Policy: n.Policy, Link: link, CreatedMS: tx.NowMS()}
	store.Links.Put(tx.Tx, link, &id)
	if err := addMembers(tx, id, group, []hongyan.UserID{c.User}, hongyan.RoleOwner); err != nil {
		return hongyan.Group{}, err
	}
	if err := addMembers(tx, id, group, users, hongyan.RoleMember); err != nil {
		return hongyan.Group{}, err
	}
	notice := hongyan.Notice{Event: hongyan.NoticeCreated, Users: users, Text: n.Title}
	if err := saveGroup(tx, id, group, c.User, nil, notice); err != nil {
		return hongyan.Group{}, err
	}
	if n.ClientID != (hongyan.ClientID{}) {
		remember(tx, c.User, n.ClientID, digest, store.Encode(id))
	}
	return wholeGroup(tx, id, group, c.User)
}

// Group reads a group with its members, for a member.
func (s *Service) Group(c Caller, g hongyan.GroupID, done func(hongyan.Group, error)) {
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (hongyan.Group, error) {
		group, err := memberGroup(r, g, c.User)
		if err != nil {
			return hongyan.Group{}, err
		}
		return wholeGroup(r, g, group, c.User)
	}, done)
}

// memberGroup reads a group, alive or not, that u is a member of.
func memberGroup(r store.Reader, g hongyan.GroupID, u hongyan.UserID) (*store.Group, error) {
	group, err := store.Groups.Get(r, g)
	switch {
	case err != nil:
		return nil, err
	case group == nil:
		return nil, hongyan.Errorf(hongyan.NotFound, "there is no group %d", g)
	case group.Find(u) == nil:
		return nil, hongyan.Errorf(hongyan.NotMember, "this account is not a member of group %d", g)
	}
	return group, nil
}

// liveGroup reads a group that u is a member of and that is not dissolved.
func liveGroup(r store.Reader, g hongyan.GroupID, u hongyan.UserID) (*store.Group, error) {
	group, err := memberGroup(r, g, u)
	if err == nil && group.Dissolved {
		return nil, hongyan.Errorf(hongyan.Dissolved, "group %d was dissolved", g)
	}
	return group, err
}

// ruledGroup reads a live group whose owner or admin u is.
func ruledGroup(r store.Reader, g hongyan.GroupID, u hongyan.UserID) (*store.Group, error) {
	group, err := liveGroup(r, g, u)
	if err == nil && group.Find(u).Role < hongyan.RoleAdmin {
		return nil, hongyan.Errorf(hongyan.Forbidden, "only the owner and the admins of the group may do this")
	}
	return group, err
}

// maySpeak says whether a member may write in the group at a time.
func maySpeak(g *store.Group, u hongyan.UserID, nowMS int64) error {
	m := g.Find(u)
	switch {
	case m.Role >= hongyan.RoleAdmin:
		return nil
	case g.MutedAll:
		return hongyan.Errorf(hongyan.Muted, "only the owner and the admins may write in this group at present")
	case m.MutedUntilMS > nowMS:
		return hongyan.Errorf(hongyan.Muted, "this account may not write in the group until %d ms", m.MutedUntilMS)
	}
	return nil
}

func memberIDs(g *store.Group) []hongyan.UserID {
	ids := make([]hongyan.UserID, len(g.Members))
	for i := range g.Members {
		ids[i] = g.Members[i].User
	}
	return ids
}

// copyGroup makes a copy to be changed: what the tables return is shared.
func copyGroup(g *store.Group) *store.Group {
	c := *g
	c.Members = slices.Clone(g.Members)
	c.Asking = slices.Clone(g.Asking)
	return &c
}

// saveGroup writes a changed group, tells its members, and puts notices of what `by` did among the messages. gone are
// those who are members no more and must learn that.
func saveGroup(tx *inbox.Tx, id hongyan.GroupID, g *store.Group, by hongyan.UserID, gone []hongyan.UserID, notices ...hongyan.Notice) error {
	store.Groups.Put(tx.Tx, id, g)
	members := memberIDs(g)
	if err := tellOfGroup(tx, id, append(slices.Clone(members), gone...)); err != nil {
		return err
	}
	actor, err := store.Accounts.Get(tx, by)
	if err != nil {
		return err
	}
	for i := range notices {
		content := hongyan.Content{Kind: hongyan.KindNotice, Notice: &notices[i]}
		err := tx.AddMessage(&hongyan.Message{
			ID: tx.NewMessageID(), Conversation: hongyan.GroupConversation(id), From: by, FromName: actor.Name,
			TimeMS: tx.NowMS(), Content: content,
		}, store.Encode(content), members)
		if err != nil {
			return err
		}
	}
	return nil
}

// saveAsking writes a group in which nothing has changed but who waits to be let in. It concerns those who answer.
func saveAsking(tx *inbox.Tx, id hongyan.GroupID, g *store.Group) error {
	store.Groups.Put(tx.Tx, id, g)
	var rulers []hongyan.UserID
	for _, m := range g.Members {
		if m.Role >= hongyan.RoleAdmin {
			rulers = append(rulers, m.User)
		}
	}
	return tellOfGroup(tx, id, rulers)
}

// tellOfGroup makes a group new to users.
func tellOfGroup(tx *inbox.Tx, id hongyan.GroupID, users []hongyan.UserID) error {
	item := binary.BigEndian.AppendUint64(nil, uint64(id))
	for _, u := range users {
		if err := tx.SetItem(u, hongyan.TypeGroup, item, nil); err != nil {
			return err
		}
	}
	return nil
}

// groupFor is a group as u sees it, without its members. Who is not a member, or not any more, sees its face alone.
func groupFor(id hongyan.GroupID, g *store.Group, u hongyan.UserID) hongyan.Group {
	group := hongyan.Group{ID: id, Title: g.Title, Avatar: g.Avatar, CreatedMS: g.CreatedMS}
	if m := g.Find(u); m != nil {
		group.Announcement, group.Owner, group.MemberCount = g.Announcement, g.Owner, len(g.Members)
		group.Policy, group.MutedAll, group.Dissolved = g.Policy, g.MutedAll, g.Dissolved
		group.Role, group.Link = m.Role, g.Link
	}
	return group
}

// wholeGroup is a group as its member u sees it, with everybody in it.
func wholeGroup(r store.Reader, id hongyan.GroupID, g *store.Group, u hongyan.UserID) (hongyan.Group, error) {
	group := groupFor(id, g, u)
	for _, m := range g.Members {
		a, err := store.Accounts.Get(r, m.User)
		if err != nil {
			return group, err
		}
		group.Members = append(group.Members, hongyan.Member{
			User: m.User, Name: a.Name, Role: m.Role, MutedUntilMS: m.MutedUntilMS, JoinedMS: m.JoinedMS,
		})
	}
	if group.Role < hongyan.RoleAdmin {
		return group, nil
	}
	for _, asking := range g.Asking {
		a, err := store.Accounts.Get(r, asking)
		if err != nil {
			return group, err
		}
		group.Asking = append(group.Asking, a.Profile(asking))
	}
	return group, nil
}

// newGroupID draws an id that is free.
func (s *Service) newGroupID(tx *inbox.Tx) (hongyan.GroupID, error) {
	for {
		id, err := store.RandomID(s.random)
		if err != nil {
			return 0, err
		}
		g, err := store.Groups.Get(tx, hongyan.GroupID(id))
		if g == nil || err != nil {
			return hongyan.GroupID(id), err
		}
	}
}

// newLink draws a join code that is free.
func (s *Service) newLink(tx *inbox.Tx) (string, error) {
	for {
		code, err := auth.NewCode(s.random)
		if err != nil {
			return "", err
		}
		link := code.Reveal()
		used, err := store.Links.Get(tx, link)
		if used == nil || err != nil {
			return link, err
		}
	}
}
