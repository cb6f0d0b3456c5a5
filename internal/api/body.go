package api

import (
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// format is how a body is written.
type format uint8

const (
	formatJSON     format = iota // proto3 JSON
	formatProtobuf               // as on the long link
)

// Media types of bodies. The last is what protobuf goes by since it has one that is registered; both mean the same.
const (
	typeJSON           = "application/json"
	typeProtobuf       = "application/x-protobuf"
	typeProtobufIANA   = "application/protobuf"
	acceptedMediaTypes = typeJSON + " or " + typeProtobuf
)

func (f format) mediaType() string {
	if f == formatProtobuf {
		return typeProtobuf
	}
	return typeJSON
}

// formatOf returns the format that a media type names.
func formatOf(mediaType string) (format, bool) {
	t, _, err := mime.ParseMediaType(mediaType)
	switch {
	case err != nil:
		return 0, false
	case t == typeJSON:
		return formatJSON, true
	case t == typeProtobuf, t == typeProtobufIANA:
		return formatProtobuf, true
	}
	return 0, false
}

// formats returns how a request's body is written and how its answer is to be: as the first known type of Accept, or
// else like the request. A request without a body need not say of what type it is not.
func formats(r *http.Request) (in, out format, err error) {
	declared := r.Header.Get("Content-Type")
	switch f, ok := formatOf(declared); {
	case ok:
		in = f
	case declared == "" && r.ContentLength == 0:
	default:
		return 0, 0, refuse(http.StatusUnsupportedMediaType,
			hongyan.Errorf(hongyan.Invalid, "bodies of type %q are not read here", declared).
				WithHint("set the header Content-Type to "+acceptedMediaTypes))
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return 0, 0, refuse(http.StatusUnsupportedMediaType,
			hongyan.Errorf(hongyan.Invalid, "bodies in the coding %q are not read here", coding).
				WithHint("send the body as it is, without Content-Encoding"))
	}
	for _, accept := range r.Header.Values("Accept") {
		for t := range strings.SplitSeq(accept, ",") {
			if f, ok := formatOf(t); ok {
				return in, f, nil
			}
		}
	}
	return in, in, nil
}

// decode makes the body of an operation as the long link has it.
func (f format) decode(row *wire.Operation, body []byte) ([]byte, error) {
	if f == formatProtobuf || len(body) == 0 {
		return body, nil
	}
	req := row.NewRequest()
	if err := wire.UnmarshalJSON(body, req); err != nil {
		return nil, err
	}
	return proto.Marshal(req)
}

// encode writes the answer to an operation. A nil body is an empty one.
func (f format) encode(row *wire.Operation, body proto.Message) ([]byte, error) {
	if body == nil {
		body = row.NewReply()
	}
	if f == formatProtobuf {
		return proto.Marshal(body)
	}
	return protojson.Marshal(body)
}
