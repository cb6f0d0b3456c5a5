package auth

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"time"
)

// MaxClockSkew is how far the clock of the node that checks a ticket may be behind that of the node that signed it.
const MaxClockSkew = 5 * time.Minute

var (
	// ErrUnknownKey says that a ticket names a signing key that the ring does not hold, usually one rotated out.
	ErrUnknownKey = errors.New("auth: ticket signed with an unknown key")
	// ErrBadSignature says that a ticket was altered or forged.
	ErrBadSignature = errors.New("auth: ticket signature does not match")
	// ErrExpired says that a ticket is genuine but now is not within its period.
	ErrExpired = errors.New("auth: ticket expired")
)

// Ticket is what an access token vouches for. It is checked without the store, so it lives for a short time, and the
// caller compares Epoch with the device's current one, which grows when the device is revoked.
//
// The text of an access token is "hya_" and the base64url, 96 characters without spare bits, of, big-endian,
//
//	key id u32 | account u64 | device u64 | epoch u32 | issued u64 | expires u64 | HMAC-SHA256 of "hya_" and all before
//
// with times in seconds since 1970.
type Ticket struct {
	Account uint64
	Device  uint64
	Epoch   uint32
	Issued  time.Time // whole seconds, the rest is dropped
	Expires time.Time // whole seconds, after Issued; the ticket is refused from this moment on
}

// AccessToken is a signed Ticket. The same token serves as the resume ticket of a session.
type AccessToken struct {
	redacted
	text *string
}

// Reveal returns the text of the token for the device.
func (t AccessToken) Reveal() string { return *t.text }

const (
	ticketBody = 4 + 8 + 8 + 4 + 8 + 8
	ticketMAC  = 32
	ticketText = len(AccessTokenPrefix) + (ticketBody+ticketMAC)*8/6

	// maxTicketTime bounds the times of a ticket, in seconds since 1970, far inside the range where package time
	// computes exactly.
	maxTicketTime = 1 << 40
)

// Sign returns the token for t under the ring's current key. It is an error if Expires is not at least a second after
// Issued, or a time lies before 1970 or beyond 2^40 seconds after it.
func (r *KeyRing) Sign(t Ticket) (AccessToken, error) {
	issued, expires := t.Issued.Unix(), t.Expires.Unix()
	if issued < 0 || expires <= issued || expires > maxTicketTime {
		return AccessToken{}, errors.New("auth: ticket times out of order or range")
	}
	key := r.keys[0]
	var raw [ticketBody + ticketMAC]byte
	encodeTicket(&raw, key.id, t)
	mac := key.mac((*[ticketBody]byte)(raw[:]))
	copy(raw[ticketBody:], mac[:])
	text := AccessTokenPrefix + tokenEncoding.EncodeToString(raw[:])
	return AccessToken{text: &text}, nil
}

// Verify returns the ticket in the text of an access token. The errors are ErrMalformed, ErrUnknownKey,
// ErrBadSignature and ErrExpired, the first that applies in this order, so ErrExpired is said of genuine tickets
// alone.
func (r *KeyRing) Verify(now time.Time, text string) (Ticket, error) {
	var raw [ticketBody + ticketMAC]byte
	if !decodeTicketText(&raw, text) {
		return Ticket{}, ErrMalformed
	}
	id, t, ok := decodeTicket(&raw)
	if !ok {
		return Ticket{}, ErrMalformed
	}
	key := r.find(id)
	if key == nil {
		return Ticket{}, ErrUnknownKey
	}
	mac := key.mac((*[ticketBody]byte)(raw[:]))
	if subtle.ConstantTimeCompare(mac[:], raw[ticketBody:]) != 1 {
		return Ticket{}, ErrBadSignature
	}
	if !now.Before(t.Expires) || now.Before(t.Issued.Add(-MaxClockSkew)) {
		return Ticket{}, ErrExpired
	}
	return t, nil
}

func encodeTicket(raw *[ticketBody + ticketMAC]byte, keyID uint32, t Ticket) {
	binary.BigEndian.PutUint32(raw[0:], keyID)
	binary.BigEndian.PutUint64(raw[4:], t.Account)
	binary.BigEndian.PutUint64(raw[12:], t.Device)
	binary.BigEndian.PutUint32(raw[20:], t.Epoch)
	binary.BigEndian.PutUint64(raw[24:], uint64(t.Issued.Unix()))
	binary.BigEndian.PutUint64(raw[32:], uint64(t.Expires.Unix()))
}

// decodeTicket reports ok only for times that Sign would have signed.
func decodeTicket(raw *[ticketBody + ticketMAC]byte) (keyID uint32, t Ticket, ok bool) {
	issued, expires := binary.BigEndian.Uint64(raw[24:]), binary.BigEndian.Uint64(raw[32:])
	if expires <= issued || expires > maxTicketTime {
		return 0, Ticket{}, false
	}
	return binary.BigEndian.Uint32(raw[0:]), Ticket{
		Account: binary.BigEndian.Uint64(raw[4:]),
		Device:  binary.BigEndian.Uint64(raw[12:]),
		Epoch:   binary.BigEndian.Uint32(raw[20:]),
		Issued:  time.Unix(int64(issued), 0),
		Expires: time.Unix(int64(expires), 0),
	}, true
}

func decodeTicketText(raw *[ticketBody + ticketMAC]byte, text string) bool {
	if len(text) != ticketText || text[:len(AccessTokenPrefix)] != AccessTokenPrefix {
		return false
	}
	var encoded [ticketText]byte // on the stack, where a conversion of text could be on the heap
	copy(encoded[:], text)
	n, err := tokenEncoding.Decode(raw[:], encoded[len(AccessTokenPrefix):])
	return err == nil && n == len(raw) // fewer bytes: there were line breaks, which the decoder skips
}
