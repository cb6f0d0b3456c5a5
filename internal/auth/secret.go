package auth

import (
	"fmt"
	"io"
	"log/slog"
)

const redaction = "[redacted]"

// redacted, embedded in a type, makes every usual way of printing that type show "[redacted]". The secret itself is
// besides held as a *string: inside an unexported field of another struct fmt finds no methods and prints the raw
// fields, and of these kinds of field a pointer to a string is one that it shows as an address under every verb. (It
// follows a pointer to an array or struct when the verb does not fit.)
type redacted struct{}

func (redacted) String() string { return redaction }

func (redacted) GoString() string { return redaction }

// Format serves the verbs that do not call String, such as %d, with which fmt would print the fields.
func (redacted) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redaction)) }

func (redacted) LogValue() slog.Value { return slog.StringValue(redaction) }

// MarshalText serves encoding/json, encoding/xml and the TOML encoder.
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }

// readString reads n random bytes into a string, the form in which secrets are held.
func readString(rand io.Reader, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("auth: read randomness: %w", err)
	}
	return string(b), nil
}
