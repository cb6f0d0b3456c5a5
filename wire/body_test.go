package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/hongyan-im/hongyan"
)

var update = flag.Bool("update", false, "write testdata/bodies.json anew")

const bodiesFile = "testdata/bodies.json"

// bodyVector is one row of testdata/bodies.json, which says what it means.
type bodyVector struct {
	Operation string          `json:"operation"`
	Op        uint32          `json:"op"`
	Message   string          `json:"message"`
	JSON      json.RawMessage `json:"json"`
	Binary    string          `json:"binary"`
}

var bodiesAbout = []string{
	"Vectors for the bodies of the schema hongyan.v1: for every frame of the table of operations its number, its message, a",
	"value in proto3 JSON and the same in binary (hexadecimal). Decoding binary must bring the value of json; the order of",
	"fields is free, so what an encoder writes need not equal binary, but must decode to the same value. Every field of the",
	"schema occurs, every alternative of every oneof, and every optional field also with its zero value.",
}

// TestBodyVectors checks that the file is what the schema makes of it, and reads it as a stranger would.
func TestBodyVectors(t *testing.T) {
	t.Parallel()
	want := encodeVectors(t, makeVectors(t))
	if *update {
		if err := os.WriteFile(bodiesFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(bodiesFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s is out of date: go test ./wire -update", bodiesFile)
	}
	var file struct{ Vectors []bodyVector }
	if err := json.Unmarshal(got, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		fromJSON, fromBinary := newBody(t, Op(v.Op)), newBody(t, Op(v.Op))
		if err := protojson.Unmarshal(v.JSON, fromJSON); err != nil {
			t.Fatalf("%s: %v", v.Message, err)
		}
		if err := Unmarshal(unhex(t, v.Binary), fromBinary); err != nil {
			t.Fatalf("%s: %v", v.Message, err)
		}
		if !proto.Equal(fromJSON, fromBinary) {
			t.Errorf("%s: the JSON says\n%v\nand the binary\n%v", v.Message, fromJSON, fromBinary)
		}
		convertAll(t, fromBinary.ProtoReflect())
	}
}

// convertAll checks that the vectors hold words, not only well-formed bodies.
func convertAll(t *testing.T, m protoreflect.Message) {
	t.Helper()
	var err error
	switch b := m.Interface().(type) {
	case *Message:
		_, err = ToMessage(b)
	case *Content:
		_, err = ToContent(b)
	case *Change:
		_, err = ToChange(b)
	case *Group:
		_, err = ToGroup(b)
	case *Contact:
		_, err = ToContact(b)
	case *Conversation:
		_, err = ToConversation(b)
	case *Device:
		_, err = ToDevice(b)
	}
	if err != nil {
		t.Errorf("%v: %v", m.Interface(), err)
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				convertAll(t, v.List().Get(i).Message())
			}
		default:
			convertAll(t, v.Message())
		}
		return true
	})
}

// newBody makes an empty body of an operation, a reply or a push.
func newBody(t testing.TB, op Op) proto.Message {
	t.Helper()
	for _, p := range pushes {
		if p.op == op {
			return p.new()
		}
	}
	if o, ok := Lookup(op); ok {
		return o.NewRequest()
	}
	o, ok := Lookup(op - ReplyOffset)
	if !ok {
		t.Fatalf("there is no operation %d", op)
	}
	return o.NewReply()
}

func makeVectors(t *testing.T) (vectors []bodyVector) {
	add := func(op Op) {
		descriptor := newBody(t, op).ProtoReflect().Descriptor()
		for variant := range variants(descriptor) {
			m := newBody(t, op)
			fill(m.ProtoReflect(), variant)
			vectors = append(vectors, vectorOf(t, op, m))
		}
		if hasOptional(descriptor) {
			m := newBody(t, op)
			fill(m.ProtoReflect(), 0)
			zeroOptionals(m.ProtoReflect())
			vectors = append(vectors, vectorOf(t, op, m))
		}
	}
	for _, o := range Operations {
		add(o.Op)
		add(o.Op.Reply())
	}
	for _, p := range pushes {
		add(p.op)
	}
	return vectors
}

func vectorOf(t *testing.T, op Op, m proto.Message) bodyVector {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer // protojson varies its spaces on purpose
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	binary, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bodyVector{op.String(), uint32(op), string(m.ProtoReflect().Descriptor().Name()), compact.Bytes(),
		hex.EncodeToString(binary)}
}

// encodeVectors writes one vector a line, so that a change of the schema shows where it is.
func encodeVectors(t *testing.T, vectors []bodyVector) []byte {
	t.Helper()
	var b bytes.Buffer
	about, err := json.MarshalIndent(bodiesAbout, "  ", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("{\n  \"about\": " + string(about) + ",\n  \"vectors\": [\n")
	for i, v := range vectors {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("    " + string(line))
		if i < len(vectors)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("  ]\n}\n")
	return b.Bytes()
}

// variants says how many bodies it takes to show every alternative of the oneofs of m, lists apart, which show all
// alternatives in one.
func variants(m protoreflect.MessageDescriptor) int {
	n := 1
	for i := range m.Oneofs().Len() {
		if o := m.Oneofs().Get(i); !o.IsSynthetic() {
			n = max(n, o.Fields().Len())
		}
	}
	for i := range m.Fields().Len() {
		if f := m.Fields().Get(i); f.Message() != nil && !f.IsList() {
			n = max(n, variants(f.Message()))
		}
	}
	return n
}

func hasOptional(m protoreflect.MessageDescriptor) bool {
	for i := range m.Fields().Len() {
		if m.Fields().Get(i).HasOptionalKeyword() {
			return true
		}
	}
	return false
}

func zeroOptionals(m protoreflect.Message) {
	for i := range m.Descriptor().Fields().Len() {
		if f := m.Descriptor().Fields().Get(i); f.HasOptionalKeyword() {
			m.Set(f, f.Default())
		}
	}
}

// fill sets every field of m, and of each oneof the alternative that variant chooses.
func fill(m protoreflect.Message, variant int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() && o.Fields().Get(variant%o.Fields().Len()) != f {
			continue
		}
		switch {
		case f.FullName() == "hongyan.v1.Message.state": // all are present, for all have a content
		case f.FullName() == "hongyan.v1.Content.caption" && m.WhichOneof(m.Descriptor().Oneofs().Get(0)).Name() == "text":
		case f.IsList() && f.Message() != nil:
			list := m.Mutable(f).List()
			for v := range variants(f.Message()) {
				fill(list.AppendMutable().Message(), v)
			}
		case f.IsList():
			list := m.Mutable(f).List()
			list.Append(sample(f, 1))
			list.Append(sample(f, 2))
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), variant)
		default:
			m.Set(f, sample(f, variant))
		}
	}
}

// sample is a value that f could have, such that no two fields of a message are alike.
func sample(f protoreflect.FieldDescriptor, variant int) protoreflect.Value {
	name, number := string(f.Name()), int64(f.Number())
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(1 + variant%(values.Len()-1)).Number())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(-12.5 * float64(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(4_000_000_000 + uint32(number))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(1_700_000_000_000 + number)
	case protoreflect.Uint64Kind:
		switch {
		case f.FullName() == "hongyan.v1.Group.id":
			return protoreflect.ValueOfUint64(5)
		case name == "id" || name == "device" || name == "current":
			return protoreflect.ValueOfUint64(1<<53 + 1) // a number of JavaScript cannot hold it
		}
		return protoreflect.ValueOfUint64(uint64(100*number + int64(variant)))
	case protoreflect.BytesKind:
		switch name {
		case "client_id":
			return protoreflect.ValueOfBytes([]byte("0123456789abcdef"))
		case "sha256":
			return protoreflect.ValueOfBytes(bytes.Repeat([]byte{0xFB, 0xFF}, 16)) // base64 with + and /
		}
		return protoreflect.ValueOfBytes(append([]byte{0x00, 0xFF}, name...))
	case protoreflect.StringKind:
		switch {
		case f.FullName() == "hongyan.v1.Group.conversation":
			return protoreflect.ValueOfString("g:5")
		case name == "conversation" || name == "ids" || f.FullName() == "hongyan.v1.Conversation.id":
			return protoreflect.ValueOfString("d:17:9007199254740991")
		}
		return protoreflect.ValueOfString(name + " \"雁\"")
	}
	panic("no sample of " + f.FullName())
}

func TestAppend(t *testing.T) {
	t.Parallel()
	prefix := []byte("before")
	b, err := Append(bytes.Clone(prefix), OpRecall, 7, &RecallRequest{Conversation: "g:5", Ordinal: 3})
	want := "6265666f7265 00000017 0010 0001 00000029 00000007 0a03673a351003"
	if err != nil || !bytes.Equal(b, unhex(t, want)) {
		t.Errorf("got %x, %v, want %s", b, err, want)
	}
	if b, err = Append(nil, OpHeartbeat, 15, nil); err != nil || !bytes.Equal(b, unhex(t, "00000010001000010000000600 00000f")) {
		t.Errorf("without a body: %x, %v", b, err)
	}
	for _, start := range [][]byte{nil, prefix, append(make([]byte, 0, 100), prefix...)} {
		b, err := Append(start, OpError, 1, &ErrorBody{Message: "\xff"})
		if err == nil || !strings.Contains(err.Error(), "Error") || !bytes.Equal(b, start) {
			t.Errorf("a body that is not UTF-8: %q, %v", b, err)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var r RecallRequest
	if err := Unmarshal(unhex(t, "0a03673a351003 fa7f0178"), &r); err != nil || r.Conversation != "g:5" || r.Ordinal != 3 {
		t.Errorf("with a field of a later version: %v, %v", &r, err)
	}
	if len(r.ProtoReflect().GetUnknown()) != 0 {
		t.Error("unknown fields are kept")
	}
	for _, bad := range []string{"0a", "0a05673a35", "0a01ff", "1080", "07"} {
		err := Unmarshal(unhex(t, bad), &r)
		if hongyan.CodeOf(err) != hongyan.Invalid || !strings.Contains(err.Error(), "RecallRequest") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// FuzzBodies checks that conversions of what anybody may send never panic, refuse with a code for peers, and that what
// they accept comes back as it was.
func FuzzBodies(f *testing.F) {
	for variant := range variants((&Change{}).ProtoReflect().Descriptor()) {
		var c Change
		fill(c.ProtoReflect(), variant)
		b, err := proto.Marshal(&c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var change Change
		if Unmarshal(data, &change) != nil {
			return
		}
		word, err := ToChange(&change)
		if err != nil {
			if code := hongyan.CodeOf(err); code != hongyan.Invalid && code != hongyan.TooLarge {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if back := FromChange(word); !proto.Equal(&change, back) {
			t.Fatalf("%v\ncame back as\n%v", &change, back)
		}
	})
}
