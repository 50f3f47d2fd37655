// Package env reads configuration from environment variables and collects every
// mistake, so that all of them can be corrected at once.
//
// It is apart from the functions' boot package because the command reads the same
// variables by the same rules, and must not link code of Lambda for it.
package env

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Error is one variable that is missing or malformed. It never holds the value:
// a mistyped name may have put a secret there, and mistakes are logged.
type Error struct {
	Name   string // of the variable
	Reason string // a sentence without its subject: "is missing"
}

func (e *Error) Error() string { return e.Name + ": " + e.Reason }

const missing = "is missing"

// Reader reads variables. A method that finds a mistake notes it and returns the
// zero value, so that reading goes on; only Err says whether what was read may
// be used. A variable set to nothing counts as missing: templates cannot leave
// one out. Not safe for concurrent use.
type Reader struct {
	lookup   func(string) (string, bool)
	mistakes []error
	warnings []*Error
}

// NewReader returns a Reader of what lookup finds: os.LookupEnv, or a map's.
func NewReader(lookup func(string) (string, bool)) *Reader {
	return &Reader{lookup: lookup}
}

// Err returns every mistake so far, in the order they were met: *Error values
// under errors.Join, or nil.
func (r *Reader) Err() error { return errors.Join(r.mistakes...) }

// Warnings returns what was accepted but may not be meant so.
func (r *Reader) Warnings() []*Error { return slices.Clone(r.warnings) }

// Set reports whether the variable has a value, well-formed or not.
func (r *Reader) Set(name string) bool {
	v, ok := r.lookup(name)
	return ok && v != ""
}

// String returns a required variable: UTF-8 without control characters and
// without space around it (pasted line ends are the usual mistake).
func (r *Reader) String(name string) string {
	if !r.Set(name) {
		r.mistake(name, missing)
		return ""
	}
	return r.Optional(name, "")
}

// Optional is String for a variable that may be missing; then it returns def.
func (r *Reader) Optional(name, def string) string {
	if !r.Set(name) {
		return def
	}
	v, _ := r.lookup(name)
	switch {
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		r.mistake(name, "has control characters or is no UTF-8")
		return ""
	case strings.TrimSpace(v) != v:
		r.mistake(name, "has space around it")
		return ""
	}
	return v
}

// Words returns a required list of at least one, divided by white space (line
// ends too, as templates fold long lists), none twice.
func (r *Reader) Words(name string) []string {
	var words []string
	if v, ok := r.lookup(name); ok {
		words = strings.Fields(v)
	}
	if len(words) == 0 {
		r.mistake(name, missing)
		return nil
	}
	for i, word := range words {
		if slices.Contains(words[:i], word) {
			r.mistake(name, entry(i)+"repeats an earlier one")
			return nil
		}
	}
	return words
}

// Duration returns a Go duration ("90s", "720h") from low to high, or def where
// it is missing; high 0 means that there is no upper end.
func (r *Reader) Duration(name string, def, low, high time.Duration) time.Duration {
	v := r.Optional(name, def.String())
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		r.mistake(name, "is no duration such as 90s, 5m or 720h")
	case d < low:
		r.mistake(name, fmt.Sprintf("is less than %v", low))
	case high > 0 && d > high:
		r.mistake(name, fmt.Sprintf("is more than %v", high))
	default:
		return d
	}
	return 0
}

// OneOf returns a variable that is exactly one of the choices, or def where it is
// missing.
func (r *Reader) OneOf(name, def string, choices ...string) string {
	v := r.Optional(name, def)
	if v != "" && !slices.Contains(choices, v) {
		r.mistake(name, "is none of: "+strings.Join(choices, ", "))
		return ""
	}
	return v
}

// AddError adds a mistake that only the caller can see: two variables that
// contradict each other, a file that is not there. The reason must not hold the
// value.
func (r *Reader) AddError(name, reason string) { r.mistake(name, reason) }

func (r *Reader) mistake(name, reason string) {
	r.mistakes = append(r.mistakes, &Error{Name: name, Reason: reason})
}

func (r *Reader) warn(name, reason string) {
	r.warnings = append(r.warnings, &Error{Name: name, Reason: reason})
}

// words returns the words that check finds no fault with ("" is none), or nil
// with the mistakes noted.
func (r *Reader) words(name string, check func(string) string) []string {
	words := r.Words(name)
	good := true
	for i, word := range words {
		if reason := check(word); reason != "" {
			r.mistake(name, entry(i)+reason)
			good = false
		}
	}
	if !good {
		return nil
	}
	return words
}

// entry names a word by its place, as its value must not be repeated.
func entry(i int) string { return fmt.Sprintf("entry %d ", i+1) }
