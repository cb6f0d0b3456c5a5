package operation

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/wire"
)

// targets joins accounts that are named by id with those named by name.
func targets(users []uint64, names []string) []chat.Target {
	list := make([]chat.Target, 0, len(users)+len(names))
	for _, u := range users {
		list = append(list, chat.Target{User: hongyan.UserID(u)})
	}
	for _, n := range names {
		list = append(list, chat.Target{Name: n})
	}
	return list
}

func profiles(d *Desk, c Caller, q *wire.ProfilesRequest, done func(Reply, error)) {
	d.Chat.Profiles(c.chat(), targets(q.Users, q.Names), answer(done, func(list []hongyan.Profile) *wire.ProfilesReply {
		return &wire.ProfilesReply{Profiles: wire.FromAll(wire.FromProfile, list)}
	}))
}

func setProfile(d *Desk, c Caller, q *wire.SetProfileRequest, done func(Reply, error)) {
	change := chat.ProfileChange{DisplayName: q.DisplayName, Avatar: q.Avatar, Bio: q.Bio}
	d.Chat.SetProfile(c.chat(), change, answer(done, func(p hongyan.Profile) *wire.SetProfileReply {
		return &wire.SetProfileReply{Profile: wire.FromProfile(p)}
	}))
}

func askContact(d *Desk, c Caller, q *wire.AskContactRequest, done func(Reply, error)) {
	t := chat.Target{User: hongyan.UserID(q.GetUser()), Name: q.GetName()}
	d.Chat.AskContact(c.chat(), t, q.Note, answer(done, func(k hongyan.Contact) *wire.AskContactReply {
		return &wire.AskContactReply{Contact: wire.FromContact(k)}
	}))
}

func answerContact(d *Desk, c Caller, q *wire.AnswerContactRequest, done func(Reply, error)) {
	d.Chat.AnswerContact(c.chat(), hongyan.UserID(q.User), q.Accept, answer(done, func(k hongyan.Contact) *wire.AnswerContactReply {
		return &wire.AnswerContactReply{Contact: wire.FromContact(k)}
	}))
}

func setContact(d *Desk, c Caller, q *wire.SetContactRequest, done func(Reply, error)) {
	change := chat.ContactChange{Remark: q.Remark, Blocked: q.Blocked}
	d.Chat.SetContact(c.chat(), hongyan.UserID(q.User), change, answer(done, func(k hongyan.Contact) *wire.SetContactReply {
		return &wire.SetContactReply{Contact: wire.FromContact(k)}
	}))
}

func removeContact(d *Desk, c Caller, q *wire.RemoveContactRequest, done func(Reply, error)) {
	d.Chat.RemoveContact(c.chat(), hongyan.UserID(q.User), ok(done, &wire.RemoveContactReply{}))
}

func contacts(d *Desk, c Caller, q *wire.ContactsRequest, done func(Reply, error)) {
	d.Chat.Contacts(c.chat(), hongyan.UserID(q.After), q.Limit, answer(done, func(l chat.ListedContacts) *wire.ContactsReply {
		return &wire.ContactsReply{Contacts: wire.FromAll(wire.FromContact, l.Contacts), More: l.More}
	}))
}
