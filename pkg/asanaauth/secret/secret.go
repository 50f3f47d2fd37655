// Package secret holds values that must not be printed: tokens, client
// secrets, cookies, names of people.
//
// A secret leaves its wrapping through Reveal alone, so that every use can be
// found by searching for that word.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String is a text that cannot be printed: every way of formatting, logging or
// marshalling it gives "[redacted]". The zero value is an absent secret. It
// holds a pointer, since a string-kinded type leaks through unexported fields,
// %d and map keys; so == compares identity: use Equal. Safe for concurrent use.
type String struct{ p *string }

// New wraps s. An empty s gives the zero value.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{&s}
}

// Reveal returns the text, "" for the zero value.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports that there is no secret.
func (s String) IsZero() bool { return s.p == nil }

// Equal compares two secrets in a time that depends on their lengths alone.
func (s String) Equal(t String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// Format implements [fmt.Formatter] for every verb.
func (String) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// String implements [fmt.Stringer].
func (String) String() string { return redacted }

// LogValue implements [slog.LogValuer].
func (String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which JSON and XML use.
func (String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Sealed is a ciphertext that package seal made. It is the only type that a
// stored row has for tokens and for what is known of people, so a row has no
// field that could hold them in the clear. nil is an absent field.
type Sealed []byte

// Format implements [fmt.Formatter]: a ciphertext tells its size at most.
func (s Sealed) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[sealed, %d bytes]", len(s)) }

// LogValue implements [slog.LogValuer].
func (s Sealed) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }
