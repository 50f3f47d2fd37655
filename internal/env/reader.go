// Package env reads configuration from environment variables. A [Reader] checks each
// variable that it reads, and collects the errors, so a user sees all errors at once.
//
// The Lambda functions and the asanaauth command both use this package, so they accept
// the same values. The package does not import the AWS SDK or the Lambda library.
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

// Error reports a variable that is missing or malformed. An Error never contains the
// value. Errors are logged, and a user may have put a secret into the wrong variable.
type Error struct {
	Name   string // name of the variable
	Reason string // what is wrong, as a sentence without its subject, such as "is missing"
}

// Error returns the name and the reason, for example "TABLE_NAME: is missing".
func (e *Error) Error() string { return e.Name + ": " + e.Reason }

const missing = "is missing"

// Reader reads environment variables and collects errors. If a variable is missing or
// malformed, the method that reads it records an error and returns the zero value. Use
// the values only if [Reader.Err] returns nil.
//
// An empty variable counts as missing, because CloudFormation templates set unused
// variables to an empty value. A Reader is not safe for concurrent use.
type Reader struct {
	lookup   func(string) (string, bool)
	errs     []error
	warnings []*Error
}

// NewReader returns a Reader that reads variables with lookup. lookup is usually
// [os.LookupEnv].
func NewReader(lookup func(string) (string, bool)) *Reader {
	return &Reader{lookup: lookup}
}

// Err returns all recorded errors, in the order in which they were found. The result is
// nil or an error from [errors.Join] that wraps *Error values.
func (r *Reader) Err() error { return errors.Join(r.errs...) }

// Warnings returns a warning for each value that the Reader accepted but that is probably
// wrong.
func (r *Reader) Warnings() []*Error { return slices.Clone(r.warnings) }

// Set reports whether the variable is set and not empty, without checking the value.
func (r *Reader) Set(name string) bool {
	v, ok := r.lookup(name)
	return ok && v != ""
}

// String returns the value of a required variable. The value must be UTF-8 without
// control characters, and must not begin or end with white space, such as a line end that
// was pasted with it.
func (r *Reader) String(name string) string {
	if !r.Set(name) {
		r.AddError(name, missing)
		return ""
	}
	return r.Optional(name, "")
}

// Optional is like [Reader.String], but returns def if the variable is missing.
func (r *Reader) Optional(name, def string) string {
	if !r.Set(name) {
		return def
	}
	v, _ := r.lookup(name)
	switch {
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		r.AddError(name, "has control characters or is not UTF-8")
		return ""
	case strings.TrimSpace(v) != v:
		r.AddError(name, "begins or ends with white space")
		return ""
	case isQuoted(v):
		r.AddError(name, quoted)
		return ""
	}
	return v
}

const quoted = "begins or ends with a quotation mark: remove the quotation marks"

// isQuoted reports whether v begins or ends with a quotation mark. Some tools that set
// variables from a file, such as "docker run --env-file", keep the quotation marks.
func isQuoted(v string) bool {
	const marks = "\"'`“”‘’"
	return strings.Trim(v, marks) != v
}

// Digits returns the value of a required variable, which must consist of ASCII digits.
func (r *Reader) Digits(name string) string {
	return r.checked(name, r.String(name), func(v string) string {
		if strings.Trim(v, "0123456789") != "" {
			return "must consist of digits only"
		}
		return ""
	})
}

// Bool reports whether the value of a variable is "true". Upper case and lower case are
// equal, as in the AWS SDKs. If the variable is missing, Bool returns false. Other values
// than "true" and "false" are an error.
func (r *Reader) Bool(name string) bool {
	v := strings.ToLower(r.Optional(name, "false"))
	if v != "" && v != "true" && v != "false" {
		r.AddError(name, "is neither true nor false")
	}
	return v == "true"
}

// Duration returns the value of a variable, which must be a duration in Go's format, such
// as "90s" or "720h". If the variable is missing, Duration returns def. The value must be
// at least low and at most high. If high is 0, the value has no upper limit.
func (r *Reader) Duration(name string, def, low, high time.Duration) time.Duration {
	v := r.Optional(name, def.String())
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		r.AddError(name, "is not a duration such as 90s, 5m or 720h")
	case d < low:
		r.AddError(name, "must "+atLeast(low))
	case high > 0 && d > high:
		r.AddError(name, "must be at most "+short(high))
	default:
		return d
	}
	return 0
}

func atLeast(low time.Duration) string {
	switch low {
	case 0:
		return "not be negative"
	case time.Nanosecond:
		return "be more than 0"
	}
	return "be at least " + short(low)
}

// short omits zero minutes and seconds: "2h", not "2h0m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// OneOf returns the value of a variable, which must be one of choices. If the variable is
// missing, OneOf returns def.
func (r *Reader) OneOf(name, def string, choices ...string) string {
	v := r.Optional(name, def)
	if v != "" && !slices.Contains(choices, v) {
		r.AddError(name, "is not one of: "+strings.Join(choices, ", "))
		return ""
	}
	return v
}

// AddError records an error that the caller has found in a variable, for example a
// contradiction between two variables. reason becomes [Error.Reason], and must not
// contain a value.
func (r *Reader) AddError(name, reason string) {
	r.errs = append(r.errs, &Error{Name: name, Reason: reason})
}

func (r *Reader) warn(name, reason string) {
	r.warnings = append(r.warnings, &Error{Name: name, Reason: reason})
}

// words returns a required list of words. The words are separated by white space, which
// includes line ends. The list must contain at least one word and no duplicates. check
// returns what is wrong with a word, or "".
func (r *Reader) words(name string, check func(string) string) []string {
	var words []string
	if v, ok := r.lookup(name); ok {
		words = strings.Fields(v)
	}
	if len(words) == 0 {
		r.AddError(name, missing)
		return nil
	}
	good := true
	for i, word := range words {
		reason := check(word)
		switch {
		case isQuoted(word):
			reason = quoted
		case hasSeparator(word):
			reason = "has a comma or a semicolon: separate the entries with spaces"
		case slices.Contains(words[:i], word):
			reason = "repeats an earlier entry"
		}
		if reason != "" {
			r.AddError(name, entry(i)+reason)
			good = false
		}
	}
	if !good {
		return nil
	}
	return words
}

// hasSeparator reports whether a word contains a comma or a semicolon that probably
// separates entries. In a URL, these characters are also valid within the path and the
// query. Elsewhere, no entry contains them.
func hasSeparator(word string) bool {
	if strings.Contains(word, "://") {
		return strings.Trim(word, ",;") != word || hasURLAfterSeparator(word)
	}
	return strings.ContainsAny(word, ",;")
}

func hasURLAfterSeparator(word string) bool {
	for i, c := range word {
		if c == ',' || c == ';' {
			scheme, _, ok := strings.Cut(word[i+1:], "://")
			if ok && scheme != "" && strings.Trim(scheme, letters+digits+"+.-") == "" {
				return true
			}
		}
	}
	return false
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// entry identifies a word in a list by its position, because errors must not contain
// values.
func entry(i int) string { return fmt.Sprintf("entry %d ", i+1) }
