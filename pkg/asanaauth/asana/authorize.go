package asana

import (
	"strings"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Authorization holds the parameters of one authorization request (RFC 6749 section
// 4.1.1).
type Authorization struct {
	// State is the value of the parameter "state", which Asana sends back to the redirect
	// URI unchanged.
	State string
	// Verifier is the PKCE code verifier (RFC 7636). The request contains the S256
	// challenge of Verifier, but not Verifier itself. If Verifier is zero, the request
	// contains no challenge.
	Verifier secret.String
	// Nonce is the value of the parameter "nonce". To verify the ID token, set
	// [Want.Nonce] to the same value. If Nonce is empty, the request has no parameter
	// "nonce".
	Nonce string
	// RedirectURI must equal a redirect URI that is registered for the app at Asana.
	RedirectURI string
	// Scopes is a list of scopes, separated by spaces. If Scopes is empty, the request
	// has no parameter "scope", and Asana grants the scope "default".
	Scopes string
	// ResponseType is "code" or "code id_token". Empty means "code".
	ResponseType string
}

// AuthorizeURL returns the URL of Asana's consent screen. Redirect the browser to this
// URL. AuthorizeURL makes no request, and it returns the same URL each time it is called
// with the same a.
//
// The parameters are documented at
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
	// Asana's documentation encodes a space in the query as %20. Each + in this URL is an
	// encoded space, because x/oauth2 has encoded every plus sign as %2B.
	return strings.ReplaceAll(conf.AuthCodeURL(a.State, opts...), "+", "%20")
}
