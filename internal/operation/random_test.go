package operation_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/operation/desktest"
	"github.com/hongyan-im/hongyan/wire"
)

// fuzzer asks for anything: any operation, from anybody, with bodies that are noise, or that are filled at random with
// what there is, so that they get as far as the rules let them.
type fuzzer struct {
	*rand.Rand
	t       testing.TB
	d       *desktest.Desk
	callers []operation.Caller
	pools   map[string][]protoreflect.Value // what answers held, by what it is
	sent    func()                          // recalls the message that was sent last
}

// The edges of values, which no answer would bring.
var (
	edgeNumbers = []uint64{0, 1, 2, 3, 50, math.MaxInt64, math.MaxUint64, 1 << 53}
	edgeTexts   = []string{"", "a", "ANNA", "long enough", "d:1:2", "g:1", "d:0:0", "\u202e", "😀"}
	edgeBytes   = [][]byte{nil, {0}, make([]byte, 16), make([]byte, 5000)}
)

func newFuzzer(t testing.TB, seed uint64) *fuzzer {
	f := &fuzzer{
		Rand: rand.New(rand.NewPCG(seed, 0)), t: t, d: desktest.New(t, nil), pools: map[string][]protoreflect.Value{},
	}
	f.callers = []operation.Caller{{}, {Secure: true}, {Secure: true, Operator: true}}
	for _, name := range []string{"anna", "bert", "carl"} {
		f.keep("name", protoreflect.ValueOfString(name))
		f.perform(f.callers[1], wire.OpRegister, &wire.RegisterRequest{Name: name, Password: "long enough", Device: device(hongyan.ClassPhone)})
	}
	return f
}

func device(c hongyan.DeviceClass) *wire.Device { return wire.FromDevice(hongyan.Device{Class: c}) }

// perform makes a request and checks that it is answered once, in a frame, and that the store has survived it.
func (f *fuzzer) perform(c operation.Caller, op wire.Op, req proto.Message) {
	body, err := proto.Marshal(req)
	if err != nil {
		return // a text that is not UTF-8
	}
	f.raw(c, op, body)
}

func (f *fuzzer) raw(c operation.Caller, op wire.Op, body []byte) {
	answers := 0
	f.d.Desk.Do(c, op, body, func(r operation.Reply, err error) {
		answers++
		f.check(op, r, err)
		if reply, ok := r.Body.(*wire.SendReply); ok {
			f.sent = func() {
				f.perform(c, wire.OpRecall, &wire.RecallRequest{Conversation: reply.Conversation, Ordinal: reply.Ordinal})
			}
		}
	})
	f.d.Rest()
	if answers == 0 { // held for news
		f.d.Pass(operation.MaxWait)
	}
	if answers != 1 {
		f.t.Fatalf("%s was answered %d times: %x", op, answers, body)
	}
	if err := f.d.Engine().Failure(); err != nil {
		f.t.Fatalf("%s with %x has failed the store: %v", op, body, err)
	}
}

func (f *fuzzer) check(op wire.Op, r operation.Reply, err error) {
	var refusal *hongyan.Error
	if err != nil {
		if !errors.As(err, &refusal) || refusal.Code == hongyan.Internal {
			f.t.Fatalf("%s: %v", op, err)
		}
		if frame, err := wire.Append(nil, wire.OpError, 1, wire.FromError(op, refusal)); err != nil || len(frame) > 2048 {
			f.t.Fatalf("%s: the refusal takes %d bytes, %v", op, len(frame), err)
		}
		return
	}
	frame, err := wire.Append(nil, op.Reply(), 1, r.Body)
	if err != nil || len(frame) > wire.MaxFrame {
		f.t.Fatalf("%s: the answer takes %d bytes, %v", op, len(frame), err)
	}
	if id := r.Identity; id != nil {
		f.callers = append(f.callers, operation.Caller{User: id.User, Device: id.Device, Operator: id.Operator, Secure: true})
		if len(f.callers) > 8 {
			f.callers = slices.Delete(f.callers, 3, 4)
		}
	}
	if r.Body != nil {
		f.learn(r.Body.ProtoReflect(), 0)
	}
}

// what says what a field holds, under one name for all messages.
func what(fd protoreflect.FieldDescriptor) string {
	in, name := string(fd.ContainingMessage().Name()), string(fd.Name())
	switch {
	case name == "id" && in == "Group", name == "id" && in == "Conversation", name == "id" && in == "Device":
		return strings.ToLower(in)
	case slices.Contains([]string{"users", "owner", "from", "by", "reader"}, name):
		return "user"
	case slices.Contains([]string{"ordinals", "before", "last"}, name) || name == "after" && in == "HistoryRequest":
		return "ordinal"
	case name == "ids":
		return "conversation"
	case name == "names":
		return "name"
	case name == "token" && in != "AuthRequest":
		return "backfill"
	case name == "device_token" || name == "ticket":
		return "token"
	}
	return name
}

func (f *fuzzer) keep(what string, v protoreflect.Value) {
	if list := f.pools[what]; len(list) < 12 {
		f.pools[what] = append(list, v)
	} else {
		list[f.IntN(len(list))] = v
	}
}

// learn keeps what an answer holds, for later requests.
func (f *fuzzer) learn(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields() // in their order: Range has another one each time
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch v := m.Get(fd); {
		case !m.Has(fd):
		case fd.IsList():
			for i := range v.List().Len() {
				if fd.Message() != nil {
					f.learn(v.List().Get(i).Message(), depth+1)
				} else {
					f.keep(what(fd), v.List().Get(i))
				}
			}
		case fd.Message() == nil:
			f.keep(what(fd), v)
		case depth < 5:
			f.learn(v.Message(), depth+1)
		}
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// fill sets the fields of a request.
func (f *fuzzer) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case f.IntN(12) == 0:
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range f.IntN(3) {
				if fd.Message() != nil {
					f.fill(list.AppendMutable().Message(), depth+1)
				} else {
					list.Append(f.value(fd))
				}
			}
		case fd.Message() != nil:
			if depth < 3 {
				f.fill(m.Mutable(fd).Message(), depth+1)
			}
		case fd.ContainingOneof() == nil || fd.HasOptionalKeyword() || f.IntN(3) == 0:
			m.Set(fd, f.value(fd))
		}
	}
}

// value is one for a field: mostly of what there is, or of what is usual, now and then an edge.
func (f *fuzzer) value(fd protoreflect.FieldDescriptor) protoreflect.Value {
	kind := what(fd)
	usual := f.IntN(8) > 0
	if list := f.pools[kind]; usual && len(list) > 0 && (kind != "key" || f.IntN(2) == 0) {
		if v := pick(f.Rand, list); sameKind(fd, v) {
			return v
		}
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(f.IntN(6) - 1))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(pick(f.Rand, []uint32{0, 1, 2, 10, 1000, math.MaxUint32}))
	case protoreflect.Int64Kind:
		if usual {
			return protoreflect.ValueOfInt64(f.d.Now().UnixMilli())
		}
		return protoreflect.ValueOfInt64(pick(f.Rand, []int64{0, -1, math.MinInt64, math.MaxInt64}))
	case protoreflect.Uint64Kind:
		if kind == "ordinal" && usual {
			return protoreflect.ValueOfUint64(f.Uint64N(10))
		}
		return protoreflect.ValueOfUint64(pick(f.Rand, edgeNumbers))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(pick(f.Rand, []float64{0, 90, -180, 181, math.NaN(), math.Inf(1)}))
	case protoreflect.StringKind:
		switch {
		case usual && strings.Contains(kind, "password"):
			return protoreflect.ValueOfString("long enough")
		case kind == "name" && f.IntN(2) == 0:
			return protoreflect.ValueOfString(fmt.Sprint("user", f.IntN(1000)))
		}
		return protoreflect.ValueOfString(pick(f.Rand, edgeTexts))
	case protoreflect.BytesKind:
		if kind == "client_id" && usual {
			id := make([]byte, 16)
			id[0], id[15] = 1, byte(f.IntN(256))
			return protoreflect.ValueOfBytes(id)
		}
		return protoreflect.ValueOfBytes(pick(f.Rand, edgeBytes))
	}
	panic("a kind of field that no request had: " + fd.Kind().String())
}

// sameKind reports whether a value may stand in a field: some names mean a number here and a text there.
func sameKind(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	switch v.Interface().(type) {
	case bool:
		return fd.Kind() == protoreflect.BoolKind
	case protoreflect.EnumNumber:
		return fd.Kind() == protoreflect.EnumKind
	case uint32:
		return fd.Kind() == protoreflect.Uint32Kind
	case int64:
		return fd.Kind() == protoreflect.Int64Kind
	case uint64:
		return fd.Kind() == protoreflect.Uint64Kind
	case float64:
		return fd.Kind() == protoreflect.DoubleKind
	case string:
		return fd.Kind() == protoreflect.StringKind
	}
	return fd.Kind() == protoreflect.BytesKind
}

// caller is mostly one who may ask for an operation.
func (f *fuzzer) caller(a wire.Access) operation.Caller {
	switch {
	case f.IntN(8) == 0:
		return pick(f.Rand, f.callers)
	case a == wire.Operator:
		return f.callers[2]
	}
	return pick(f.Rand, f.callers[3:])
}

// step makes one request.
func (f *fuzzer) step() {
	row := wire.Operations[f.IntN(len(wire.Operations))]
	c := f.caller(row.Access)
	switch row.Op {
	case wire.OpLogout, wire.OpKick, wire.OpSetPassword, wire.OpSetAccount, wire.OpDissolve:
		if f.IntN(8) > 0 { // or soon there would be nobody to ask
			send, _ := wire.Lookup(wire.OpSend)
			row = *send
		}
	}
	switch f.IntN(10) {
	case 0:
		f.raw(c, wire.Op(f.Uint32()>>f.IntN(32)), []byte(pick(f.Rand, edgeTexts)))
	case 1:
		f.raw(c, row.Op, append([]byte(pick(f.Rand, edgeTexts)), pick(f.Rand, edgeBytes)...))
	case 2:
		f.raw(c, row.Op, nil)
	case 3:
		if f.sent != nil {
			f.sent()
		}
	default:
		req := row.NewRequest()
		f.fill(req.ProtoReflect(), 0)
		if send, ok := req.(*wire.SendRequest); ok && f.IntN(2) == 0 {
			send.Content = wire.FromContent(hongyan.Text("x"))
		}
		f.perform(c, row.Op, req)
	}
	if f.IntN(10) == 0 {
		f.d.Advance(time.Duration(f.IntN(100)) * time.Second)
	}
}

func TestRandomRequests(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			f := newFuzzer(t, seed)
			for range 2000 {
				f.step()
			}
		})
	}
}

// FuzzOperation is TestRandomRequests for seeds that the fuzzer finds, followed by a body that it makes up.
func FuzzOperation(f *testing.F) {
	for i, row := range wire.Operations {
		f.Add(uint64(i), uint32(row.Op), []byte{})
	}
	f.Add(uint64(1), uint32(wire.OpSend), []byte("\x0a\x07d:17:42\x1a\x100123456789abcdef\x20\x01\x2a\x03\x0a\x01x"))
	f.Add(uint64(2), uint32(999), []byte{0xff})
	f.Fuzz(func(t *testing.T, seed uint64, op uint32, body []byte) {
		z := newFuzzer(t, seed)
		for range 10 {
			z.step()
		}
		for _, c := range z.callers {
			z.raw(c, wire.Op(op), body)
		}
	})
}
