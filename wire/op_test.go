package wire

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// pushes are the bodies that only the server sends unasked, or instead of a reply.
var pushes = []struct {
	op  Op
	new func() proto.Message
}{
	{OpError, body[ErrorBody]}, {OpNotify, body[Notify]}, {OpClose, body[Close]},
}

func nameOf(newBody func() proto.Message) string {
	return string(newBody().ProtoReflect().Descriptor().Name())
}

// schema lists the messages of all files of the schema.
func schema() (names []string) {
	for _, f := range []protoreflect.FileDescriptor{
		pb.File_hongyan_v1_account_proto, pb.File_hongyan_v1_admin_proto, pb.File_hongyan_v1_group_proto,
		pb.File_hongyan_v1_message_proto, pb.File_hongyan_v1_session_proto, pb.File_hongyan_v1_sync_proto,
	} {
		for i := range f.Messages().Len() {
			names = append(names, string(f.Messages().Get(i).Name()))
		}
	}
	return names
}

func TestOperations(t *testing.T) {
	t.Parallel()
	numbers, names, bodies := map[Op]bool{}, map[string]bool{}, map[string]int{}
	last := Op(0)
	for _, o := range Operations {
		if numbers[o.Op] || names[o.Name] {
			t.Errorf("%d %s stands twice", o.Op, o.Name)
		}
		if o.Op <= last || o.Op >= ReplyOffset {
			t.Errorf("%s: %d is out of order", o.Name, o.Op)
		}
		if o.Op == OpNotify || o.Op == OpClose {
			t.Errorf("%s has the number of a push", o.Name)
		}
		last = o.Op
		numbers[o.Op], names[o.Name] = true, true
		if got := nameOf(o.NewRequest); got != o.Name+"Request" {
			t.Errorf("the request of %s is %s", o.Name, got)
		}
		bodies[nameOf(o.NewRequest)]++
		bodies[nameOf(o.NewReply)]++
		if got, ok := Lookup(o.Op); !ok || got.Name != o.Name {
			t.Errorf("Lookup(%d) is %v, %v", o.Op, got, ok)
		}
		if o.Op.String() != o.Name || o.Op.Reply().String() != o.Name+"Reply" {
			t.Errorf("%d is called %s and %s", o.Op, o.Op, o.Op.Reply())
		}
	}
	if bodies["LoginReply"] != 2 {
		t.Errorf("LoginReply answers %d operations, not Register and Login", bodies["LoginReply"])
	}
	delete(bodies, "LoginReply")
	for name, n := range bodies {
		if n != 1 {
			t.Errorf("%s belongs to %d operations", name, n)
		}
	}
	for _, name := range schema() {
		isBody := strings.HasSuffix(name, "Request") || strings.HasSuffix(name, "Reply")
		if isBody && name != "LoginReply" && bodies[name] == 0 {
			t.Errorf("%s belongs to no operation", name)
		}
	}
	for op, name := range map[Op]string{
		OpError: "Error", OpNotify: "Notify", OpClose: "Close", 0: "0", 999: "999", ReplyOffset + 999: "1000000999",
	} {
		if op.String() != name {
			t.Errorf("%d is called %s, want %s", uint32(op), op, name)
		}
		if _, ok := Lookup(op); ok {
			t.Errorf("%s is a request", name)
		}
	}
}
