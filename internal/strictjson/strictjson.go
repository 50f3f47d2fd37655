// Package strictjson refuses JSON that two readers can read in two ways.
// encoding/json accepts it: it takes the last of two equal members, ignores the case
// of names, and replaces invalid UTF-8 and lone surrogates by U+FFFD.
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

// The functions of this package return these errors as they are. Callers choose
// their own words, so the errors hold nothing of the data.
var (
	ErrUTF8      = errors.New("strictjson: invalid UTF-8")
	ErrSyntax    = errors.New("strictjson: malformed, or another type than expected")
	ErrUnknown   = errors.New("strictjson: unknown member")
	ErrTwice     = errors.New("strictjson: member twice")
	ErrDepth     = errors.New("strictjson: nested too deeply")
	ErrSurrogate = errors.New("strictjson: lone surrogate")
	ErrTrailing  = errors.New("strictjson: data after the value")
)

// Check reads one value and returns the first fault that it finds: ErrUTF8 for
// invalid UTF-8 anywhere in data, ErrSyntax, ErrTwice for an object at any depth with
// two names that are equal, or equal but for their case, and ErrDepth for more than
// maxDepth arrays and objects inside each other. It returns ErrTrailing only if the
// value has no fault. Lone surrogates are accepted.
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

// Object returns the members of one object, each value as it is written. It returns
// ErrUTF8 for invalid UTF-8 anywhere in data; then the first fault that it finds:
// ErrSyntax, ErrUnknown for a name that is not one of known, case included, or
// ErrTwice for a name that the object already has; and ErrTrailing only if the object
// has no fault. Values are not checked for more than their syntax: see [String].
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
			return ErrTwice
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

// String returns the string that raw is. It returns ErrUTF8, ErrSyntax if raw is
// another value (null included), or ErrSurrogate for an escape that is half of a
// character (RFC 8259 section 8.2), which could make two strings equal.
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

// value reads one value with at most depth arrays and objects inside each other.
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
			// Up and down again folds the few letters that have three cases.
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

// members reads an object past its opening brace. It calls each with every name, and
// each reads the value.
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

// closed reads the end of an array or object.
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

// hasLoneSurrogate reports whether a JSON string has a surrogate without the other
// half of its pair.
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
			i++ // skip the escaped character: it begins no escape of its own
		}
	}
	return high
}
