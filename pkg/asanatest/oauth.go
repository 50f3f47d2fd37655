package asanatest

import (
	"mime"
	"net/http"
	"net/url"
)

// oauthError is the body of a refused OAuth request.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	URI         string `json:"error_uri,omitempty"`
	Description string `json:"error_description,omitempty"`
}

const errorURI = "https://asana.com/developers/documentation/getting-started/authentication"

// wrongCode is the answer to every code that is not good, whatever the reason.
func wrongCode() *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_grant", errorURI, "The `code` provided was invalid."}
}

func invalidRequest(description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

func (a *Asana) refuse(w http.ResponseWriter, r *http.Request, e *oauthError) {
	if _, _, basic := r.BasicAuth(); basic && e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Asana"`)
	}
	writeJSON(w, e.status, e)
}

// checkForm refuses what is no form, and parameters that come twice (RFC 6749
// section 3.2).
func checkForm(r *http.Request) *oauthError {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" {
		return invalidRequest("The request must be a form.")
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return invalidRequest("A parameter was sent more than once.")
		}
	}
	return nil
}

// authenticate finds the app by client id and secret, from the form or from
// HTTP basic authentication.
func (a *Asana) authenticate(r *http.Request) (*App, *oauthError) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		// RFC 6749 section 2.3.1: both are form-encoded first.
		user, err1 := url.QueryUnescape(user)
		password, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || secret != "" || id != "" && id != user {
			return nil, invalidRequest("The client authenticated in two ways.")
		}
		id, secret = user, password
	}
	app := a.directory.app(id)
	if app == nil || !app.hasSecret(secret) || a.memory.Switches.RefuseClient {
		return nil, &oauthError{status: a.memory.Switches.InvalidClientStatus, Code: "invalid_client"}
	}
	return app, nil
}

// serverMetadata is the RFC 8414 document, with the members that were measured.
func (a *Asana) serverMetadata(w http.ResponseWriter, r *http.Request) {
	base := a.site.origin(r)
	meta := map[string]any{
		"issuer":                                 base,
		"authorization_endpoint":                 base + "/-/oauth_authorize",
		"token_endpoint":                         base + "/-/oauth_token",
		"revocation_endpoint":                    base + "/-/oauth_revoke",
		"response_types_supported":               []string{"code"},
		"grant_types_supported":                  []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"authorization_grant_profiles_supported": []string{"urn:ietf:params:oauth:grant-profile:id-jag"},
		"token_endpoint_auth_methods_supported":  []string{"client_secret_post", "client_secret_basic"},
		"code_challenge_methods_supported":       []string{"S256"},
	}
	if a.memory.Switches.IssInRedirect != "" {
		meta["authorization_response_iss_parameter_supported"] = true
	}
	writeJSON(w, http.StatusOK, meta)
}

// revoke takes refresh tokens only. Asana answers 200 for those that it does
// not know as well.
func (a *Asana) revoke(w http.ResponseWriter, r *http.Request) {
	a.tokenCORS(w)
	if failure := a.revokeToken(r); failure != nil {
		a.refuse(w, r, failure)
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func (a *Asana) revokeToken(r *http.Request) *oauthError {
	if failure := checkForm(r); failure != nil {
		return failure
	}
	app, failure := a.authenticate(r)
	if failure != nil {
		return failure
	}
	value := r.PostForm.Get("token")
	if value == "" {
		return invalidRequest("The `token` parameter is missing.")
	}
	t := a.memory.Tokens[value]
	switch {
	case t == nil:
		return nil
	case t.Kind != refreshToken:
		return &oauthError{status: http.StatusBadRequest, Code: a.memory.Switches.RevokeAccessTokenError}
	case t.Client != app.ClientID || t.Revoked:
		return nil // not found, for this app
	case a.memory.Switches.RevokeWholeGrant:
		a.grants.endGrant(t.Client, t.Person)
	default:
		a.grants.end(func(other *token) bool { return other.Family == t.Family })
	}
	return nil
}

// introspection is the body of /-/token_info.
type introspection struct {
	TokenType string `json:"token_type,omitempty"`
	ExpiresIn int64  `json:"expires_in,omitempty"`
	Exp       int64  `json:"exp,omitempty"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Active    bool   `json:"active"`
}

// introspect needs no client authentication: none is documented.
func (a *Asana) introspect(w http.ResponseWriter, r *http.Request) {
	if failure := checkForm(r); failure != nil || r.PostForm.Get("token") == "" {
		writeJSON(w, http.StatusBadRequest, invalidRequest("The `token` parameter is missing."))
		return
	}
	value := r.PostForm.Get("token")
	if _, known := a.memory.Tokens[value]; !known && a.memory.Switches.UnknownTokenStatus != http.StatusOK {
		writeJSON(w, a.memory.Switches.UnknownTokenStatus, oauthError{Code: "invalid_token"})
		return
	}
	t := a.grants.find(value)
	if t == nil {
		writeJSON(w, http.StatusOK, introspection{})
		return
	}
	info := introspection{TokenType: "bearer", Exp: t.Expires.Unix(), ExpiresIn: int64(t.Expires.Sub(a.now()).Seconds()), Scope: t.Scopes.String(), ClientID: t.Client, Active: true}
	if t.Kind == refreshToken {
		info.TokenType = "refresh"
	}
	writeJSON(w, http.StatusOK, info)
}

// tokenCORS lets browsers read an answer, where the switch says so.
func (a *Asana) tokenCORS(w http.ResponseWriter) {
	if a.memory.Switches.TokenCORS {
		allowOrigins(w)
	}
}

func (a *Asana) tokenPreflight(w http.ResponseWriter, r *http.Request) {
	if !a.memory.Switches.TokenCORS {
		http.Error(w, "no such method", http.StatusMethodNotAllowed)
		return
	}
	allowOrigins(w)
	w.WriteHeader(http.StatusNoContent)
}
