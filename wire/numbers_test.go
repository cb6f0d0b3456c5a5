package wire

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/hongyan-im/hongyan"
	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// TestNumbers compares the enumerations of both sides, which convert by number.
func TestNumbers(t *testing.T) {
	t.Parallel()
	check(t, pb.Notice_CREATED, map[string]hongyan.NoticeEvent{
		"CREATED": hongyan.NoticeCreated, "JOINED": hongyan.NoticeJoined, "LEFT": hongyan.NoticeLeft,
		"REMOVED": hongyan.NoticeRemoved, "TITLE": hongyan.NoticeTitle, "ANNOUNCEMENT": hongyan.NoticeAnnouncement,
		"OWNER": hongyan.NoticeOwner, "ADMIN": hongyan.NoticeAdmin, "NO_ADMIN": hongyan.NoticeNoAdmin,
		"MUTED": hongyan.NoticeMuted, "UNMUTED": hongyan.NoticeUnmuted, "DISSOLVED": hongyan.NoticeDissolved,
	})
	check(t, pb.Message_PRESENT, map[string]hongyan.MessageState{
		"PRESENT": hongyan.Present, "RECALLED": hongyan.Recalled, "EXPIRED": hongyan.Expired,
	})
	check(t, pb.Contact_NONE, map[string]hongyan.ContactState{
		"NONE": hongyan.ContactNone, "ASKED": hongyan.ContactAsked, "ASKING": hongyan.ContactAsking,
		"ACCEPTED": hongyan.ContactAccepted,
	})
	check(t, pb.Member_MEMBER, map[string]hongyan.Role{
		"MEMBER": hongyan.RoleMember, "ADMIN": hongyan.RoleAdmin, "OWNER": hongyan.RoleOwner,
	})
	check(t, pb.Group_INVITATION, map[string]hongyan.JoinPolicy{
		"INVITATION": hongyan.JoinByInvitation, "APPROVAL": hongyan.JoinByApproval, "LINK": hongyan.JoinByLink,
	})
	check(t, pb.Device_PHONE, map[string]hongyan.DeviceClass{
		"PHONE": hongyan.ClassPhone, "TABLET": hongyan.ClassTablet, "DESKTOP": hongyan.ClassDesktop,
		"WEB": hongyan.ClassWeb, "BOT": hongyan.ClassBot, "CLI": hongyan.ClassCLI,
	})
	check(t, pb.Type_MESSAGE, map[string]hongyan.Type{
		"MESSAGE": hongyan.TypeMessage, "CONTACT": hongyan.TypeContact, "GROUP": hongyan.TypeGroup,
		"CONVERSATION": hongyan.TypeConversation, "RECEIPT": hongyan.TypeReceipt, "SETTING": hongyan.TypeSetting,
	})
	codes := map[string]hongyan.Code{}
	for code, name := range hongyan.Codes() {
		codes[strings.ToUpper(name)] = code
	}
	check(t, pb.Code_INTERNAL, codes)
}

// check compares one enumeration: words holds its values by the names of the schema.
func check[D ~uint8 | ~uint16](t *testing.T, enum protoreflect.Enum, words map[string]D) {
	t.Helper()
	values := enum.Descriptor().Values()
	for i := range values.Len() {
		v := values.Get(i)
		word, ok := words[string(v.Name())]
		switch {
		case !ok && strings.HasSuffix(string(v.Name()), "_UNSPECIFIED"):
		case !ok:
			t.Errorf("%s: the schema alone has %s", enum.Descriptor().FullName(), v.Name())
		case v.Number() != protoreflect.EnumNumber(word):
			t.Errorf("%s: %s is %d in the schema and %d here", enum.Descriptor().FullName(), v.Name(), v.Number(), word)
		}
		delete(words, string(v.Name()))
	}
	for name := range words {
		t.Errorf("%s: the schema has no %s", enum.Descriptor().FullName(), name)
	}
}
