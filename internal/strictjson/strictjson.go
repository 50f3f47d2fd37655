// Package strictjson rejects JSON that two parsers may interpret differently. For
// example, if an object has two members with the same name, encoding/json uses the last
// one. encoding/json also ignores the case of names, and replaces invalid UTF-8 and lone
// surrogates with U+FFFD. Another parser may use the first member or leave the bytes
// unchanged.
//
// [Check] validates a JSON value. [Object] returns the members of a JSON object. [String]
// decodes a JSON string. The package does not limit the size of the data.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The functions in this package return these errors unwrapped, except that [Object]
// returns a [*TwiceError] for ErrTwice. The errors contain no part of the data.
var (
	ErrUTF8      = errors.New("strictjson: invalid UTF-8")
	ErrSyntax    = errors.New("strictjson: malformed JSON or unexpected type")
	ErrUnknown   = errors.New("strictjson: unknown member")
	ErrTwice     = errors.New("strictjson: duplicate member")
	ErrDepth     = errors.New("strictjson: nested too deeply")
	ErrSurrogate = errors.New("strictjson: lone surrogate")
	ErrTrailing  = errors.New("strictjson: data after the value")
)

// A TwiceError names a member that an object has twice. It matches ErrTwice.
type TwiceError struct {
	Name string // one of the known names, so that it is not input
}

func (e *TwiceError) Error() string { return ErrTwice.Error() + " " + e.Name }

// Is reports whether target is ErrTwice.
func (e *TwiceError) Is(target error) bool { return target == ErrTwice }

// Check validates data, which must be one JSON value, and returns the first error that it
// finds:
//   - ErrUTF8 if data contains invalid UTF-8
//   - ErrSyntax if the JSON is malformed
//   - ErrTwice if an object at any depth has two names that are equal or differ only in case
//   - ErrDepth if arrays and objects are nested more than maxDepth levels deep
//   - ErrTrailing if valid JSON is followed by more data
//
// Check accepts lone surrogates.
func Check(data []byte, maxDepth int) error {
	if !utf8.Valid(data) {
		return ErrUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := value(d, maxDepth); err != nil {
		return err
	}
	return end(d)
}

// Object returns the members of the JSON object in data, with undecoded values, or the
// first error that it finds:
//   - ErrUTF8 if data contains invalid UTF-8
//   - ErrSyntax if the JSON is malformed or not an object
//   - ErrUnknown if the name of a member is not in known; the case must match, too
//   - a *TwiceError if two members have the same name
//   - ErrTrailing if a valid object is followed by more data
//
// Object checks only the syntax of the values. If a value must be a string, decode it
// with [String].
func Object(data []byte, known ...string) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, ErrUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrSyntax
	}
	m := make(map[string]json.RawMessage)
	err := members(d, func(name string) error {
		if !slices.Contains(known, name) {
			return ErrUnknown
		}
		if _, twice := m[name]; twice {
			return &TwiceError{name}
		}
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return ErrSyntax
		}
		m[name] = raw
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, end(d)
}

// String decodes a JSON string. The error is ErrUTF8 if raw contains invalid UTF-8, and
// ErrSyntax if raw is not a string. The error is ErrSurrogate if raw contains the escape
// of a lone surrogate (RFC 8259 section 8.2). encoding/json would replace such an escape
// with U+FFFD, so two different strings could become equal.
func String(raw []byte) (string, error) {
	var s *string
	switch {
	case !utf8.Valid(raw):
		return "", ErrUTF8
	case json.Unmarshal(raw, &s) != nil || s == nil:
		return "", ErrSyntax
	case hasLoneSurrogate(raw):
		return "", ErrSurrogate
	}
	return *s, nil
}

// value reads a JSON value and checks it as described at [Check]. depth is the number of
// levels to which arrays and objects may be nested.
func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return ErrSyntax
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return ErrDepth
	}
	if open == '{' {
		seen := make(map[string]bool)
		return members(d, func(name string) error {
			// ToLower alone does not make ſ (long s) equal to S and s.
			name = strings.ToLower(strings.ToUpper(name))
			if seen[name] {
				return ErrTwice
			}
			seen[name] = true
			return value(d, depth-1)
		})
	}
	for d.More() {
		if err := value(d, depth-1); err != nil {
			return err
		}
	}
	return closed(d)
}

// members reads the rest of an object. For each member, members reads the name and calls
// each(name), which must read the value.
func members(d *json.Decoder, each func(name string) error) error {
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return ErrSyntax
		}
		if err := each(name); err != nil {
			return err
		}
	}
	return closed(d)
}

// closed reads the bracket or brace that closes an array or object.
func closed(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return ErrSyntax
	}
	return nil
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != io.EOF {
		return ErrTrailing
	}
	return nil
}

func hasLoneSurrogate(raw []byte) bool {
	var high bool
	for i := 0; i < len(raw); i++ {
		unit := rune(-1)
		if raw[i] == '\\' && i+5 < len(raw) && raw[i+1] == 'u' {
			n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
			if err == nil {
				unit = rune(n)
			}
		}
		low := unit >= 0xdc00 && unit <= 0xdfff
		if high != low {
			return true
		}
		high = unit >= 0xd800 && unit <= 0xdbff
		switch {
		case unit >= 0:
			i += 5
		case raw[i] == '\\':
			i++ // skip the escaped character, which may be a backslash
		}
	}
	return high
}
