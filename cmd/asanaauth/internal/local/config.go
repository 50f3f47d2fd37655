package local

import (
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// config is the configuration from environment variables. It has the variables of the
// functions that also apply to a single process. The client secrets are variables
// themselves, instead of the ARN of a secret.
type config struct {
	publicURL    string
	ownPublicURL bool // PUBLIC_URL is not set
	installation string
	keyCacheTTL  time.Duration
	backendKey   secret.String
	madeKey      bool // backendKey was generated

	offline      bool // ASANA_CLIENT_ID is not set: use offline Asana
	clientID     string
	secrets      []secret.String // the current one, then the next one if it is set
	baseURL      string          // empty until newOffline sets it to offline Asana's origin
	issuer       string          // empty for baseURL + /api/1.0
	scopes       string
	responseType string

	returnURLs     []string
	allowedOrigins []string
	linksOnly      bool
	sessionTTL     time.Duration
	sessionIdleTTL time.Duration
}

// readConfig reads the environment variables; r collects the errors. flagKey is the value
// of -backend-key. ownURL is the default of PUBLIC_URL.
func readConfig(r *env.Reader, flagKey, ownURL string) config {
	c := config{
		publicURL:    ownURL,
		ownPublicURL: !r.Set("PUBLIC_URL"),
		installation: r.Optional("INSTALLATION", "local"),
		keyCacheTTL:  r.Duration("KEY_CACHE_TTL", 5*time.Minute, 0, time.Hour),
		offline:      !r.Set("ASANA_CLIENT_ID"),
		scopes:       "default",
		responseType: r.OneOf("ASANA_RESPONSE_TYPE", "code", "code", "code id_token"),
		linksOnly:    r.OneOf("SIGN_IN", "open", "open", "links") == "links",
		// The idle lifetime is extended at most once an hour, so it is at least two.
		sessionTTL:     r.Duration("SESSION_TTL", 720*time.Hour, time.Nanosecond, 0),
		sessionIdleTTL: r.Duration("SESSION_IDLE_TTL", 168*time.Hour, 2*time.Hour, 0),
	}
	if !c.ownPublicURL {
		c.publicURL = r.Origin("PUBLIC_URL")
	}
	c.returnURLs, c.allowedOrigins = []string{c.page()}, []string{c.publicURL}
	if r.Set("RETURN_URLS") {
		c.returnURLs = r.ReturnURLs("RETURN_URLS")
	}
	if r.Set("ALLOWED_ORIGINS") {
		c.allowedOrigins = r.Origins("ALLOWED_ORIGINS")
	}
	if c.responseType == "code id_token" {
		c.scopes = "default openid email profile" // an ID token needs openid
	}
	if !c.offline || r.Set("ASANA_SCOPES") {
		c.scopes = strings.Join(r.Scopes("ASANA_SCOPES"), " ")
	}
	c.readBackendKey(r, flagKey)
	c.readAsana(r)
	return c
}

// readBackendKey sets the backend key from the flag, the variable or a random text.
func (c *config) readBackendKey(r *env.Reader, flagKey string) {
	key := r.Optional("ASANAAUTH_BACKEND_KEY", "")
	if key != "" && !validKey(key) {
		r.AddError("ASANAAUTH_BACKEND_KEY", "has characters other than A-Z, a-z, 0-9, -, _, . and ~")
	}
	if flagKey != "" {
		key = flagKey
	}
	if c.madeKey = key == ""; c.madeKey {
		key = rand.Text()
	}
	c.backendKey = secret.New(key)
}

// readAsana reads the credentials of the app at the real Asana. Offline Asana has a fixed
// app, so readAsana does nothing for it.
func (c *config) readAsana(r *env.Reader) {
	if c.offline {
		return
	}
	c.clientID = r.String("ASANA_CLIENT_ID")
	c.secrets = []secret.String{secret.New(r.String("ASANA_CLIENT_SECRET"))}
	if r.Set("ASANA_NEXT_CLIENT_SECRET") {
		c.secrets = append(c.secrets, secret.New(r.Optional("ASANA_NEXT_CLIENT_SECRET", "")))
	}
	c.baseURL = r.BaseURL("ASANA_BASE_URL", "https://app.asana.com")
	if r.Set("ASANA_ISSUER") {
		c.issuer = r.BaseURL("ASANA_ISSUER", "")
	}
	if u, err := url.Parse(c.baseURL); err == nil && u.Path != "" {
		r.AddError("ASANA_BASE_URL", "must not have a path")
	}
}

// unused returns the names of variables that are set but ignored with offline Asana.
func (c *config) unused(r *env.Reader) []string {
	if !c.offline {
		return nil
	}
	names := []string{"ASANA_CLIENT_SECRET", "ASANA_NEXT_CLIENT_SECRET", "ASANA_BASE_URL", "ASANA_ISSUER"}
	return slices.DeleteFunc(names, func(name string) bool { return !r.Set(name) })
}

// page returns the URL of the page that this command serves.
func (c *config) page() string { return c.publicURL + "/" }

// redirectURI returns the redirect URI that must be registered at Asana.
func (c *config) redirectURI() string { return c.publicURL + "/callback" }
