package media

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// RefPrefix begins every reference; the base64url of 16 bytes follows.
const RefPrefix = "m_"

// Strict, so that a reference has one form.
var refEncoding = base64.RawURLEncoding.Strict()

func formatRef(r store.MediaRef) string { return RefPrefix + refEncoding.EncodeToString(r[:]) }

// parseRef reads what formatRef has written, and nothing else.
func parseRef(text string) (r store.MediaRef, ok bool) {
	text, ok = strings.CutPrefix(text, RefPrefix)
	if !ok || len(text) != refEncoding.EncodedLen(len(r)) {
		return r, false
	}
	n, err := refEncoding.Decode(r[:], []byte(text))
	return r, err == nil && n == len(r) // fewer bytes: there were line breaks, which the decoder skips
}

// refFor makes the reference of an object as an account has uploaded it, the same every time. Nobody without the secret can
// tell it, and so nobody can tell whether another account has the same file.
func (s *Store) refFor(owner hongyan.UserID, d description, sum [sha256.Size]byte) (r store.MediaRef) {
	h := hmac.New(sha256.New, s.secret)
	head := binary.BigEndian.AppendUint64(nil, uint64(owner))
	head = append(head, sum[:]...)
	head = binary.BigEndian.AppendUint32(head, uint32(len(d.mime)))
	h.Write(head)
	h.Write([]byte(d.mime))
	h.Write([]byte(d.name))
	copy(r[:], h.Sum(nil))
	return r
}
