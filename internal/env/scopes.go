package env

import (
	"slices"
	"strings"
)

// Scopes returns a required list of OAuth scopes. The Asana app must be registered for
// these scopes.
//
// An Asana app has either full permissions or resource scopes. The scope "default"
// requests full permissions. A resource scope is, for example, "tasks:read". A list that
// contains "default" and a resource scope is an error. Asana does not document whether
// "default" can be combined with openid, email or profile, so such a list causes a
// warning. Source: https://developers.asana.com/docs/oauth-scopes
func (r *Reader) Scopes(name string) []string {
	scopes := r.words(name, scopeFault)
	if !slices.Contains(scopes, "default") {
		return scopes
	}
	for _, scope := range scopes {
		if strings.Contains(scope, ":") {
			r.AddError(name, "has both default and a resource scope: an Asana app has one or the other")
			return nil
		}
	}
	if len(scopes) > 1 {
		r.warn(name, "has default and other scopes: Asana does not document whether it accepts both")
	}
	return scopes
}

// A scope must be a scope-token as defined in RFC 6749 section 3.3.
func scopeFault(scope string) string {
	for _, c := range []byte(scope) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return "has a character that a scope cannot have"
		}
	}
	return ""
}
