package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/hongyan-im/hongyan"
)

// TestDocumentedSession checks every byte of the session in docs/PROTOCOL.md: that the hexadecimal is the frame of the
// JSON above it, that answers belong to requests, and that keys are keys. With -update it writes the hexadecimal anew.
func TestDocumentedSession(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(protocolFile)
	if err != nil {
		t.Fatal(err)
	}
	waiting := map[uint32]Op{}
	frames := 0
	want := regexp.MustCompile("(?s)```session\n(.*?)\n```").ReplaceAllStringFunc(string(text), func(block string) string {
		block = strings.TrimSuffix(strings.TrimPrefix(block, "```session\n"), "\n```")
		var out []string
		for entry := range strings.SplitSeq(block, "\n\n") {
			out = append(out, checkEntry(t, entry, waiting))
			frames++
		}
		return "```session\n" + strings.Join(out, "\n\n") + "\n```"
	})
	if frames < 10 || len(waiting) != 0 {
		t.Errorf("the session has %d frames, and %d requests without an answer", frames, len(waiting))
	}
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("the bytes of the session are not those of its words: go test ./wire -update writes them anew")
	}
	if err := os.WriteFile(protocolFile, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkEntry checks one frame of the session and returns it with the right bytes. Its first line holds direction,
// operation and sequence, the next ones the body, the last ones the frame.
func checkEntry(t *testing.T, entry string, waiting map[uint32]Op) string {
	lines := strings.Split(entry, "\n")
	head := strings.Fields(lines[0])
	if len(head) != 3 {
		t.Fatalf("an entry begins with %q", lines[0])
	}
	seq64, err := strconv.ParseUint(head[2], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	op, seq := opNamed(t, head[1]), uint32(seq64)
	switch {
	case head[0] == ">" && waiting[seq] == 0:
		waiting[seq] = op
	case head[0] == "<" && seq == 0 && (op == OpNotify || op == OpClose):
	case head[0] == "<" && waiting[seq] != 0 && (op == waiting[seq].Reply() || op == OpError):
		delete(waiting, seq)
	default:
		t.Errorf("%q has no place here", lines[0])
	}

	isHex := regexp.MustCompile(`^[0-9a-f ]+$`)
	var words []string
	var digits strings.Builder
	for _, line := range lines[1:] {
		if isHex.MatchString(line) {
			digits.WriteString(line)
		} else {
			words = append(words, line)
		}
	}
	frame := frameOf(t, op, seq, strings.Join(words, ""))
	if got := unhex(t, digits.String()); !bytes.Equal(got, frame) && !*update {
		t.Errorf("%s:\n got %x\nwant %x", lines[0], got, frame)
	}
	return strings.Join(append(append(lines[:1:1], words...), hexLines(frame)...), "\n")
}

// frameOf makes the frame of a body in JSON. An operation that is not in the table has an empty one.
func frameOf(t *testing.T, op Op, seq uint32, body string) []byte {
	t.Helper()
	if _, known := Lookup(op); !known && op < ReplyOffset && op != OpNotify && op != OpClose {
		return AppendFrame(nil, Frame{Op: op, Seq: seq})
	}
	m := newBody(t, op)
	if err := protojson.Unmarshal([]byte(body), m); err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	checkKey(t, m.ProtoReflect())
	convertAll(t, m.ProtoReflect())
	frame, err := Append(nil, op, seq, m)
	if err != nil {
		t.Fatal(err)
	}
	f, n, err := ParseFrame(frame, MaxFrame)
	back := newBody(t, op)
	if err != nil || n != len(frame) || f.Op != op || f.Seq != seq || Unmarshal(f.Body, back) != nil || !proto.Equal(m, back) {
		t.Errorf("%s does not come back from its frame", op)
	}
	return frame
}

// checkKey checks that a body's key, if it has one, is a key, and of the version that stands beside it.
func checkKey(t *testing.T, m protoreflect.Message) {
	t.Helper()
	field := m.Descriptor().Fields().ByName("key")
	if field == nil || field.Kind() != protoreflect.BytesKind {
		return
	}
	key, err := hongyan.ParseSyncKey(m.Get(field).Bytes())
	if err != nil {
		t.Errorf("%s: %v", m.Descriptor().Name(), err)
	}
	if version := m.Descriptor().Fields().ByName("version"); version != nil && m.Get(version).Uint() != uint64(key.Version()) {
		t.Errorf("%s: version %d beside a key of %d", m.Descriptor().Name(), m.Get(version).Uint(), key.Version())
	}
}

func opNamed(t *testing.T, name string) Op {
	t.Helper()
	for _, p := range pushes {
		if p.op.String() == name {
			return p.op
		}
	}
	for _, o := range Operations {
		if o.Name == name {
			return o.Op
		}
		if o.Op.Reply().String() == name {
			return o.Op.Reply()
		}
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		t.Fatalf("there is no operation %q", name)
	}
	return Op(n)
}

// hexLines writes a frame for people: the fields of the header, then 56 bytes a line.
func hexLines(frame []byte) []string {
	lines := []string{fmt.Sprintf("%x %x %x %x %x", frame[:4], frame[4:6], frame[6:8], frame[8:12], frame[12:16])}
	for rest := frame[HeaderSize:]; len(rest) > 0; {
		n := min(56, len(rest))
		lines = append(lines, hex.EncodeToString(rest[:n]))
		rest = rest[n:]
	}
	return lines
}
