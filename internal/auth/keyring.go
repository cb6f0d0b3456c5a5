package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// MaxKeys is how many signing keys a ring holds: the current one and those before it. A ticket stays valid through
// MaxKeys-1 rotations after the one that made its key current.
const MaxKeys = 4

// ErrKeyRing is what ParseKeyRing returns for bytes that are no key ring.
var ErrKeyRing = errors.New("auth: malformed key ring")

const (
	ringVersion = 1
	ringKeySize = 4 + secretSize // id, secret
)

// KeyRing holds the keys that sign access tokens: new tokens are signed with the current key, and those of the keys
// before it are still accepted. A ring is immutable, so several goroutines may use it; every node of a cluster
// holds the same one.
type KeyRing struct {
	redacted
	keys []*signingKey // 1 to MaxKeys with distinct ids, the current one first
}

type signingKey struct {
	id     uint32
	secret *string // secretSize raw bytes
}

// NewKeyRing returns a ring with one key read from rand; the errors are rand's. No older token is valid under it.
func NewKeyRing(rand io.Reader) (*KeyRing, error) {
	return new(KeyRing).Rotate(rand)
}

// Rotate returns a ring whose current key is a new one read from rand, followed by the newest MaxKeys-1 keys of r.
// Nodes that still hold r cannot check tokens signed with the new key, so it is stored and shared before it is
// used.
func (r *KeyRing) Rotate(rand io.Reader) (*KeyRing, error) {
	// Ids are random, not counted: a server restored from a backup would count the same ids again, and then take the
	// tokens it had signed for forgeries.
	var key *signingKey
	for key == nil || r.find(key.id) != nil {
		random, err := readString(rand, ringKeySize)
		if err != nil {
			return nil, err
		}
		key = parseSigningKey(random)
	}
	kept := r.keys[:min(len(r.keys), MaxKeys-1)]
	return &KeyRing{keys: append([]*signingKey{key}, kept...)}, nil
}

// Reveal returns the ring for the caller's record: a version byte, then for each key, the current one first, its id
// (u32, big-endian) and 32 bytes of secret.
func (r *KeyRing) Reveal() []byte {
	b := []byte{ringVersion}
	for _, k := range r.keys {
		b = binary.BigEndian.AppendUint32(b, k.id)
		b = append(b, *k.secret...)
	}
	return b
}

// ParseKeyRing parses what Reveal returned; anything else is ErrKeyRing. It does not keep b.
func ParseKeyRing(b []byte) (*KeyRing, error) {
	if len(b) == 0 || b[0] != ringVersion {
		return nil, ErrKeyRing
	}
	b = b[1:]
	if n := len(b) / ringKeySize; len(b)%ringKeySize != 0 || n < 1 || n > MaxKeys {
		return nil, ErrKeyRing
	}
	r := new(KeyRing)
	for raw := range slices.Chunk(b, ringKeySize) {
		k := parseSigningKey(string(raw))
		if r.find(k.id) != nil {
			return nil, ErrKeyRing
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// parseSigningKey takes ringKeySize bytes.
func parseSigningKey(raw string) *signingKey {
	secret := raw[4:]
	return &signingKey{id: binary.BigEndian.Uint32([]byte(raw[:4])), secret: &secret}
}

func (r *KeyRing) find(id uint32) *signingKey {
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// mac returns the HMAC-SHA256 of "hya_" and body.
func (k *signingKey) mac(body *[ticketBody]byte) (sum [ticketMAC]byte) {
	h := hmac.New(sha256.New, []byte(*k.secret))
	h.Write([]byte(AccessTokenPrefix))
	h.Write(body[:])
	h.Sum(sum[:0])
	return sum
}
