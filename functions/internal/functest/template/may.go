package template

import (
	"slices"
	"strings"
)

// Request is one call to AWS, as IAM looks at it.
type Request struct {
	Action      string            // "dynamodb:PutItem"
	LeadingKeys []string          // partition keys of the rows it touches
	Context     map[string]string // encryption context
}

// May reports which statement allows the request, as IAM would decide: every
// leading key has to match a pattern of the same statement, and the context has to
// have what the statement names. An installation that the template works out
// matches any.
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

// Like is StringLike for patterns whose only wildcard is a * at the end.
func Like(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return s == pattern
}
