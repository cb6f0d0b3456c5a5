package chat

import (
	"testing"

	"github.com/hongyan-im/hongyan"
)

// roles are people of every standing towards a group whose policy is approval: the owner and two admins, two plain
// members, a muted one, one who waits to be let in, one who was removed, and one who has nothing to do with it.
type roles struct {
	w                                                                    *world
	g                                                                    hongyan.GroupID
	c                                                                    hongyan.ConversationID
	link                                                                 string
	owner, admin, admin2, member, member2, muted, asking, gone, stranger *device
	said                                                                 hongyan.Ordinal // by member2
}

func newRoles(t testing.TB) *roles {
	w := newWorld(t, Config{})
	p := w.people("owner", "admin", "admin2", "member", "member2", "muted", "asking", "gone", "stranger", "guest")
	r := &roles{
		w: w, owner: p[0], admin: p[1], admin2: p[2], member: p[3], member2: p[4], muted: p[5], asking: p[6], gone: p[7],
		stranger: p[8],
	}
	g, err := r.owner.newGroup(NewGroup{Title: "group", Others: targetsOf(p[1], p[2], p[3], p[4], p[5], p[7]), Policy: hongyan.JoinByApproval})
	must(t, err)
	r.g, r.c, r.link = g.ID, hongyan.GroupConversation(g.ID), g.Link
	must(t, r.owner.setRole(r.g, r.admin, hongyan.RoleAdmin))
	must(t, r.owner.setRole(r.g, r.admin2, hongyan.RoleAdmin))
	r.said = r.member2.says(r.c, "hello")
	must(t, r.owner.mute(r.g, r.muted, w.Now().UnixMilli()+1))
	_, waiting, err := r.asking.join(g.Link)
	must(t, err)
	if !waiting {
		t.Fatal("the link let in")
	}
	must(t, r.owner.removeMembers(r.g, r.gone))
	return r
}

// deeds are what can be done to a group and in it.
var deeds = map[string]func(r *roles, who *device) error{
	"read": func(r *roles, who *device) error {
		_, err := who.history(HistoryQuery{Conversation: r.c})
		return err
	},
	"mark as read":    func(r *roles, who *device) error { return who.read(r.c, r.said) },
	"count readers":   func(r *roles, who *device) error { _, err := who.readers(r.c, r.said); return err },
	"see the members": func(r *roles, who *device) error { _, err := who.group(r.g); return err },
	"write":           func(r *roles, who *device) error { _, err := who.send(r.c, "x"); return err },
	"write when all are muted": func(r *roles, who *device) error {
		yes := true
		if _, err := r.owner.setGroup(r.g, GroupChange{MutedAll: &yes}); err != nil {
			return err
		}
		_, err := who.send(r.c, "x")
		return err
	},
	"recall another's": func(r *roles, who *device) error { return who.recall(r.c, r.said) },
	"invite":           func(r *roles, who *device) error { return who.invite(r.g, r.stranger) },
	"join by the link": func(r *roles, who *device) error { _, _, err := who.join(r.link); return err },
	"leave":            func(r *roles, who *device) error { return who.leave(r.g) },
	"set the title": func(r *roles, who *device) error {
		title := "another"
		_, err := who.setGroup(r.g, GroupChange{Title: &title})
		return err
	},
	"renew the link":   func(r *roles, who *device) error { _, err := who.setGroup(r.g, GroupChange{NewLink: true}); return err },
	"let in":           func(r *roles, who *device) error { return who.answerJoin(r.g, r.asking, true) },
	"turn away":        func(r *roles, who *device) error { return who.answerJoin(r.g, r.asking, false) },
	"remove a member":  func(r *roles, who *device) error { return who.removeMembers(r.g, r.member2) },
	"remove an admin":  func(r *roles, who *device) error { return who.removeMembers(r.g, r.admin2) },
	"remove the owner": func(r *roles, who *device) error { return who.removeMembers(r.g, r.owner) },
	"mute a member":    func(r *roles, who *device) error { return who.mute(r.g, r.member2, 1<<60) },
	"mute an admin":    func(r *roles, who *device) error { return who.mute(r.g, r.admin2, 1<<60) },
	"mute the owner":   func(r *roles, who *device) error { return who.mute(r.g, r.owner, 1<<60) },
	"make an admin":    func(r *roles, who *device) error { return who.setRole(r.g, r.member2, hongyan.RoleAdmin) },
	"unmake an admin":  func(r *roles, who *device) error { return who.setRole(r.g, r.admin2, hongyan.RoleMember) },
	"unmake the owner": func(r *roles, who *device) error { return who.setRole(r.g, r.owner, hongyan.RoleMember) },
	"make an owner":    func(r *roles, who *device) error { return who.setRole(r.g, r.member2, hongyan.RoleOwner) },
	"dissolve":         func(r *roles, who *device) error { return who.dissolve(r.g) },
}

func TestWhoMayDoWhatInAGroup(t *testing.T) {
	t.Parallel()
	const (
		yes = hongyan.Code(0)
		no  = hongyan.Forbidden
		out = hongyan.NotMember
		nil = hongyan.NotFound
		mut = hongyan.Muted
		end = hongyan.Dissolved
	)
	tests := []struct {
		deed                                                           string
		owner, admin, member, muted, asking, gone, stranger, dissolved hongyan.Code
	}{
		// What one was there for stays readable for whoever was there.
		{"read", yes, yes, yes, yes, nil, yes, nil, yes},
		{"mark as read", yes, yes, yes, yes, nil, yes, nil, yes},
		{"count readers", yes, yes, yes, yes, nil, out, nil, yes},
		{"see the members", yes, yes, yes, yes, out, out, out, yes},
		{"write", yes, yes, yes, mut, out, out, out, end},
		{"write when all are muted", yes, yes, mut, mut, out, out, out, end},
		{"recall another's", yes, yes, no, no, out, out, out, end},
		{"invite", yes, yes, yes, yes, out, out, out, end},
		{"join by the link", yes, yes, yes, yes, yes, yes, yes, nil},
		{"leave", no, yes, yes, yes, out, out, out, end},
		{"set the title", yes, yes, no, no, out, out, out, end},
		{"renew the link", yes, yes, no, no, out, out, out, end},
		{"let in", yes, yes, no, no, out, out, out, end},
		{"turn away", yes, yes, no, no, out, out, out, end},
		{"remove a member", yes, yes, no, no, out, out, out, end},
		{"remove an admin", yes, no, no, no, out, out, out, end},
		{"remove the owner", no, no, no, no, out, out, out, end},
		{"mute a member", yes, yes, no, no, out, out, out, end},
		{"mute an admin", yes, no, no, no, out, out, out, end},
		{"mute the owner", no, no, no, no, out, out, out, end},
		{"make an admin", yes, no, no, no, out, out, out, end},
		{"unmake an admin", yes, no, no, no, out, out, out, end},
		{"unmake the owner", no, no, no, no, out, out, out, end},
		{"make an owner", yes, no, no, no, out, out, out, end},
		{"dissolve", yes, no, no, no, out, out, out, end},
	}
	if len(tests) != len(deeds) {
		t.Errorf("%d deeds of %d are in the table", len(tests), len(deeds))
	}
	for _, tt := range tests {
		for i, want := range []hongyan.Code{tt.owner, tt.admin, tt.member, tt.muted, tt.asking, tt.gone, tt.stranger} {
			r := newRoles(t)
			who := []*device{r.owner, r.admin, r.member, r.muted, r.asking, r.gone, r.stranger}[i]
			if err := deeds[tt.deed](r, who); hongyan.CodeOf(err) != want {
				t.Errorf("%s, %s: %v, want %v", tt.deed, who.name, err, want)
			}
		}
		r := newRoles(t)
		must(t, r.owner.dissolve(r.g))
		if err := deeds[tt.deed](r, r.owner); hongyan.CodeOf(err) != tt.dissolved {
			t.Errorf("%s, when the group is dissolved: %v, want %v", tt.deed, err, tt.dissolved)
		}
	}
}
