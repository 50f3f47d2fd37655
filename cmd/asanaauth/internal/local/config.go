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

// config is what the variables say: those of the functions that make sense in
// one process, and the client secrets in place of an ARN.
type config struct {
	publicURL    string
	ownPublicURL bool // nobody set PUBLIC_URL
	installation string
	keyCacheTTL  time.Duration
	backendKey   secret.String
	madeKey      bool // backendKey was given by nobody

	offline      bool // no ASANA_CLIENT_ID: Asana is ours too
	clientID     string
	secrets      []secret.String // current, and next where there is one
	baseURL      string          // empty: offline Asana's, where it listens
	issuer       string          // empty: baseURL + /api/1.0
	scopes       string
	responseType string

	returnURLs     []string
	allowedOrigins []string
	linksOnly      bool
	sessionTTL     time.Duration
	sessionIdleTTL time.Duration
}

// readConfig reads the variables. ownURL is the origin of the service where
// PUBLIC_URL names no other.
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
		// Any positive time; an idle end is moved at most once an hour.
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

func (c *config) readBackendKey(r *env.Reader, flagKey string) {
	key := r.Optional("ASANAAUTH_BACKEND_KEY", "")
	if key != "" && !goodKey(key) {
		r.AddError("ASANAAUTH_BACKEND_KEY", "has a character other than A-Z, a-z, 0-9, -, _, . and ~")
	}
	if flagKey != "" {
		key = flagKey
	}
	if c.madeKey = key == ""; c.madeKey {
		key = rand.Text()
	}
	c.backendKey = secret.New(key)
}

// readAsana reads who we are at the real Asana. Offline Asana knows only the app
// that it is started with.
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
		r.AddError("ASANA_BASE_URL", "has a path")
	}
}

// unused names the variables that are set and mean nothing to offline Asana.
func (c *config) unused(r *env.Reader) []string {
	if !c.offline {
		return nil
	}
	names := []string{"ASANA_CLIENT_SECRET", "ASANA_NEXT_CLIENT_SECRET", "ASANA_BASE_URL", "ASANA_ISSUER"}
	return slices.DeleteFunc(names, func(name string) bool { return !r.Set(name) })
}

// page is the address of the page that shows the trip.
func (c *config) page() string { return c.publicURL + "/" }

func (c *config) redirectURI() string { return c.publicURL + "/callback" }
