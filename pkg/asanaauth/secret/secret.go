// Package secret has types for values that must not be printed: tokens, client secrets,
// cookies, and personal data such as names.
//
// A [String] holds a value in plain text. If a String is formatted, logged or marshaled,
// the output is "[redacted]". Only [String.Reveal] returns the value, so a search for
// Reveal finds every use of a secret. A [Sealed] holds a value that package seal
// encrypted. This package does not encrypt values and does not erase them from memory.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String holds a text that must not be printed. If a String is formatted, logged or
// marshaled, the output is "[redacted]". The zero value means that the secret is
// missing. A String is immutable and safe for concurrent use.
//
// Compare two values with [String.Equal]. The operator == compares pointers, because a
// String holds a pointer to its text. If String were based on the type string, fmt would
// print the text of a String in an unexported field.
type String struct{ p *string }

// New returns a String with the text s, or the zero value if s is empty.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{&s}
}

// Reveal returns the text, or "" for the zero value.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether s is the zero value.
func (s String) IsZero() bool { return s.p == nil }

// Equal reports whether s and t have the same text. The time for the comparison depends
// only on the lengths of the two texts.
func (s String) Equal(t String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// Format implements [fmt.Formatter] and writes "[redacted]" for every verb.
func (String) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// String implements [fmt.Stringer] and returns "[redacted]".
func (String) String() string { return redacted }

// LogValue implements [slog.LogValuer] and returns "[redacted]".
func (String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json and encoding/xml
// use. It returns "[redacted]" and no error.
func (String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Sealed is a value that package seal encrypted. Stored rows use Sealed for tokens and
// personal data, so a row cannot contain such values in plain text. Nil means that the
// value is missing.
type Sealed []byte

// Format implements [fmt.Formatter] and writes only the size for every verb, such as
// "[sealed, 72 bytes]".
func (s Sealed) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[sealed, %d bytes]", len(s)) }

// LogValue implements [slog.LogValuer] and returns the text that Format writes.
func (s Sealed) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }
