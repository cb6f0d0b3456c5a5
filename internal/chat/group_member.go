package chat

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Invite brings others into a group. Where newcomers need approval, those whom a plain member brings wait for it.
func (s *Service) Invite(c Caller, g hongyan.GroupID, others []Target, done func(error)) {
	if err := checkInvited(others); err != nil {
		done(err)
		return
	}
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := liveGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		users, err := s.invitable(tx, c.User, others)
		if err != nil {
			return none{}, err
		}
		users = slices.DeleteFunc(users, func(u hongyan.UserID) bool { return group.Find(u) != nil })
		if len(users) == 0 {
			return none{}, nil
		}
		if group.Policy == hongyan.JoinByApproval && group.Find(c.User).Role < hongyan.RoleAdmin {
			return none{}, ask(tx, g, group, users)
		}
		return none{}, admit(tx, g, group, users, c.User)
	}, finish(done))
}

// Join brings the caller into the group of a link, or lets it ask. Waiting says which.
func (s *Service) Join(c Caller, link string, done func(g hongyan.Group, waiting bool, err error)) {
	type joined struct {
		group   hongyan.Group
		waiting bool
	}
	code, err := auth.ParseCode(link)
	if err != nil {
		done(hongyan.Group{}, false, hongyan.Errorf(hongyan.Invalid, "%v", err))
		return
	}
	write(s, c, func(tx *inbox.Tx) (joined, error) {
		id, err := store.Links.Get(tx, code.Reveal())
		if err != nil {
			return joined{}, err
		}
		if id == nil {
			return joined{}, hongyan.Errorf(hongyan.NotFound, "there is no group behind this link").
				WithHint("ask a member for the group's present link")
		}
		group, err := store.Groups.Get(tx, *id)
		if err != nil {
			return joined{}, err
		}
		switch {
		case group.Find(c.User) != nil:
			return joined{group: groupFor(*id, group, c.User)}, nil
		case group.Policy == hongyan.JoinByInvitation:
			return joined{}, hongyan.Errorf(hongyan.Forbidden, "one comes into this group by invitation only")
		case group.Policy == hongyan.JoinByApproval:
			return joined{groupFor(*id, group, c.User), true}, ask(tx, *id, group, []hongyan.UserID{c.User})
		}
		if err := admit(tx, *id, group, []hongyan.UserID{c.User}, c.User); err != nil {
			return joined{}, err
		}
		group, err = store.Groups.Get(tx, *id)
		if err != nil {
			return joined{}, err
		}
		return joined{group: groupFor(*id, group, c.User)}, nil
	}, func(j joined, err error) { done(j.group, j.waiting, err) })
}

// AnswerJoin lets an account in that asked, or not.
func (s *Service) AnswerJoin(c Caller, g hongyan.GroupID, u hongyan.UserID, accept bool, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := ruledGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		if !slices.Contains(group.Asking, u) {
			return none{}, hongyan.Errorf(hongyan.NotFound, "account %d does not wait to be let in", u)
		}
		group = copyGroup(group)
		group.Asking = slices.DeleteFunc(group.Asking, func(a hongyan.UserID) bool { return a == u })
		if accept && group.Find(u) == nil {
			return none{}, admit(tx, g, group, []hongyan.UserID{u}, c.User)
		}
		return none{}, saveAsking(tx, g, group)
	}, finish(done))
}

// Leave takes the caller out of a group. An owner hands the group over or dissolves it first.
func (s *Service) Leave(c Caller, g hongyan.GroupID, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := liveGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		if group.Owner == c.User {
			return none{}, hongyan.Errorf(hongyan.Forbidden, "the owner cannot leave the group").
				WithHint("hand it over to a member, or dissolve it")
		}
		return none{}, expel(tx, g, group, []hongyan.UserID{c.User}, c.User, hongyan.NoticeLeft)
	}, finish(done))
}

// RemoveMembers puts members out of a group: the owner anybody, an admin plain members.
func (s *Service) RemoveMembers(c Caller, g hongyan.GroupID, users []hongyan.UserID, done func(error)) {
	if len(users) == 0 || len(users) > MaxInvited {
		done(hongyan.Errorf(hongyan.Invalid, "name 1 to %d members", MaxInvited))
		return
	}
	slices.Sort(users)
	users = slices.Compact(users)
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := ruledGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		for _, u := range users {
			m := group.Find(u)
			if m == nil {
				return none{}, hongyan.Errorf(hongyan.NotMember, "account %d is not a member", u)
			}
			if m.Role >= group.Find(c.User).Role {
				return none{}, hongyan.Errorf(hongyan.Forbidden, "account %d ranks no lower in the group", u)
			}
		}
		return none{}, expel(tx, g, group, users, c.User, hongyan.NoticeRemoved)
	}, finish(done))
}

// invitable resolves the accounts that u wants to bring in and checks that each may be brought.
func (s *Service) invitable(tx *inbox.Tx, u hongyan.UserID, others []Target) ([]hongyan.UserID, error) {
	var users []hongyan.UserID
	for _, t := range others {
		other, a, err := t.resolve(tx)
		if err != nil {
			return nil, err
		}
		if other == u || slices.Contains(users, other) {
			continue
		}
		theirs, err := store.Contacts.Get(tx, store.Pair{User: other, Other: u})
		switch {
		case err != nil:
			return nil, err
		case theirs != nil && theirs.Blocked:
			return nil, hongyan.Errorf(hongyan.Blocked, "%s cannot be invited by this account", a.Name)
		case s.config.ContactsOnly && (theirs == nil || theirs.State != hongyan.ContactAccepted):
			return nil, hongyan.Errorf(hongyan.ContactRequired, "%s is not a contact", a.Name).
				WithHint("on this server one invites contacts")
		}
		users = append(users, other)
	}
	return users, nil
}

// roomForGroups checks that none of the accounts is in too many groups.
func roomForGroups(tx *inbox.Tx, users []hongyan.UserID) error {
	for _, u := range users {
		a, err := account(tx, u)
		if err != nil {
			return err
		}
		if a.Groups >= MaxGroups {
			return hongyan.Errorf(hongyan.TooMany, "%s is in %d groups, which is the limit", a.Name, MaxGroups)
		}
	}
	return nil
}

// admit brings users into a group and says so.
func admit(tx *inbox.Tx, id hongyan.GroupID, group *store.Group, users []hongyan.UserID, by hongyan.UserID) error {
	if err := tx.Accepting(); err != nil {
		return err
	}
	if len(group.Members)+len(users) > MaxMembers {
		return hongyan.Errorf(hongyan.TooMany, "the group would have %d members, the limit is %d",
			len(group.Members)+len(users), MaxMembers)
	}
	if err := roomForGroups(tx, users); err != nil {
		return err
	}
	group = copyGroup(group)
	group.Asking = slices.DeleteFunc(group.Asking, func(u hongyan.UserID) bool { return slices.Contains(users, u) })
	if err := addMembers(tx, id, group, users, hongyan.RoleMember); err != nil {
		return err
	}
	return saveGroup(tx, id, group, by, nil, hongyan.Notice{Event: hongyan.NoticeJoined, Users: users})
}

// addMembers puts users into the record of a group, and opens its conversation to them from here on.
func addMembers(tx *inbox.Tx, id hongyan.GroupID, group *store.Group, users []hongyan.UserID, role hongyan.Role) error {
	c := hongyan.GroupConversation(id)
	last, err := tx.LastOrdinal(c)
	if err != nil {
		return err
	}
	for _, u := range users {
		group.Members = append(group.Members, store.Member{User: u, Role: role, JoinedMS: tx.NowMS()})
		err := updateView(tx, u, c, func(v *store.ConversationView) { v.Joined, v.Left = last, 0 })
		if err != nil {
			return err
		}
		if err := countGroups(tx, u, +1); err != nil {
			return err
		}
	}
	return nil
}

// expel takes users out of a group and says so to those who stay.
func expel(tx *inbox.Tx, id hongyan.GroupID, group *store.Group, users []hongyan.UserID, by hongyan.UserID, event hongyan.NoticeEvent) error {
	group = copyGroup(group)
	group.Members = slices.DeleteFunc(group.Members, func(m store.Member) bool { return slices.Contains(users, m.User) })
	if err := closeTo(tx, id, users); err != nil {
		return err
	}
	return saveGroup(tx, id, group, by, users, hongyan.Notice{Event: event, Users: users})
}

// closeTo closes the group's conversation to users: what comes after now is not for them.
func closeTo(tx *inbox.Tx, id hongyan.GroupID, users []hongyan.UserID) error {
	c := hongyan.GroupConversation(id)
	last, err := tx.LastOrdinal(c)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := updateView(tx, u, c, func(v *store.ConversationView) { v.Left = last }); err != nil {
			return err
		}
		if err := countGroups(tx, u, -1); err != nil {
			return err
		}
	}
	return nil
}

// ask notes that users wait to be let in, and tells the admins.
func ask(tx *inbox.Tx, id hongyan.GroupID, group *store.Group, users []hongyan.UserID) error {
	users = slices.DeleteFunc(users, func(u hongyan.UserID) bool { return slices.Contains(group.Asking, u) })
	if len(users) == 0 {
		return nil
	}
	if len(group.Asking)+len(users) > MaxAsking {
		return hongyan.Errorf(hongyan.TooMany, "%d accounts wait to be let in already", len(group.Asking)).
			WithHint("ask an admin of the group to answer them")
	}
	group = copyGroup(group)
	group.Asking = append(group.Asking, users...)
	return saveAsking(tx, id, group)
}

func countGroups(tx *inbox.Tx, u hongyan.UserID, by int) error {
	a, err := store.Accounts.Get(tx, u)
	if err != nil || a == nil {
		return err
	}
	changed := *a
	changed.Groups += by
	store.Accounts.Put(tx.Tx, u, &changed)
	return nil
}
