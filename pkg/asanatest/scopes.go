package asanatest

import (
	"slices"
	"strings"
)

// scopes is a set of scopes in the order they were asked for.
type scopes []string

// parseScopes splits a scope parameter; none asked means default.
func parseScopes(param string) scopes {
	var s scopes
	for _, name := range strings.Fields(param) {
		if !slices.Contains(s, name) {
			s = append(s, name)
		}
	}
	if len(s) == 0 {
		return scopes{"default"}
	}
	return s
}

func (s scopes) String() string { return strings.Join(s, " ") }

func (s scopes) has(name string) bool {
	// The scope has been spelled both ways by Asana.
	other := strings.Replace(name, "workspaces.typeahead", "workspace.typeahead", 1)
	return slices.Contains(s, name) || slices.Contains(s, other)
}

// covers says whether everything in other is in s.
func (s scopes) covers(other scopes) bool {
	return !slices.ContainsFunc(other, func(name string) bool { return !s.has(name) })
}

func (s scopes) identity() bool { return s.has("openid") || s.has("email") || s.has("profile") }

// forbidden returns why an app may not ask for these scopes, or "". The words
// are those seen on Asana's page.
func (app *App) forbidden(asked scopes, s Switches) string {
	registered := scopes(app.Scopes)
	if asked.has("default") && (!app.full() || s.DefaultWithOpenID == "refuse" && asked.identity()) {
		return "Your app is not allowed to request user authorization for `default identity` scopes."
	}
	var wrong scopes
	for _, name := range asked {
		if !registered.has(name) {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) > 0 {
		return "Your app is not allowed to request user authorization for '" + wrong.String() + "' scopes."
	}
	return ""
}
