// Package asana is a client of Asana's OAuth, OpenID Connect and REST endpoints.
//
// A [Client] acts for one Asana app. A Client builds authorization URLs, exchanges codes,
// refreshes and revokes tokens, verifies ID tokens, and reads users, workspaces and
// memberships. A Client stores no tokens, retries nothing and follows no redirects. A
// Client sets no time limit of its own, so pass a context that has a deadline.
//
// A Client does not trust responses: it limits their size and parses their JSON strictly.
// Tokens and personal data are returned as [secret.String], which cannot be printed. If a
// request fails, the method returns an [*Error]. The text of an Error never contains a
// token, a URL or a response body.
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

// Config names the Asana app that a [Client] acts for, and the transport that sends its
// requests.
type Config struct {
	// BaseURL is Asana's origin. Empty means https://app.asana.com. The scheme must be
	// https, or http if the host is a loopback host or host.docker.internal. New removes a
	// trailing slash.
	BaseURL string
	// Issuer is the OpenID Connect issuer. If Issuer is empty, it is BaseURL +
	// "/api/1.0". An ID token is valid only if its claim "iss" equals Issuer byte for
	// byte.
	Issuer string
	// ClientID is the client ID of the Asana app. Required.
	ClientID string
	// Transport sends the client's requests. Required.
	Transport http.RoundTripper
	// Now returns the current time. The client calls Now when it checks the times in an
	// ID token, the age of the cached signing keys, or a date in a Retry-After header.
	// Nil means time.Now.
	Now func() time.Time
}

// Client makes requests to Asana for one Asana app. A Client is safe for concurrent use.
type Client struct {
	base, issuer, id string
	transport        http.RoundTripper
	now              func() time.Time
	keys             *keyCache
}

// New returns a Client without making a request: the OpenID Connect configuration is
// fetched when the first ID token is verified. The error names every missing or malformed
// field, but contains no values.
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
		errs = append(errs, errors.New("asana: BaseURL must be an https origin, or an http origin on a loopback host or host.docker.internal"))
	}
	if trustedURL(issuer) == nil {
		errs = append(errs, errors.New("asana: Issuer must be an https URL, or an http URL on a loopback host or host.docker.internal"))
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("asana: ClientID is missing"))
	}
	if c.Transport == nil {
		errs = append(errs, errors.New("asana: Transport is missing"))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return &Client{base: base, issuer: issuer, id: c.ClientID, transport: c.Transport, now: now, keys: newKeyCache()}, nil
}

// ClientID returns the client ID of the Asana app.
func (c *Client) ClientID() string { return c.id }

// BaseURL returns Asana's origin, without a trailing slash.
func (c *Client) BaseURL() string { return c.base }

// Transport returns the configured transport, for requests that this package does not
// make itself. The transport does not check the destination of a request. Send requests
// that contain a token only to [Client.BaseURL].
func (c *Client) Transport() http.RoundTripper { return c.transport }

// Issuers returns the valid values of the parameter "iss" in an authorization response
// (RFC 9207). Asana publishes two metadata documents with different issuers: the base URL
// and the OpenID Connect issuer.
func (c *Client) Issuers() []string { return []string{c.base, c.issuer} }

// IsGID reports whether s has the form of a gid, the identifier of an Asana object: 1 to
// 30 ASCII digits.
func IsGID(s string) bool {
	return len(s) >= 1 && len(s) <= 30 && strings.Trim(s, "0123456789") == ""
}

// config returns the configuration of x/oauth2 for the app. It sets AuthStyle, because
// without AuthStyle, x/oauth2 sends the client secret in the Authorization header and, if
// that request fails, sends a second request with the client secret in the body.
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

// trustedURL parses raw. It returns nil if raw is neither an https URL nor an http URL on
// a loopback host or host.docker.internal. It also returns nil if the URL has a query, a
// fragment, a user name or a password.
func trustedURL(raw string) *url.URL {
	u, ok := weburl.ParseServer(raw)
	if !ok || strings.ContainsAny(raw, "?#") {
		return nil
	}
	return u
}
