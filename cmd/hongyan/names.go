package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// The words that the command line uses for the enumerations of package hongyan.
var (
	classNames = map[hongyan.DeviceClass]string{
		hongyan.ClassPhone: "phone", hongyan.ClassTablet: "tablet", hongyan.ClassDesktop: "desktop",
		hongyan.ClassWeb: "web", hongyan.ClassBot: "bot", hongyan.ClassCLI: "cli",
	}
	contactNames = map[hongyan.ContactState]string{
		hongyan.ContactNone: "none", hongyan.ContactAsked: "asked", hongyan.ContactAsking: "asking",
		hongyan.ContactAccepted: "accepted",
	}
	roleNames = map[hongyan.Role]string{
		0: "none", hongyan.RoleMember: "member", hongyan.RoleAdmin: "admin", hongyan.RoleOwner: "owner",
	}
	policyNames = map[hongyan.JoinPolicy]string{
		hongyan.JoinByInvitation: "invitation", hongyan.JoinByApproval: "approval", hongyan.JoinByLink: "link",
	}
	kindNames = map[hongyan.Kind]string{
		hongyan.KindText: "text", hongyan.KindImage: "image", hongyan.KindVoice: "voice", hongyan.KindVideo: "video",
		hongyan.KindFile: "file", hongyan.KindLocation: "location", hongyan.KindCustom: "custom", hongyan.KindNotice: "notice",
	}
	noticeNames = map[hongyan.NoticeEvent]string{
		hongyan.NoticeCreated: "made the group", hongyan.NoticeJoined: "new members", hongyan.NoticeLeft: "left the group",
		hongyan.NoticeRemoved: "removed members", hongyan.NoticeTitle: "changed the title",
		hongyan.NoticeAnnouncement: "changed the announcement", hongyan.NoticeOwner: "handed the group over",
		hongyan.NoticeAdmin: "made admins", hongyan.NoticeNoAdmin: "took back admins", hongyan.NoticeMuted: "muted",
		hongyan.NoticeUnmuted: "unmuted", hongyan.NoticeDissolved: "dissolved the group",
	}
	resetNames = map[wire.ResetReason]string{
		wire.ResetFirst: "first", wire.ResetTrimmed: "trimmed", wire.ResetGeneration: "generation",
	}
	stateNames = map[hongyan.MessageState]string{
		hongyan.Present: "", hongyan.Recalled: "recalled", hongyan.Expired: "expired",
	}
)

// named finds the value of a word.
func named[T comparable](names map[T]string, word string) (T, bool) {
	for value, name := range names {
		if name == word {
			return value, true
		}
	}
	var none T
	return none, false
}

// wordsOf lists the words, in the order of their values.
func wordsOf[T interface {
	comparable
	~uint8
}](names map[T]string) string {
	var list []string
	for _, value := range slices.Sorted(maps.Keys(names)) {
		list = append(list, names[value])
	}
	return strings.Join(list, ", ")
}
