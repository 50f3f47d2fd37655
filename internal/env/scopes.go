package env

import (
	"slices"
	"strings"
)

// Scopes is a required list of the OAuth scopes that the Asana app is registered
// for. An app has either Full permissions, asked for as "default", or scopes of
// resources such as "tasks:read": both at once is a mistake. What Asana makes of
// "default" beside openid, email or profile is documented nowhere, so that is a
// warning. Source: https://developers.asana.com/docs/oauth-scopes
func (r *Reader) Scopes(name string) []string {
	scopes := r.words(name, scopeFault)
	if !slices.Contains(scopes, "default") {
		return scopes
	}
	for _, scope := range scopes {
		if strings.Contains(scope, ":") {
			r.mistake(name, "has default beside a scope of a resource: an app has one or the other")
			return nil
		}
	}
	if len(scopes) > 1 {
		r.warn(name, "has default beside other scopes: Asana does not document whether it accepts that")
	}
	return scopes
}

// scopeFault is scope-token of RFC 6749 section 3.3.
func scopeFault(scope string) string {
	for _, c := range []byte(scope) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return "has a character that no scope has"
		}
	}
	return ""
}
