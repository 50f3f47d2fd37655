// Package asana speaks to Asana's endpoints, and does nothing else: it keeps no
// token, decides nothing and waits for nothing.
//
// Every answer is treated as hostile: bounded in size, refused where it is no
// plain JSON, and turned into types that cannot be printed before anybody else
// sees it. Every call is one request (a list: one a page), follows no redirect,
// and ends when its context does: a caller that gives no deadline has none.
package asana

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

// Paths under the base URL, from https://developers.asana.com/docs/oauth and
// https://developers.asana.com/docs/openid-connect.
const (
	defaultBaseURL = "https://app.asana.com"
	authorizePath  = "/-/oauth_authorize"
	tokenPath      = "/-/oauth_token"
	revokePath     = "/-/oauth_revoke"
	introspectPath = "/-/token_info"
	apiPath        = "/api/1.0"
)

// Config says where Asana is and who we are there.
type Config struct {
	BaseURL   string            // Asana's origin; "" means https://app.asana.com. Plain http on a loopback host only
	Issuer    string            // OpenID issuer, compared byte for byte; "" means BaseURL + "/api/1.0"
	ClientID  string            // required
	Transport http.RoundTripper // required: every request passes it
	Now       func() time.Time  // nil means time.Now; for ID tokens, the age of their keys, and dates in answers
}

// Client is a client of one Asana app. It is safe for concurrent use.
type Client struct {
	base, issuer, id string
	transport        http.RoundTripper
	now              func() time.Time
	keys             *keyCache
}

// New makes a client. It asks nothing of Asana: discovery waits for the first
// ID token. Its errors name what is malformed, never its value.
func New(c Config) (*Client, error) {
	base := strings.TrimSuffix(c.BaseURL, "/")
	if base == "" {
		base = defaultBaseURL
	}
	issuer := c.Issuer
	if issuer == "" {
		issuer = base + apiPath
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	var errs []error
	if u := trustedURL(base); u == nil || u.Path != "" {
		errs = append(errs, errors.New("asana: base URL is no https origin (nor an http one on loopback)"))
	}
	if trustedURL(issuer) == nil {
		errs = append(errs, errors.New("asana: issuer is no https URL (nor an http one on loopback)"))
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("asana: client id is missing"))
	}
	if c.Transport == nil {
		errs = append(errs, errors.New("asana: transport is missing"))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return &Client{base: base, issuer: issuer, id: c.ClientID, transport: c.Transport, now: now, keys: newKeyCache()}, nil
}

// ClientID returns the configured client id.
func (c *Client) ClientID() string { return c.id }

// BaseURL returns Asana's origin, without a slash at its end.
func (c *Client) BaseURL() string { return c.base }

// Transport returns the configured transport, for requests that are not this
// package's. Whoever sends a token through it sees to it that it goes to BaseURL.
func (c *Client) Transport() http.RoundTripper { return c.transport }

// Issuers returns the values that an iss parameter of an authorization response
// (RFC 9207) may have: Asana publishes two documents with two issuers, the base
// URL and the OpenID issuer.
func (c *Client) Issuers() []string { return []string{c.base, c.issuer} }

// IsGID reports whether s looks like one of Asana's ids: 1 to 30 ASCII digits.
func IsGID(s string) bool {
	return len(s) >= 1 && len(s) <= 30 && strings.Trim(s, "0123456789") == ""
}

// config is x/oauth2's view of us. The style of authentication is fixed: left to
// itself the library finds it out by sending a refused request twice.
func (c *Client) config() *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.id,
		Endpoint: oauth2.Endpoint{
			AuthURL:   c.base + authorizePath,
			TokenURL:  c.base + tokenPath,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// trustedURL parses a URL that tokens may be sent to, and returns nil for any
// other: https, or http on a loopback host, and nothing but a path behind.
func trustedURL(raw string) *url.URL {
	u, ok := weburl.ParseSecure(raw)
	if !ok || strings.ContainsAny(raw, "?#") {
		return nil
	}
	return u
}
