package chat

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// SetRole makes a member an admin, takes that back, or hands the group over. The owner does this.
func (s *Service) SetRole(c Caller, g hongyan.GroupID, u hongyan.UserID, role hongyan.Role, done func(error)) {
	if role < hongyan.RoleMember || role > hongyan.RoleOwner {
		done(hongyan.Errorf(hongyan.Invalid, "there is no role %d", role).WithHint("the roles are member, admin and owner"))
		return
	}
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := liveGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		member := group.Find(u)
		switch {
		case group.Owner != c.User:
			return none{}, hongyan.Errorf(hongyan.Forbidden, "only the owner of the group may do this")
		case member == nil:
			return none{}, hongyan.Errorf(hongyan.NotMember, "account %d is not a member", u)
		case u == c.User && role != hongyan.RoleOwner:
			return none{}, hongyan.Errorf(hongyan.Forbidden, "a group has an owner").WithHint("hand it over to somebody else")
		case member.Role == role:
			return none{}, nil
		}
		group = copyGroup(group)
		notice := hongyan.Notice{Event: hongyan.NoticeAdmin, Users: []hongyan.UserID{u}}
		switch role {
		case hongyan.RoleMember:
			notice.Event = hongyan.NoticeNoAdmin
		case hongyan.RoleOwner:
			notice.Event = hongyan.NoticeOwner
			group.Find(c.User).Role = hongyan.RoleAdmin
			group.Owner = u
		}
		group.Find(u).Role = role
		return none{}, saveGroup(tx, g, group, c.User, nil, notice)
	}, finish(done))
}

// GroupChange is what owner and admins may set; nil fields stay as they are.
type GroupChange struct {
	Title, Announcement, Avatar *string
	Policy                      *hongyan.JoinPolicy
	MutedAll                    *bool
	NewLink                     bool
}

// SetGroup changes a group.
func (s *Service) SetGroup(c Caller, g hongyan.GroupID, change GroupChange, done func(hongyan.Group, error)) {
	if err := change.check(); err != nil {
		done(hongyan.Group{}, err)
		return
	}
	write(s, c, func(tx *inbox.Tx) (hongyan.Group, error) {
		group, err := ruledGroup(tx, g, c.User)
		if err != nil {
			return hongyan.Group{}, err
		}
		group = copyGroup(group)
		link := group.Link
		if change.NewLink {
			if link, err = s.newLink(tx); err != nil {
				return hongyan.Group{}, err
			}
		}
		changed, notices := change.apply(group)
		if link != group.Link {
			store.Links.Delete(tx.Tx, group.Link)
			store.Links.Put(tx.Tx, link, &g)
			group.Link, changed = link, true
		}
		if changed {
			if err := saveGroup(tx, g, group, c.User, nil, notices...); err != nil {
				return hongyan.Group{}, err
			}
		}
		return groupFor(g, group, c.User), nil
	}, done)
}

func (change *GroupChange) check() error {
	var err error
	if change.Title != nil {
		err = firstError(err, checkLength("title", *change.Title, MaxTitle))
	}
	if change.Announcement != nil {
		err = firstError(err, checkLength("announcement", *change.Announcement, MaxAnnouncement))
	}
	if change.Avatar != nil {
		err = firstError(err, checkLength("avatar", *change.Avatar, hongyan.MaxLabel))
	}
	if change.Policy != nil {
		err = firstError(err, checkPolicy(*change.Policy))
	}
	return err
}

// apply changes the group, reports whether it has, and returns the notices of what changed: avatar, policy and link have
// none.
func (change *GroupChange) apply(g *store.Group) (changed bool, notices []hongyan.Notice) {
	avatar, policy := replace(&g.Avatar, change.Avatar), replace(&g.Policy, change.Policy)
	if replace(&g.Title, change.Title) {
		notices = append(notices, hongyan.Notice{Event: hongyan.NoticeTitle, Text: g.Title})
	}
	if replace(&g.Announcement, change.Announcement) {
		notices = append(notices, hongyan.Notice{Event: hongyan.NoticeAnnouncement, Text: g.Announcement})
	}
	if replace(&g.MutedAll, change.MutedAll) {
		notice := hongyan.Notice{Event: hongyan.NoticeUnmuted}
		if g.MutedAll {
			notice.Event = hongyan.NoticeMuted
		}
		notices = append(notices, notice)
	}
	return avatar || policy || len(notices) > 0, notices
}

// replace puts a new value, if there is one, in the place of the old, and reports whether that is another.
func replace[T comparable](old, new *T) bool {
	if new == nil || *old == *new {
		return false
	}
	*old = *new
	return true
}

// MuteMember silences a member until a time, in Unix milliseconds; one that is not in the future lifts it.
func (s *Service) MuteMember(c Caller, g hongyan.GroupID, u hongyan.UserID, untilMS int64, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := ruledGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		m := group.Find(u)
		switch {
		case m == nil:
			return none{}, hongyan.Errorf(hongyan.NotMember, "account %d is not a member", u)
		case m.Role >= group.Find(c.User).Role:
			return none{}, hongyan.Errorf(hongyan.Forbidden, "account %d ranks no lower in the group", u)
		}
		notice := hongyan.Notice{Event: hongyan.NoticeMuted, Users: []hongyan.UserID{u}}
		if untilMS <= tx.NowMS() {
			untilMS, notice.Event = 0, hongyan.NoticeUnmuted
		}
		if m.MutedUntilMS == untilMS {
			return none{}, nil
		}
		group = copyGroup(group)
		group.Find(u).MutedUntilMS = untilMS
		return none{}, saveGroup(tx, g, group, c.User, nil, notice)
	}, finish(done))
}

// Dissolve ends a group. Its members keep what they have; nobody can write any more.
func (s *Service) Dissolve(c Caller, g hongyan.GroupID, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		group, err := liveGroup(tx, g, c.User)
		if err != nil {
			return none{}, err
		}
		if group.Owner != c.User {
			return none{}, hongyan.Errorf(hongyan.Forbidden, "only the owner of the group may dissolve it")
		}
		group = copyGroup(group)
		group.Dissolved, group.Asking = true, nil
		store.Links.Delete(tx.Tx, group.Link)
		group.Link = ""
		if err := saveGroup(tx, g, group, c.User, nil, hongyan.Notice{Event: hongyan.NoticeDissolved}); err != nil {
			return none{}, err
		}
		return none{}, closeTo(tx, g, memberIDs(group))
	}, finish(done))
}

func checkPolicy(p hongyan.JoinPolicy) error {
	if p < hongyan.JoinByInvitation || p > hongyan.JoinByLink {
		return hongyan.Errorf(hongyan.Invalid, "there is no join policy %d", p).
			WithHint("the policies are invitation, approval and link")
	}
	return nil
}

func checkInvited(others []Target) error {
	if len(others) > MaxInvited {
		return hongyan.Errorf(hongyan.TooMany, "%d accounts at once, the limit is %d", len(others), MaxInvited).
			WithHint("bring them in by several requests")
	}
	if i := slices.IndexFunc(others, func(t Target) bool { return t.User == 0 && t.Name == "" }); i >= 0 {
		return hongyan.Errorf(hongyan.Invalid, "account number %d of the request is empty", i+1)
	}
	return nil
}
