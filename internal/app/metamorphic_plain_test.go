package app

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/hongyan-im/hongyan"
)

// plain writes a body so that two worlds in which the same has happened write the same: accounts and devices by name,
// what is drawn at random by the order in which it was seen first, times and versions not at all.
func (w *world) plain(m proto.Message) string { return w.message(m.ProtoReflect()) }

func (w *world) message(m protoreflect.Message) string {
	var parts []string
	fields := m.Descriptor().Fields() // in their order: Range has another one each time
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		switch text := w.field(fd, m.Get(fd)); {
		case text == "":
		default:
			parts = append(parts, string(fd.Name())+":"+text)
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// unordered are the lists that stand in the order of account ids, or in none.
var unordered = []protoreflect.Name{"contacts", "members", "users", "readers", "devices"}

func (w *world) field(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if !fd.IsList() {
		return w.value(fd, v)
	}
	var list []string
	for i := range v.List().Len() {
		list = append(list, w.value(fd, v.List().Get(i)))
	}
	switch {
	case slices.Contains(unordered, fd.Name()):
		slices.Sort(list)
	case fd.Name() == "conversations":
		// Their order is that of their last messages. Nothing is promised of those that have none.
		dated := func(c string) bool { return strings.Contains(c, "last_message:") }
		list = slices.Concat(slices.DeleteFunc(slices.Clone(list), func(c string) bool { return !dated(c) }),
			slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(list), dated))))
	}
	return "[" + strings.Join(list, " ") + "]"
}

// value writes a value by what its field means, in whichever message it stands. Nothing stands for a value that differs
// from world to world.
func (w *world) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	in, name := fd.ContainingMessage().Name(), string(fd.Name())
	switch {
	case fd.Message() != nil:
		return w.message(v.Message())
	case name == "last_seen_ms", name == "version", name == "head":
		return ""
	case strings.HasSuffix(name, "_ms") && fd.Kind() == protoreflect.Int64Kind, name == "key", name == "token", name == "backfill":
		return "set"
	case slices.Contains([]string{"user", "from", "owner", "users", "reader", "readers", "by", "mentions"}, name):
		return w.label("account", v.Uint())
	case name == "conversation", name == "ids", name == "id" && in == "Conversation":
		return w.conversation(v.String())
	case name == "group", name == "id" && in == "Group":
		return w.label("group", v.Uint())
	case name == "current", name == "id" && in == "Device":
		return w.label("device", v.Uint())
	case name == "id":
		return w.label("message", v.Uint())
	case name == "link":
		return w.label("link", v.String())
	case fd.Kind() == protoreflect.EnumKind:
		return string(fd.Enum().Values().ByNumber(v.Enum()).Name())
	case fd.Kind() == protoreflect.StringKind:
		return strconv.Quote(short(strings.ReplaceAll(v.String(), w.tag, "")))
	case fd.Kind() == protoreflect.BytesKind:
		return short(hex.EncodeToString(v.Bytes()))
	}
	return v.String()
}

// label gives what is drawn at random a name, by the order in which it was seen first.
func (w *world) label(kind string, id any) string {
	known, ok := w.labels[drawn{kind, id}]
	if !ok {
		w.seen[kind]++
		known = fmt.Sprintf("%s-%d", kind, w.seen[kind])
		w.labels[drawn{kind, id}] = known
	}
	return known
}

// drawn is something that was drawn at random.
type drawn struct {
	kind string
	id   any
}

// conversation names a conversation by its members, whose order in the id is that of their ids.
func (w *world) conversation(id string) string {
	c, err := hongyan.ParseConversation(id)
	if err != nil {
		return fmt.Sprintf("%q", id)
	}
	if g, ok := c.Group(); ok {
		return w.label("group", uint64(g))
	}
	a, b, _ := c.Members()
	pair := []string{w.label("account", uint64(a)), w.label("account", uint64(b))}
	slices.Sort(pair)
	return strings.Join(pair, "&")
}

// short cuts a long text where a difference would still show.
func short(text string) string {
	const head = 60
	if len(text) <= 2*head {
		return text
	}
	return fmt.Sprintf("%s… %d bytes, sum %08x", text[:head], len(text), crc32.ChecksumIEEE([]byte(text)))
}
