package wire

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
)

// textFrame is a frame as text: the members op and seq are those of the header, body is the proto3 JSON of the body.
type textFrame struct {
	Op   *uint32         `json:"op"`
	Seq  uint32          `json:"seq"`
	Body json.RawMessage `json:"body"`
}

// ParseText reads a frame that was written as text, {"op":40,"seq":7,"body":{…}}; body may be missing. The frame's body
// is that of a binary frame. If only the body is wrong the frame has its Op and Seq, for the refusal; the error is an
// Invalid *hongyan.Error.
func ParseText(text []byte) (Frame, error) {
	var t textFrame
	if err := json.Unmarshal(text, &t); err != nil {
		return Frame{}, hongyan.Errorf(hongyan.Invalid, "the message is no frame in JSON: %v", err).WithHint(textHint)
	}
	if t.Op == nil {
		return Frame{}, hongyan.Errorf(hongyan.Invalid, "the message is no frame in JSON: it has no op").WithHint(textHint)
	}
	f := Frame{Op: Op(*t.Op), Seq: t.Seq}
	if len(t.Body) == 0 {
		return f, nil
	}
	body := bodyOf(f.Op)
	if body == nil { // an unknown operation has no body that could be understood: who knows the operations says so
		return f, nil
	}
	if err := UnmarshalJSON(t.Body, body); err != nil {
		return f, err
	}
	raw, err := proto.Marshal(body)
	if err != nil {
		return f, hongyan.Errorf(hongyan.Invalid, "the body of %s: %v", f.Op, err).WithHint(textHint)
	}
	f.Body = raw
	return f, nil
}

const textHint = `write frames as {"op":40,"seq":7,"body":{…}}`

// UnmarshalJSON reads a body from proto3 JSON. Members that nobody knows are passed over, as in protobuf. What is
// malformed is an Invalid *hongyan.Error.
func UnmarshalJSON(body []byte, into proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, into); err != nil {
		// Without the name of its package, and the space behind it, which changes from build to build.
		says := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
		return hongyan.Errorf(hongyan.Invalid, "the body is no %s: %s", into.ProtoReflect().Descriptor().Name(), says).
			WithHint("bodies are proto3 JSON of the schema hongyan.v1: 64-bit numbers as decimal strings, bytes in base64")
	}
	return nil
}

// AppendText appends a frame as ParseText reads it. A body that is not that of its operation is an error; dst is
// returned as it was then.
func AppendText(dst []byte, f Frame) ([]byte, error) {
	out := append(dst, `{"op":`...)
	out = strconv.AppendUint(out, uint64(f.Op), 10)
	out = append(out, `,"seq":`...)
	out = strconv.AppendUint(out, uint64(f.Seq), 10)
	if len(f.Body) > 0 {
		body := bodyOf(f.Op)
		if body == nil {
			return dst, errors.New("wire: the body of " + f.Op.String() + " is not known")
		}
		if err := Unmarshal(f.Body, body); err != nil {
			return dst, err
		}
		out = append(out, `,"body":`...)
		var err error
		if out, err = (protojson.MarshalOptions{}).MarshalAppend(out, body); err != nil {
			return dst, errors.New("wire: " + err.Error())
		}
	}
	return append(out, '}'), nil
}

// bodyOf makes an empty body for frames of op, in either direction, or nil if op is unknown.
func bodyOf(op Op) proto.Message {
	switch op {
	case OpError:
		return new(ErrorBody)
	case OpNotify:
		return new(Notify)
	case OpClose:
		return new(Close)
	case OpSignal:
		return new(Signal)
	}
	if row, ok := Lookup(op); ok {
		return row.NewRequest()
	}
	if op > ReplyOffset {
		if row, ok := Lookup(op - ReplyOffset); ok {
			return row.NewReply()
		}
	}
	return nil
}
