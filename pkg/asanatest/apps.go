package asanatest

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
)

// Credentials and redirect URI of the apps that [DefaultApps] returns.
const (
	FullClientID         = "1300000000000001" // full permissions and OpenID Connect
	FullClientSecret     = "offline-full-app"
	GranularClientID     = "1300000000000002" // granular scopes and OpenID Connect
	GranularClientSecret = "offline-granular-app"

	DefaultRedirectURI = "http://localhost:8484/callback"
)

// outOfBand is the redirect URI of programs that cannot receive a redirect. For this URI,
// Asana shows the code on a page instead of redirecting the browser.
const outOfBand = "urn:ietf:wg:oauth:2.0:oob"

// App is an OAuth app. In the real Asana, developers register apps in the developer
// console.
type App struct {
	ClientID, ClientSecret string
	NextClientSecret       string // a second valid secret; may be empty
	Name                   string
	RedirectURIs           []string // must match the redirect_uri parameter exactly
	// Scopes lists the scopes that the app may request. An app with full permissions
	// has the scope "default". Other apps have granular scopes. Both kinds of app can
	// also have the scopes "openid", "email" and "profile".
	Scopes []string
}

// DefaultApps returns two apps: one with full permissions and one with granular scopes.
// Both apps have [DefaultRedirectURI] among their redirect URIs.
func DefaultApps() []App {
	uris := []string{DefaultRedirectURI, outOfBand}
	return []App{
		{ClientID: FullClientID, ClientSecret: FullClientSecret, Name: "Full App", RedirectURIs: uris, Scopes: []string{"default", "openid", "email", "profile"}},
		{ClientID: GranularClientID, ClientSecret: GranularClientSecret, Name: "Granular App", RedirectURIs: uris,
			Scopes: []string{"openid", "email", "profile", "users:read", "workspaces:read", "tasks:read", "tasks:write"}},
	}
}

// UpdateApp calls change to modify the app with the given client ID, for example to set
// another client secret. The function change cannot change the client ID, and must not
// call methods of a. A restart undoes the change, because the state file does not contain
// apps. UpdateApp returns an error if the client ID is unknown.
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

// scopes is a list without duplicates, in the order of the authorize request.
type scopes []string

// parseScopes returns the scopes in the parameter "scope" of an authorize request. If the
// parameter is empty, the result is the scope "default".
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
	// Asana's documentation spells this scope in two ways, "workspaces.typeahead" and
	// "workspace.typeahead", so both spellings are accepted.
	other := strings.Replace(name, "workspaces.typeahead", "workspace.typeahead", 1)
	return slices.Contains(s, name) || slices.Contains(s, other)
}

func (s scopes) covers(other scopes) bool {
	return !slices.ContainsFunc(other, func(name string) bool { return !s.has(name) })
}

func (s scopes) identity() bool { return s.has("openid") || s.has("email") || s.has("profile") }

// forbidden returns "" if the app may request the scopes in asked, and otherwise the
// message that Asana shows on the error page.
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
