package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

func policy(p hongyan.JoinPolicy) GroupChange { return GroupChange{Policy: &p} }

// members are the names of who is in a group, with their roles.
func (d *device) members(g hongyan.GroupID) string {
	d.w.t.Helper()
	group, err := d.group(g)
	must(d.w.t, err)
	var list []string
	for _, m := range group.Members {
		list = append(list, m.Name+[]string{"", "", " (admin)", " (owner)"}[m.Role])
	}
	return strings.Join(list, ", ")
}

func TestWhoComesInByWhichPolicy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		policy                          hongyan.JoinPolicy
		byMember, byAdmin, byLink, asks string
		code                            hongyan.Code // of coming by the link
	}{
		{hongyan.JoinByInvitation, "in", "in", "", "", hongyan.Forbidden},
		{hongyan.JoinByApproval, "waiting", "in", "waiting", "", 0},
		{hongyan.JoinByLink, "in", "in", "in", "", 0},
	}
	for _, tt := range tests {
		w := newWorld(t, Config{})
		p := w.people("owner", "member", "anne", "bert", "carl")
		owner, member, a, b, c := p[0], p[1], p[2], p[3], p[4]
		g := owner.founds("group", member)
		group, err := owner.setGroup(g, policy(tt.policy))
		must(t, err)
		must(t, member.invite(g, a))
		must(t, owner.invite(g, b))
		joined, waiting, err := c.join(group.Link)
		wantCode(t, err, tt.code)
		if err == nil && (joined.ID != g || waiting != (tt.byLink == "waiting")) {
			t.Errorf("policy %d: the answer to the link is %+v, waiting %v", tt.policy, joined, waiting)
		}
		whole, err := owner.group(g)
		must(t, err)
		where := func(d *device) string {
			switch {
			case slices.ContainsFunc(whole.Members, func(m hongyan.Member) bool { return m.User == d.User }):
				return "in"
			case slices.ContainsFunc(whole.Asking, func(p hongyan.Profile) bool { return p.User == d.User }):
				return "waiting"
			}
			return ""
		}
		if where(a) != tt.byMember || where(b) != tt.byAdmin || where(c) != tt.byLink {
			t.Errorf("policy %d: brought by a member: %q, by an admin: %q, by the link: %q", tt.policy, where(a), where(b), where(c))
		}
	}
}

func TestComingAndGoing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("owner", "bob", "carol")
	owner, bob, carol := p[0], p[1], p[2]
	g := owner.founds("friends", bob)
	c := hongyan.GroupConversation(g)
	bob.says(c, "first")
	must(t, owner.invite(g, carol, carol, owner, bob)) // who is in already does not matter
	must(t, carol.invite(g, carol))
	carol.says(c, "second")
	must(t, bob.leave(g))
	owner.says(c, "third")
	must(t, owner.removeMembers(g, carol))
	owner.says(c, "fourth")
	must(t, owner.invite(g, bob))
	owner.says(c, "fifth")
	for _, tt := range []struct {
		who  *device
		want []string
	}{
		{owner, []string{"created", "first", "joined", "second", "left", "third", "removed", "fourth", "joined", "fifth"}},
		{bob, []string{"joined", "fifth"}},
		{carol, []string{"joined", "second", "left", "third"}},
	} {
		if got := tt.who.whole(c); !slices.Equal(got, tt.want) {
			t.Errorf("%s reads %q, want %q", tt.who.name, got, tt.want)
		}
	}
	bob.sync()
	if got := bob.texts(c); !slices.Equal(got, []string{"created", "first", "joined", "second", "joined", "fifth"}) {
		t.Errorf("bob has %q", got)
	}
	if bob.groups[g].Role != hongyan.RoleMember || bob.groups[g].MemberCount != 2 || bob.groups[g].Link == "" {
		t.Errorf("bob knows the group as %+v", bob.groups[g])
	}
	if got := owner.members(g); got != "owner (owner), bob" {
		t.Errorf("the members are %s", got)
	}
	notice := owner.noticeOf(c, hongyan.NoticeRemoved)
	if notice.From != owner.User || !slices.Equal(notice.Content.Notice.Users, []hongyan.UserID{carol.User}) {
		t.Errorf("the notice of the removal is %+v", notice)
	}
}

// noticeOf is the last notice of an event in a conversation.
func (d *device) noticeOf(c hongyan.ConversationID, e hongyan.NoticeEvent) *hongyan.Message {
	d.w.t.Helper()
	h, err := d.history(HistoryQuery{Conversation: c, Limit: MaxHistory})
	must(d.w.t, err)
	for _, m := range slices.Backward(h.Messages) {
		if m.Content.Notice != nil && m.Content.Notice.Event == e {
			return m
		}
	}
	d.w.t.Fatalf("there is no notice %d", e)
	return nil
}

// Who is out, or not in yet, sees nothing of a group but its face, on new devices either.
func TestAGroupIsItsMembersBusiness(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("owner", "gone", "asking")
	owner, gone, asking := p[0], p[1], p[2]
	g := owner.founds("group", gone)
	group, err := owner.setGroup(g, policy(hongyan.JoinByApproval))
	must(t, err)
	must(t, owner.removeMembers(g, gone))
	secret, picture := "secret", "picture"
	_, err = owner.setGroup(g, GroupChange{Announcement: &secret, Avatar: &picture})
	must(t, err)
	seen, waiting, err := asking.join(group.Link)
	must(t, err)
	late := w.device("gone")
	for _, d := range []*device{gone, late, asking} {
		d.sync()
		if d != asking {
			seen = d.groups[g]
		}
		if want := (hongyan.Group{ID: g, Title: "group", Avatar: "picture", CreatedMS: group.CreatedMS}); !sameGroup(seen, want) {
			t.Errorf("%s sees %+v, want %+v", d.name, seen, want)
		}
	}
	if _, known := asking.groups[g]; !waiting || known {
		t.Errorf("waiting %v, and the group is among one's own: %v", waiting, known)
	}
}

func sameGroup(a, b hongyan.Group) bool {
	return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

func TestAskingIsToldToThoseWhoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("owner", "admin", "member", "asking")
	owner, admin, member, asking := p[0], p[1], p[2], p[3]
	g := owner.founds("group", admin, member)
	must(t, owner.setRole(g, admin, hongyan.RoleAdmin))
	group, err := owner.setGroup(g, policy(hongyan.JoinByApproval))
	must(t, err)
	told := func(step string, want ...*device) {
		t.Helper()
		for _, d := range p[:3] {
			d.sync()
			if got := len(d.changes) > 0; got != slices.Contains(want, d) {
				t.Errorf("%s: %s was told: %v", step, d.name, got)
			}
		}
	}
	told("before", p[:3]...)
	for range 2 {
		_, _, err = asking.join(group.Link)
		must(t, err)
		must(t, member.invite(g, asking))
	}
	told("asked", owner, admin)
	must(t, admin.answerJoin(g, asking, false))
	told("turned away", owner, admin)
	wantCode(t, admin.answerJoin(g, asking, true), hongyan.NotFound)
	must(t, member.invite(g, asking))
	must(t, owner.answerJoin(g, asking, true))
	told("let in", p[:3]...)
	if whole, err := member.group(g); err != nil || len(whole.Asking) != 0 || len(whole.Members) != 4 {
		t.Errorf("the member sees %+v, %v", whole, err)
	}
}

func TestWhatIsSetIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	owner, bob := w.pair("owner", "bob")
	g := owner.founds("group", bob)
	c := hongyan.GroupConversation(g)
	title, announcement, avatar, yes, no := "another", "hear, hear", "picture", true, false
	all := GroupChange{Title: &title, Announcement: &announcement, Avatar: &avatar, MutedAll: &yes}
	for range 2 {
		got, err := owner.setGroup(g, all)
		must(t, err)
		if got.Title != title || got.Announcement != announcement || got.Avatar != avatar || !got.MutedAll {
			t.Errorf("the group is %+v", got)
		}
	}
	_, err := owner.setGroup(g, GroupChange{MutedAll: &no})
	must(t, err)
	_, err = owner.setGroup(g, GroupChange{})
	must(t, err)
	until := w.Now().UnixMilli() + 1000
	for _, ms := range []int64{until, until, 0, -5, w.Now().UnixMilli()} {
		must(t, owner.mute(g, bob, ms))
	}
	must(t, owner.setRole(g, bob, hongyan.RoleAdmin))
	must(t, owner.setRole(g, bob, hongyan.RoleAdmin))
	must(t, owner.setRole(g, bob, hongyan.RoleMember))
	must(t, owner.setRole(g, bob, hongyan.RoleOwner))
	want := []string{"created", "title", "announcement", "muted", "unmuted", "muted", "unmuted", "admin", "no admin", "owner"}
	if got := bob.whole(c); !slices.Equal(got, want) {
		t.Errorf("the notices are %q, want %q", got, want)
	}
	if n := owner.noticeOf(c, hongyan.NoticeTitle).Content.Notice; n.Text != title {
		t.Errorf("the notice of the title is %+v", n)
	}
	if got := bob.members(g); got != "owner (admin), bob (owner)" {
		t.Errorf("the members are %s", got)
	}
	must(t, owner.leave(g))
	must(t, bob.dissolve(g))
	bob.sync()
	if got := bob.groups[g]; !got.Dissolved || got.Link != "" || bob.view(c).Left != bob.view(c).Last {
		t.Errorf("the dissolved group is %+v", got)
	}
}

func TestLinksAreRenewedAndEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("owner", "bob", "carol", "dave")
	owner, bob, carol, dave := p[0], p[1], p[2], p[3]
	g := owner.founds("group")
	first, err := owner.setGroup(g, policy(hongyan.JoinByLink))
	must(t, err)
	_, _, err = bob.join(strings.ToLower(first.Link)) // as people type it
	must(t, err)
	if again, waiting, err := bob.join(first.Link); err != nil || waiting || again.Role != hongyan.RoleMember {
		t.Errorf("joining twice: %+v, %v, %v", again, waiting, err)
	}
	second, err := owner.setGroup(g, GroupChange{NewLink: true})
	must(t, err)
	for _, tt := range []struct {
		link string
		code hongyan.Code
	}{{first.Link, hongyan.NotFound}, {"nonsense", hongyan.Invalid}, {"", hongyan.Invalid}, {second.Link, 0}} {
		if _, _, err := carol.join(tt.link); hongyan.CodeOf(err) != tt.code {
			t.Errorf("by the link %q: %v, want %v", tt.link, err, tt.code)
		}
	}
	if got := owner.members(g); got != "owner (owner), bob, carol" {
		t.Errorf("the members are %s", got)
	}
	must(t, owner.dissolve(g))
	_, _, err = dave.join(second.Link)
	wantCode(t, err, hongyan.NotFound)
}

func TestWhomNobodyCanInvite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{ContactsOnly: true})
	p := w.people("owner", "friend", "blocking", "stranger", "disabled")
	owner, friend, blocking, stranger, disabled := p[0], p[1], p[2], p[3], p[4]
	for _, d := range []*device{friend, blocking, disabled} {
		w.befriend(owner, d)
	}
	must(t, blocking.block(owner, true))
	w.disable("disabled", true)
	g := owner.founds("group")
	for _, tt := range []struct {
		who  *device
		code hongyan.Code
	}{{friend, 0}, {blocking, hongyan.Blocked}, {stranger, hongyan.ContactRequired}, {disabled, hongyan.NotFound}} {
		wantCode(t, owner.invite(g, tt.who), tt.code)
		_, err := owner.newGroup(NewGroup{Title: "x", Others: targetsOf(tt.who)})
		wantCode(t, err, tt.code)
	}
	wantCode(t, owner.invite(g, friend, stranger), hongyan.ContactRequired)
	wantCode(t, owner.try(func(done func(error)) { w.chat.Invite(owner.Caller, g, []Target{{}}, done) }), hongyan.Invalid)
	wantCode(t, owner.try(func(done func(error)) {
		w.chat.Invite(owner.Caller, g, make([]Target, MaxInvited+1), done)
	}), hongyan.TooMany)
	if got := owner.members(g); got != "owner (owner), friend" {
		t.Errorf("the members are %s", got)
	}
}

func TestCreatingAGroupAgainFindsTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	n := NewGroup{Title: "group", Others: targetsOf(bob), ClientID: w.newClientID()}
	first, err := alice.newGroup(n)
	must(t, err)
	if again, err := alice.newGroup(n); err != nil || again.ID != first.ID || len(again.Members) != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	for name, change := range map[string]func(n *NewGroup){
		"another title":  func(n *NewGroup) { n.Title = "another" },
		"others":         func(n *NewGroup) { n.Others = nil },
		"another policy": func(n *NewGroup) { n.Policy = hongyan.JoinByLink },
	} {
		other := n
		change(&other)
		if _, err := alice.newGroup(other); hongyan.CodeOf(err) != hongyan.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = alice.draft(Draft{
		Conversation: alice.with(bob), ClientID: n.ClientID, FirstAttemptMS: w.Now().UnixMilli(), Content: hongyan.Text("x"),
	})
	wantCode(t, err, hongyan.Conflict)
	bob.sync()
	if len(bob.groups) != 1 || len(bob.conversations) != 1 {
		t.Errorf("bob is in %d groups and has %d conversations", len(bob.groups), len(bob.conversations))
	}
	for name, bad := range map[string]NewGroup{
		"title": {Title: strings.Repeat("x", MaxTitle+1)}, "policy": {Policy: 4}, "control": {Title: "a\x00b"},
		"others": {Others: make([]Target, MaxInvited+1)},
	} {
		if _, err := alice.newGroup(bad); err == nil {
			t.Errorf("a bad %s was taken", name)
		}
	}
}
