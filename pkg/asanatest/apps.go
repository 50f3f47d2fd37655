package asanatest

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
)

// The default apps. The redirect URI of both is DefaultRedirectURI.
const (
	FullClientID         = "1300000000000001" // full permissions, and OpenID Connect
	FullClientSecret     = "offline-full-app"
	GranularClientID     = "1300000000000002" // granular scopes, and OpenID Connect
	GranularClientSecret = "offline-granular-app"

	DefaultRedirectURI = "http://localhost:8484/callback"
)

// outOfBand is the redirect URI of programs that have none: Asana shows the
// code on a page.
const outOfBand = "urn:ietf:wg:oauth:2.0:oob"

// App is an OAuth app as registered in Asana's developer console.
type App struct {
	ClientID, ClientSecret string
	NextClientSecret       string // a second secret that is accepted too; may be empty
	Name                   string
	RedirectURIs           []string // compared character for character
	// Scopes are those that the app may ask for. If "default" is one of them,
	// the app has full permissions and may not ask for granular scopes. The
	// scopes openid, email and profile go with both.
	Scopes []string
}

// DefaultApps returns an app with full permissions and one with granular
// scopes.
func DefaultApps() []App {
	uris := []string{DefaultRedirectURI, outOfBand}
	return []App{
		{ClientID: FullClientID, ClientSecret: FullClientSecret, Name: "Full App", RedirectURIs: uris, Scopes: []string{"default", "openid", "email", "profile"}},
		{ClientID: GranularClientID, ClientSecret: GranularClientSecret, Name: "Granular App", RedirectURIs: uris,
			Scopes: []string{"openid", "email", "profile", "users:read", "workspaces:read", "tasks:read", "tasks:write"}},
	}
}

// UpdateApp changes an app, for example its secret or its redirect URIs. The
// change is not saved in the state file. UpdateApp returns an error if the
// client id is unknown. The client id cannot be changed.
func (a *Asana) UpdateApp(clientID string, change func(*App)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	app := a.directory.app(clientID)
	if app == nil {
		return fmt.Errorf("asanatest: no app %q", clientID)
	}
	change(app)
	app.ClientID = clientID
	return nil
}

func (app *App) hasSecret(secret string) bool {
	same := func(want string) bool {
		return want != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(want)) == 1
	}
	return same(app.ClientSecret) || same(app.NextClientSecret)
}

func (app *App) full() bool { return slices.Contains(app.Scopes, "default") }

// scopes is a set of scopes in the order they were asked for.
type scopes []string

// parseScopes splits a scope parameter. An empty one means default.
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
	// Asana has spelled the scope both ways.
	other := strings.Replace(name, "workspaces.typeahead", "workspace.typeahead", 1)
	return slices.Contains(s, name) || slices.Contains(s, other)
}

// covers reports whether all scopes of other are in s.
func (s scopes) covers(other scopes) bool {
	return !slices.ContainsFunc(other, func(name string) bool { return !s.has(name) })
}

func (s scopes) identity() bool { return s.has("openid") || s.has("email") || s.has("profile") }

// forbidden returns why an app may not ask for these scopes, or "". The text is
// that of Asana's page.
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
