package local

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// config contains the settings from environment variables. The client secrets come from
// variables too, because the command does not use Secrets Manager.
type config struct {
	publicURL    string
	ownPublicURL bool // PUBLIC_URL is not set, so publicURL is the default
	installation string
	keyCacheTTL  time.Duration

	backendKey, backendSecret secret.String
	madeKey, madeSecret       bool // the value was generated

	offline      bool // use the offline Asana, because ASANA_CLIENT_ID is not set
	clientID     string
	secrets      []secret.String // the current secret and, if it is set, the next one
	baseURL      string          // for the offline Asana, newOffline sets it
	issuer       string          // if empty, the issuer is baseURL + "/api/1.0"
	scopes       string
	responseType string

	returnURLs     []string
	allowedOrigins []string
	linksOnly      bool
	sessionTTL     time.Duration
	sessionIdleTTL time.Duration
}

// readConfig collects errors in r. ownURL is the default of PUBLIC_URL.
func readConfig(r *env.Reader, f Flags, ownURL string) config {
	c := config{
		publicURL:    ownURL,
		ownPublicURL: !r.Set("PUBLIC_URL"),
		installation: r.Optional("INSTALLATION", "local"),
		keyCacheTTL:  r.Duration("KEY_CACHE_TTL", 5*time.Minute, 0, time.Hour),
		offline:      !r.Set("ASANA_CLIENT_ID"),
		scopes:       "default",
		responseType: r.OneOf("ASANA_RESPONSE_TYPE", "code", "code", "code id_token"),
		linksOnly:    r.OneOf("SIGN_IN", "open", "open", "links") == "links",
		sessionTTL:   r.Duration("SESSION_TTL", 720*time.Hour, time.Nanosecond, 0),
		// A session is extended at most once an hour. Therefore the time from the last
		// use of a session to its expiry may be up to an hour shorter than
		// SESSION_IDLE_TTL. With the minimum of two hours, that time is at least one
		// hour.
		sessionIdleTTL: r.Duration("SESSION_IDLE_TTL", 168*time.Hour, 2*time.Hour, 0),
	}
	if !c.ownPublicURL {
		c.publicURL = r.Origin("PUBLIC_URL")
	}
	c.returnURLs, c.allowedOrigins = []string{c.pageURL()}, []string{c.publicURL}
	if r.Set("RETURN_URLS") {
		c.returnURLs = r.ReturnURLs("RETURN_URLS")
	}
	if r.Set("ALLOWED_ORIGINS") {
		c.allowedOrigins = r.Origins("ALLOWED_ORIGINS")
	}
	c.checkSites(r)
	if c.responseType == "code id_token" {
		c.scopes = "default openid email profile" // an ID token needs openid
	}
	if !c.offline || r.Set("ASANA_SCOPES") {
		scopes := r.Scopes("ASANA_SCOPES")
		if c.responseType == "code id_token" && len(scopes) > 0 && !slices.Contains(scopes, "openid") {
			r.AddError("ASANA_SCOPES", `must contain openid, because ASANA_RESPONSE_TYPE is "code id_token"`)
		}
		c.scopes = strings.Join(scopes, " ")
	}
	c.backendKey, c.madeKey = readCredential(r, "ASANAAUTH_BACKEND_KEY", f.BackendKey, keyFault)
	c.backendSecret, c.madeSecret = readCredential(r, "ASANAAUTH_BACKEND_SECRET", f.BackendSecret, secretFault)
	c.readAsana(r)
	return c
}

// readCredential returns the backend key or the backend secret. A flag has precedence over
// the variable. If neither is set, readCredential generates a random value.
func readCredential(r *env.Reader, name, flag string, fault func(string) string) (value secret.String, made bool) {
	text := r.Optional(name, "")
	if reason := fault(text); text != "" && reason != "" {
		r.AddError(name, reason)
	}
	if text = cmp.Or(flag, text); text == "" {
		return secret.New(rand.Text()), true
	}
	return secret.New(text), false
}

// readAsana does nothing for the offline Asana, because its app has fixed credentials.
func (c *config) readAsana(r *env.Reader) {
	if c.offline {
		return
	}
	c.clientID = r.Digits("ASANA_CLIENT_ID")
	c.secrets = []secret.String{secret.New(r.String("ASANA_CLIENT_SECRET"))}
	if r.Set("ASANA_NEXT_CLIENT_SECRET") {
		c.secrets = append(c.secrets, secret.New(r.Optional("ASANA_NEXT_CLIENT_SECRET", "")))
	}
	c.baseURL = r.ServerOrigin("ASANA_BASE_URL", "https://app.asana.com")
	if r.Set("ASANA_ISSUER") {
		c.issuer = r.BaseURL("ASANA_ISSUER")
	}
}

// unused returns the names of variables that are set, but have no effect with the offline
// Asana.
func (c *config) unused(r *env.Reader) []string {
	if !c.offline {
		return nil
	}
	names := []string{"ASANA_CLIENT_SECRET", "ASANA_NEXT_CLIENT_SECRET", "ASANA_BASE_URL", "ASANA_ISSUER"}
	return slices.DeleteFunc(names, func(name string) bool { return !r.Set(name) })
}

func (c *config) pageURL() string { return c.publicURL + "/" }

// redirectURI returns the OAuth redirect URI, which must be registered in the Asana app.
func (c *config) redirectURI() string { return c.publicURL + "/callback" }
