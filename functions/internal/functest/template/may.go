package template

import (
	"slices"
	"strings"
)

// Request contains the properties of an AWS call that IAM checks.
type Request struct {
	Action      string            // for example "dynamodb:PutItem"
	LeadingKeys []string          // partition keys of the table rows that the call reads or writes
	Context     map[string]string // encryption context of KMS
}

// May returns the index of the first statement in f.Allows that allows the request. If no
// statement allows the request, ok is false. Like IAM, May compares the request with the
// conditions in the statement. Every partition key of the request must match one of the
// statement's patterns. The request's encryption context must contain the statement's
// names and values. If the template computes a required value, May accepts any value.
func (f Function) May(r Request) (statement int, ok bool) {
	for i, s := range f.Allows {
		if slices.Contains(s.Actions, r.Action) && s.allowsKeys(r.LeadingKeys) && s.allowsContext(r.Context) {
			return i, true
		}
	}
	return 0, false
}

func (s Statement) allowsKeys(keys []string) bool {
	if len(s.LeadingKeys) == 0 {
		return len(keys) == 0
	}
	for _, key := range keys {
		if !slices.ContainsFunc(s.LeadingKeys, func(pattern string) bool { return Like(pattern, key) }) {
			return false
		}
	}
	return true
}

func (s Statement) allowsContext(context map[string]string) bool {
	for name, want := range s.Context {
		got, ok := context[name]
		if !ok || want != "" && got != want {
			return false
		}
	}
	return true
}

// Like reports whether s matches pattern according to IAM's operator StringLike. Like
// supports only one wildcard, a * at the end of the pattern.
func Like(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return s == pattern
}
