package asana

import (
	"strings"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Authorization holds the parameters of one authorization request (RFC 6749 section
// 4.1.1).
type Authorization struct {
	// State is returned unchanged to the redirect URI.
	State string
	// Verifier is the PKCE code verifier (RFC 7636). Only its S256 challenge is sent.
	// The zero value sends no challenge.
	Verifier secret.String
	// Nonce is returned in the ID token. Empty sends no nonce.
	Nonce string
	// RedirectURI is the redirect URI, exactly as registered at Asana.
	RedirectURI string
	// Scopes is a list of scopes, separated by spaces. Empty sends no scope; Asana then
	// uses the scope "default".
	Scopes string
	// ResponseType is "code" or "code id_token". Empty means "code".
	ResponseType string
}

// AuthorizeURL returns the URL of Asana's consent screen. Send the browser to it. The URL
// depends only on the configuration and a. AuthorizeURL makes no request.
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
	// Asana documents a space in the query as %20. A literal plus is already %2B here.
	return strings.ReplaceAll(conf.AuthCodeURL(a.State, opts...), "+", "%20")
}
