package asanatest

import (
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

type openID struct {
	memory *memory
	site   *site
	ids    *idTokens
	api    *api
}

func (o *openID) routes(mux *http.ServeMux) {
	const api = "/api/1.0"
	mux.HandleFunc("GET /.well-known/openid-configuration", o.rootDiscovery)
	mux.HandleFunc("GET "+api+"/.well-known/openid-configuration", withAPIHeaders(o.discovery))
	mux.HandleFunc("GET "+api+"/openid_connect/jwks", withAPIHeaders(o.jwks))
	mux.HandleFunc("GET "+api+"/openid_connect/userinfo", withAPIHeaders(o.userInfo))
}

// discovery serves the OpenID Connect discovery document. Because Asana's own document is
// not public, this document contains the fields that OpenID Connect Discovery 1.0
// requires and the endpoints that Asana documents.
func (o *openID) discovery(w http.ResponseWriter, r *http.Request) {
	base := o.site.origin(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                o.ids.issuer(base),
		"authorization_endpoint":                base + "/-/oauth_authorize",
		"token_endpoint":                        base + "/-/oauth_token",
		"userinfo_endpoint":                     base + "/api/1.0/openid_connect/userinfo",
		"jwks_uri":                              base + "/api/1.0/openid_connect/jwks",
		"scopes_supported":                      []string{"openid", "email", "profile"},
		"response_types_supported":              []string{"code", "id_token", "code id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		"claims_supported":                      []string{"iss", "sub", "aud", "exp", "iat", "nonce", "name", "email", "picture"},
	})
}

func (o *openID) rootDiscovery(w http.ResponseWriter, r *http.Request) {
	if !o.memory.Switches.RootDiscovery {
		http.NotFound(w, r)
		return
	}
	o.discovery(w, r)
}

// Unlike the responses of the API, the response of userInfo has no field "data".
func (o *openID) userInfo(w http.ResponseWriter, r *http.Request) {
	t, p, failure := o.api.caller(r)
	if failure == nil && !t.Scopes.has("openid") {
		failure = missingScopes("openid")
	}
	if failure != nil {
		o.api.fail(w, failure)
		return
	}
	info := map[string]any{"sub": o.ids.subject(p)}
	if t.Scopes.has("email") {
		info["email"] = p.Email
		switch o.memory.Switches.EmailVerified {
		case "true":
			info["email_verified"] = true
		case "false":
			info["email_verified"] = false
		}
	}
	if t.Scopes.has("profile") {
		info["name"] = p.Name
		if p.Picture != "" {
			info["picture"] = p.Picture
		}
	}
	writeJSON(w, http.StatusOK, info)
}

func (o *openID) jwks(w http.ResponseWriter, _ *http.Request) {
	key := jose.JSONWebKey{Key: &o.ids.signer.private().PublicKey, KeyID: o.ids.signer.id(), Algorithm: string(jose.RS256), Use: "sig"}
	writeAs(w, http.StatusOK, o.memory.Switches.KeySetMediaType, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}}, "")
}
