package wire

import (
	"strconv"

	"github.com/hongyan-im/hongyan"
)

// The words of package hongyan become bodies with From…, which never fails, and bodies become words with To…, which
// refuses what is malformed with an Invalid *hongyan.Error whose message begins with the path of the field:
// "message.client_id: 5 bytes, not 16". Byte slices are shared between both sides, so neither may change them
// afterwards. Limits of size are not checked here but by those who accept the thing: Content.Check and its like.

// FromAll converts a list with one of the From functions.
func FromAll[D, B any](from func(D) *B, list []D) []*B {
	if len(list) == 0 {
		return nil
	}
	out := make([]*B, len(list))
	for i := range list {
		out[i] = from(list[i])
	}
	return out
}

// ToAll converts the list that a field holds with one of the To functions. It stops at the first element that is
// malformed.
func ToAll[D, B any](field string, to func(*B) (D, error), list []*B) ([]D, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]D, len(list))
	for i, b := range list {
		d, err := to(b)
		if err != nil {
			return nil, under(field+"["+strconv.Itoa(i)+"]", err)
		}
		out[i] = d
	}
	return out, nil
}

// FromIDs converts a list of ids, such as the accounts of a request.
func FromIDs[D ~uint64](list []D) []uint64 { return convertIDs[D, uint64](list) }

// ToIDs converts a list of ids, such as the accounts of a request.
func ToIDs[D ~uint64](list []uint64) []D { return convertIDs[uint64, D](list) }

func convertIDs[A, B ~uint64](list []A) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, id := range list {
		out[i] = B(id)
	}
	return out
}

// ToClientID reads a client id, which is required where a request has one.
func ToClientID(b []byte) (hongyan.ClientID, error) {
	var id hongyan.ClientID
	if len(b) != len(id) {
		return id, invalid("client_id", "%d bytes, not %d", len(b), len(id)).
			WithHint("draw 16 random bytes for every new message and keep them for its retries")
	}
	copy(id[:], b)
	if id == (hongyan.ClientID{}) {
		return id, invalid("client_id", "all its bytes are zero").
			WithHint("draw 16 random bytes for every new message and keep them for its retries")
	}
	return id, nil
}

// invalid makes the error of a malformed field.
func invalid(field, format string, args ...any) *hongyan.Error {
	e := hongyan.Errorf(hongyan.Invalid, format, args...)
	e.Message = field + ": " + e.Message
	return e
}

// missing is the error of a body that has to be there.
func missing(field string) *hongyan.Error { return invalid(field, "it is missing") }

// under puts the path of an error of a part below the field that holds the part.
func under(field string, err error) error {
	e := *err.(*hongyan.Error)
	e.Message = field + "." + e.Message
	return &e
}

// part converts what a field holds.
func part[D, B any](field string, to func(*B) (D, error), b *B) (d D, err error) {
	if b == nil {
		return d, missing(field)
	}
	if d, err = to(b); err != nil {
		return d, under(field, err)
	}
	return d, nil
}

// pointer is part for a word that holds the part by a pointer.
func pointer[D, B any](field string, to func(*B) (D, error), b *B) (*D, error) {
	d, err := part(field, to, b)
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// optional is pointer for a part that may be unset.
func optional[D, B any](field string, to func(*B) (D, error), b *B) (*D, error) {
	if b == nil {
		return nil, nil
	}
	return pointer(field, to, b)
}

// toEnum converts a number of an enumeration, from first to last. Whether the unset value, zero, has a meaning is up
// to the caller: first is 0 or 1.
func toEnum[D ~uint8, B ~int32](field string, v B, first, last D) (D, error) {
	if v < B(first) || v > B(last) {
		return 0, invalid(field, "there is no value %d", v)
	}
	return D(v), nil
}

// toConversationID reads the text form of a conversation id.
func toConversationID(field, text string) (hongyan.ConversationID, error) {
	c, err := hongyan.ParseConversation(text)
	if err != nil {
		e := *err.(*hongyan.Error)
		e.Message = field + ": " + e.Message
		return c, &e
	}
	return c, nil
}
