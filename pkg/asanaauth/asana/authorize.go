package asana

import (
	"strings"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Authorization is one trip to Asana's consent screen.
type Authorization struct {
	State        string        // comes back unchanged
	Verifier     secret.String // PKCE, RFC 7636: its S256 challenge is sent, never itself; zero sends none
	Nonce        string        // comes back in an ID token; "" sends none
	RedirectURI  string        // exactly as registered at Asana
	Scopes       string        // space-separated; "" lets Asana take "default"
	ResponseType string        // "" means "code"
}

// AuthorizeURL returns the URL to send a browser to. It depends on nothing but
// the configuration and a, and makes no request. The parameters are those of
// https://developers.asana.com/docs/oauth#user-authorization-endpoint.
func (c *Client) AuthorizeURL(a Authorization) string {
	conf := c.config()
	conf.RedirectURL = a.RedirectURI
	conf.Scopes = strings.Fields(a.Scopes)
	var opts []oauth2.AuthCodeOption
	if !a.Verifier.IsZero() {
		opts = append(opts, oauth2.S256ChallengeOption(a.Verifier.Reveal()))
	}
	if a.Nonce != "" {
		opts = append(opts, oauth2.SetAuthURLParam("nonce", a.Nonce))
	}
	if a.ResponseType != "" {
		opts = append(opts, oauth2.SetAuthURLParam("response_type", a.ResponseType))
	}
	// Asana's page says that a space is %20; a literal plus is %2B already.
	return strings.ReplaceAll(conf.AuthCodeURL(a.State, opts...), "+", "%20")
}
