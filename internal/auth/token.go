package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// The text of every token begins with one of these, so that people, log filters and secret scanners recognise it.
const (
	DeviceTokenPrefix = "hyd_"
	APIKeyPrefix      = "hyk_"
	AccessTokenPrefix = "hya_"
)

const (
	secretSize   = 32                 // bytes of randomness in a token
	checksumSize = 4                  // bytes of CRC-32 behind a token's body
	deviceBody   = 8 + 8 + secretSize // account, device, secret
	apiKeyBody   = 8 + secretSize     // id, secret
)

var (
	// ErrMalformed says that text does not have the form of the token that was expected: prefix, length, alphabet.
	ErrMalformed = errors.New("auth: malformed token")
	// ErrMistyped says that text has the form of a token but not its checksum: it was mistyped, cut or made up.
	ErrMistyped = errors.New("auth: token checksum does not match, copy the token again in full")
)

// tokenEncoding has no padding and no character that needs escaping in a URL, a header or a shell word.
var tokenEncoding = base64.RawURLEncoding.Strict()

// TokenHash is the SHA-256 of a token, the only part of it that the server keeps. A fast hash is enough, because
// nobody can search 256 bits of randomness. It is no secret. The zero TokenHash, for a record that was not found,
// equals no token's.
type TokenHash [sha256.Size]byte

// Equal compares in constant time.
func (h TokenHash) Equal(other TokenHash) bool {
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// DeviceToken is the long-lived credential of one device of one account. It names both, so that the record is found
// by key, and is revoked by deleting that record. Its text is "hyd_" and the base64url of, big-endian,
//
//	account u64 | device u64 | secret 32 bytes | CRC-32 (IEEE) of "hyd_" and all before, u32
type DeviceToken struct {
	redacted
	Account uint64
	Device  uint64
	secret  *string // secretSize raw bytes
}

// NewDeviceToken makes a token with a secret read from rand; the errors are rand's.
func NewDeviceToken(rand io.Reader, account, device uint64) (DeviceToken, error) {
	secret, err := readString(rand, secretSize)
	if err != nil {
		return DeviceToken{}, err
	}
	return DeviceToken{Account: account, Device: device, secret: &secret}, nil
}

// ParseDeviceToken parses what Reveal returned, or returns ErrMalformed or ErrMistyped. It proves nothing: compare
// Hash with the record of the device that the token names.
func ParseDeviceToken(text string) (DeviceToken, error) {
	var body [deviceBody]byte
	if err := parseToken(DeviceTokenPrefix, text, body[:]); err != nil {
		return DeviceToken{}, err
	}
	secret := string(body[16:])
	return DeviceToken{
		Account: binary.BigEndian.Uint64(body[0:]),
		Device:  binary.BigEndian.Uint64(body[8:]),
		secret:  &secret,
	}, nil
}

// Reveal returns the text of the token, to be handed to the device once.
func (t DeviceToken) Reveal() string {
	body := t.body()
	return tokenText(DeviceTokenPrefix, body[:])
}

// Hash returns what the server stores. It covers the account and the device, so that a record copied to another
// place fits no token.
func (t DeviceToken) Hash() TokenHash {
	body := t.body()
	return hashToken(DeviceTokenPrefix, body[:])
}

func (t DeviceToken) body() (body [deviceBody]byte) {
	binary.BigEndian.PutUint64(body[0:], t.Account)
	binary.BigEndian.PutUint64(body[8:], t.Device)
	copy(body[16:], *t.secret)
	return body
}

// APIKey is the credential of a program that uses the server API. The caller stores its Hash under ID, beside a
// name for people that ValidName accepts. Its text is "hyk_" and the base64url of, big-endian,
//
//	id u64 | secret 32 bytes | CRC-32 (IEEE) of "hyk_" and all before, u32
type APIKey struct {
	redacted
	ID     uint64  // random
	secret *string // secretSize raw bytes
}

// NewAPIKey makes a key with an ID and a secret read from rand; the errors are rand's.
func NewAPIKey(rand io.Reader) (APIKey, error) {
	random, err := readString(rand, apiKeyBody)
	if err != nil {
		return APIKey{}, err
	}
	id, secret := binary.BigEndian.Uint64([]byte(random[:8])), random[8:]
	return APIKey{ID: id, secret: &secret}, nil
}

// ParseAPIKey parses what Reveal returned, or returns ErrMalformed or ErrMistyped. It proves nothing: compare Hash
// with the record under ID.
func ParseAPIKey(text string) (APIKey, error) {
	var body [apiKeyBody]byte
	if err := parseToken(APIKeyPrefix, text, body[:]); err != nil {
		return APIKey{}, err
	}
	secret := string(body[8:])
	return APIKey{ID: binary.BigEndian.Uint64(body[:]), secret: &secret}, nil
}

// Reveal returns the text of the key, to be shown once.
func (k APIKey) Reveal() string {
	body := k.body()
	return tokenText(APIKeyPrefix, body[:])
}

// Hash returns what the server stores.
func (k APIKey) Hash() TokenHash {
	body := k.body()
	return hashToken(APIKeyPrefix, body[:])
}

func (k APIKey) body() (body [apiKeyBody]byte) {
	binary.BigEndian.PutUint64(body[:], k.ID)
	copy(body[8:], *k.secret)
	return body
}

func hashToken(prefix string, body []byte) TokenHash {
	return sha256.Sum256(append([]byte(prefix), body...))
}

func tokenText(prefix string, body []byte) string {
	raw := binary.BigEndian.AppendUint32(body[:len(body):len(body)], tokenChecksum(prefix, body))
	return prefix + tokenEncoding.EncodeToString(raw)
}

// parseToken fills body with the body of the token in text, whose length must be the one that belongs to body's.
func parseToken(prefix, text string, body []byte) error {
	size := len(body) + checksumSize
	if len(text) != len(prefix)+tokenEncoding.EncodedLen(size) || text[:len(prefix)] != prefix {
		return ErrMalformed
	}
	raw, err := tokenEncoding.DecodeString(text[len(prefix):])
	// The decoder skips line breaks; with one inside, the text of the right length holds too few bytes.
	if err != nil || len(raw) != size {
		return ErrMalformed
	}
	copy(body, raw)
	if binary.BigEndian.Uint32(raw[len(body):]) != tokenChecksum(prefix, body) {
		return ErrMistyped
	}
	return nil
}

func tokenChecksum(prefix string, body []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(prefix)), crc32.IEEETable, body)
}
