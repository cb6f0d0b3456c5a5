package wire

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// roundTrip sends random words through their body, as it is and as bytes.
func roundTrip[D any, B any, P interface {
	*B
	proto.Message
}](t *testing.T, from func(D) *B, to func(*B) (D, error)) {
	t.Helper()
	name := reflect.TypeFor[D]().Name()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		g := newGenerator(t)
		for range 2000 {
			word := g.value(reflect.TypeFor[D]()).Interface().(D)
			body := from(word)
			encoded, err := proto.Marshal(P(body))
			if err != nil {
				t.Fatalf("%+v: %v", word, err)
			}
			decoded := new(B)
			if err := Unmarshal(encoded, P(decoded)); err != nil {
				t.Fatalf("%+v: %v", word, err)
			}
			for _, b := range []*B{body, decoded} {
				got, err := to(b)
				if err != nil {
					t.Fatalf("%+v\nbecame %v\nand was refused: %v", word, b, err)
				}
				if !reflect.DeepEqual(got, word) {
					t.Fatalf("%+v\nbecame %v\nand came back as %+v", word, b, got)
				}
			}
		}
	})
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	roundTrip(t, FromMessage, ToMessage)
	roundTrip(t, FromContent, ToContent)
	roundTrip(t, FromChange, ToChange)
	roundTrip(t, FromContact, ToContact)
	roundTrip(t, FromGroup, ToGroup)
	roundTrip(t, FromMember, ToMember)
	roundTrip(t, FromProfile, ToProfile)
	roundTrip(t, FromConversation, ToConversation)
	roundTrip(t, FromReceipt, ToReceipt)
	roundTrip(t, FromDevice, ToDevice)
	roundTrip(t, FromDevices, ToDevices)
	roundTrip(t, FromSetting, ToSetting)
}

// TestRoundTripReachesEveryPart guards the generator: a part that it never sets would not be tested.
func TestRoundTripReachesEveryPart(t *testing.T) {
	t.Parallel()
	g := newGenerator(t)
	kinds, changes := map[hongyan.Kind]bool{}, map[string]bool{}
	for range 2000 {
		kinds[g.value(reflect.TypeFor[hongyan.Content]()).Interface().(hongyan.Content).Kind] = true
		c := g.value(reflect.TypeFor[hongyan.Change]())
		for i := range c.NumField() {
			if f := c.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
				changes[c.Type().Field(i).Name] = true
			}
		}
	}
	if want := (&pb.Content{}).ProtoReflect().Descriptor().Oneofs().ByName("part").Fields().Len(); len(kinds) != want {
		t.Errorf("the generator made %d kinds of content, the schema has %d", len(kinds), want)
	}
	if want := (&pb.Change{}).ProtoReflect().Descriptor().Oneofs().ByName("what").Fields().Len(); len(changes) != want {
		t.Errorf("the generator made %d kinds of change, the schema has %d", len(changes), want)
	}
}

func TestListsAndNumbers(t *testing.T) {
	t.Parallel()
	users := []hongyan.UserID{3, 1 << 53}
	if got := ToIDs[hongyan.UserID](FromIDs(users)); !reflect.DeepEqual(got, users) {
		t.Errorf("ids %v came back as %v", users, got)
	}
	if FromIDs([]hongyan.Ordinal(nil)) != nil || ToIDs[hongyan.Ordinal]([]uint64{}) != nil {
		t.Error("an empty list of ids is not nil")
	}
	if got, err := ToTypes(FromTypes(hongyan.Types[:])); err != nil || !reflect.DeepEqual(got, hongyan.Types[:]) {
		t.Errorf("types %v came back as %v, %v", hongyan.Types, got, err)
	}
	if got, err := ToTypes(FromTypes(nil)); got != nil || err != nil {
		t.Errorf("no types came back as %v, %v", got, err)
	}
	receipts := []hongyan.Receipt{{Conversation: hongyan.GroupConversation(1), Read: 2}, {Conversation: hongyan.Direct(1, 2)}}
	got, err := ToAll("receipts", ToReceipt, FromAll(FromReceipt, receipts))
	if err != nil || !reflect.DeepEqual(got, receipts) {
		t.Errorf("%v came back as %v, %v", receipts, got, err)
	}
}

// TestMalformed checks that what a peer got wrong is Invalid and named by its path.
func TestMalformed(t *testing.T) {
	t.Parallel()
	id := []byte("0123456789abcdef")
	text := &Content{Part: &pb.Content_Text{Text: "hi"}}
	media := &Media{Ref: "m1"}
	message := func(change func(*Message)) func() error {
		return func() error {
			m := &Message{Conversation: "g:5", ClientId: id, Content: proto.CloneOf(text)}
			change(m)
			_, err := ToMessage(m)
			return err
		}
	}
	content := func(c *Content) func() error {
		return func() error { _, err := ToContent(c); return err }
	}
	change := func(c *Change) func() error {
		return func() error { _, err := ToChange(c); return err }
	}
	for _, tt := range []struct {
		name    string
		convert func() error
		field   string // what the error's message begins with; empty: no error
	}{
		{"message", message(func(*Message) {}), ""},
		{"message from the server", message(func(m *Message) { m.ClientId = nil }), ""},
		{"no message", func() error { _, err := ToMessage(nil); return err }, "message:"},
		{"short client id", message(func(m *Message) { m.ClientId = id[:15] }), "client_id: 15 bytes"},
		{"long client id", message(func(m *Message) { m.ClientId = append(id, 1) }), "client_id: 17 bytes"},
		{"blank client id", message(func(m *Message) { m.ClientId = make([]byte, 16) }), "client_id:"},
		{"no conversation", message(func(m *Message) { m.Conversation = "" }), "conversation:"},
		{"conversation the wrong way round", message(func(m *Message) { m.Conversation = "d:5:3" }), "conversation:"},
		{"state", message(func(m *Message) { m.State = 3 }), "state:"},
		{"negative state", message(func(m *Message) { m.State = -1 }), "state:"},
		{"state that wraps to a byte", message(func(m *Message) { m.State = 256 }), "state:"},
		{"present without content", message(func(m *Message) { m.Content = nil }), "content:"},
		{"recalled with content", message(func(m *Message) { m.State = pb.Message_RECALLED }), "content:"},
		{"message with an empty content", message(func(m *Message) { m.Content = &Content{} }), "content.part:"},

		{"no content", content(nil), "content:"},
		{"empty content", content(&Content{Caption: "x"}), "part:"},
		{"text with a caption", content(&Content{Part: &pb.Content_Text{Text: "a"}, Caption: "b"}), "caption:"},
		{"image with a caption", content(&Content{Part: &pb.Content_Image{Image: media}, Caption: "b"}), ""},
		{"notice of nothing", content(&Content{Part: &pb.Content_Notice{Notice: &Notice{}}}), "notice.event:"},
		{"unknown notice", content(&Content{Part: &pb.Content_Notice{Notice: &Notice{Event: 13}}}), "notice.event:"},
		{"no notice", content(&Content{Part: &pb.Content_Notice{}}), "notice:"},

		{"no change", change(nil), "what:"},
		{"empty change", change(&Change{Version: 1}), "what:"},
		{"change without its message", change(&Change{What: &pb.Change_Message{}}), "message:"},
		{"change with a bad message", change(&Change{What: &pb.Change_Message{Message: &Message{Conversation: "g:5"}}}),
			"message.content:"},
		{"recall", change(&Change{What: &pb.Change_Recall{Recall: &Recall{Conversation: "x"}}}), "recall.conversation:"},
		{"removal", change(&Change{What: &pb.Change_Removal{Removal: &Removal{Conversation: "g:0"}}}),
			"removal.conversation:"},
		{"contact without profile", change(&Change{What: &pb.Change_Contact{Contact: &Contact{}}}), "contact.profile:"},
		{"contact state", change(&Change{What: &pb.Change_Contact{Contact: &Contact{Profile: &Profile{}, State: 4}}}),
			"contact.state:"},
		{"group conversation", change(&Change{What: &pb.Change_Group{Group: &Group{Id: 5, Conversation: "g:6"}}}),
			"group.conversation:"},
		{"group policy", change(&Change{What: &pb.Change_Group{Group: &Group{Id: 5, Conversation: "g:5", Policy: 4}}}),
			"group.policy:"},
		{"group role", change(&Change{What: &pb.Change_Group{Group: &Group{Id: 5, Conversation: "g:5", Role: 4}}}),
			"group.role:"},
		{"group member", change(&Change{What: &pb.Change_Group{Group: &Group{
			Id: 5, Conversation: "g:5", Members: []*Member{{Role: 1}, {Role: 9}}}}}), "group.members[1].role:"},
		{"conversation id", change(&Change{What: &pb.Change_Conversation{Conversation: &Conversation{Id: "g"}}}),
			"conversation.id:"},
		{"last message", change(&Change{What: &pb.Change_Conversation{Conversation: &Conversation{
			Id: "g:5", LastMessage: &Message{}}}}), "conversation.last_message.conversation:"},
		{"receipt", change(&Change{What: &pb.Change_Receipt{Receipt: &Receipt{Conversation: "d:1"}}}),
			"receipt.conversation:"},
		{"no profile", change(&Change{What: &pb.Change_Profile{}}), "profile:"},
		{"no setting", change(&Change{What: &pb.Change_Setting{}}), "setting:"},
		{"device class", change(&Change{What: &pb.Change_Devices{Devices: &Devices{
			Devices: []*Device{{}, {Class: 6}, {Class: 7}}}}}), "devices.devices[2].class:"},

		{"device", func() error { _, err := ToDevice(nil); return err }, "device:"},
		{"setting", func() error { _, err := ToSetting(nil); return err }, "setting:"},
		{"role", func() error { _, err := ToRole(4); return err }, "role:"},
		{"unset role", func() error { _, err := ToRole(0); return err }, ""},
		{"policy", func() error { _, err := ToJoinPolicy(-1); return err }, "policy:"},
		{"types", func() error { _, err := ToTypes([]Type{1, 7}); return err }, "types:"},
		{"unset type", func() error { _, err := ToTypes([]Type{0}); return err }, "types:"},
		{"no client id", func() error { _, err := ToClientID(nil); return err }, "client_id: 0 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.convert()
			if tt.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var e *hongyan.Error
			if !errors.As(err, &e) || e.Code != hongyan.Invalid || !strings.HasPrefix(e.Message, tt.field) {
				t.Errorf("got %v, want an Invalid error about %q", err, tt.field)
			}
		})
	}
}

// TestUnderLeavesTheErrorAlone guards against paths that pile up on an error somebody else holds too.
func TestUnderLeavesTheErrorAlone(t *testing.T) {
	t.Parallel()
	inner := missing("a")
	if outer := under("b", inner); outer.Error() != "b.a: it is missing (invalid)" || inner.Message != "a: it is missing" {
		t.Errorf("got %q and %q", outer, inner)
	}
}

func TestContentSize(t *testing.T) {
	t.Parallel()
	atLimit := &Content{Part: &pb.Content_Text{}}
	for n := hongyan.MaxContent; proto.Size(atLimit) != hongyan.MaxContent; n-- {
		atLimit.Part = &pb.Content_Text{Text: strings.Repeat("x", n)}
	}
	if _, err := ToContent(atLimit); err != nil {
		t.Errorf("a content of %d bytes: %v", proto.Size(atLimit), err)
	}
	atLimit.MentionAll = true
	if _, err := ToContent(atLimit); hongyan.CodeOf(err) != hongyan.TooLarge {
		t.Errorf("a content of %d bytes: %v", proto.Size(atLimit), err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for code := range hongyan.Codes() {
		e := hongyan.Errorf(code, "no").WithHint("do").WithRetryAfter(1500 * time.Millisecond)
		b := FromError(OpSend, fmt.Errorf("chat: %w", e))
		if b.Operation != uint32(OpSend) {
			t.Errorf("%s: operation %d", code, b.Operation)
		}
		if got := ToError(b); !reflect.DeepEqual(got, e) {
			t.Errorf("%+v came back as %+v", e, got)
		}
	}
	if b := FromError(OpSync, errors.New("pebble: /var/lib is on fire")); b.Code != pb.Code_INTERNAL ||
		strings.Contains(b.Message+b.Hint, "pebble") {
		t.Errorf("an internal fault is told as %v", b)
	}
	if b := FromError(OpSync, hongyan.Errorf(hongyan.Invalid, "no %s", "\xff")); b.Message != "no \uFFFD" {
		t.Errorf("the message is %q", b.Message)
	}
	for d, want := range map[time.Duration]uint32{-time.Second: 0, 1 << 62: math.MaxUint32, time.Microsecond: 0} {
		if b := FromError(OpSync, hongyan.Errorf(hongyan.Busy, "no").WithRetryAfter(d)); b.RetryAfterMs != want {
			t.Errorf("%v is told as %d ms, want %d", d, b.RetryAfterMs, want)
		}
	}
	for code, want := range map[pb.Code]hongyan.Code{77: 77, 0: hongyan.Internal, -1: hongyan.Internal, 1 << 16: hongyan.Internal} {
		if got := ToError(&ErrorBody{Code: code}).Code; got != want {
			t.Errorf("code %d is read as %s, want %s", code, got, want)
		}
	}
}
