package asanatest

import (
	"mime"
	"net/http"
	"net/url"
	"time"
)

// oauthError is an error response of the OAuth endpoints (RFC 6749 section 5.2).
type oauthError struct {
	status      int
	Code        string `json:"error"`
	URI         string `json:"error_uri,omitempty"`
	Description string `json:"error_description,omitempty"`
}

const errorURI = "https://asana.com/developers/documentation/getting-started/authentication"

// Asana uses the same text for every reason why a code is invalid.
func wrongCode() *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_grant", errorURI, "The `code` provided was invalid."}
}

func invalidRequest(description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

type oauth struct {
	memory    *memory
	directory *directory
	grants    *grants
	ids       *idTokens
	site      *site
	now       func() time.Time
}

func (o *oauth) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /-/oauth_token", o.token)
	mux.HandleFunc("POST /-/oauth_revoke", o.revoke)
	mux.HandleFunc("POST /-/token_info", o.introspect)
	mux.HandleFunc("OPTIONS /-/", o.preflight)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", o.metadata)
}

func refuse(w http.ResponseWriter, r *http.Request, e *oauthError) {
	if _, _, basic := r.BasicAuth(); basic && e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Asana"`)
	}
	writeJSON(w, e.status, e)
}

// checkForm returns an error if the body is not a form or if a parameter is repeated
// (RFC 6749 section 3.2).
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

func (o *oauth) authenticate(r *http.Request) (*App, *oauthError) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		// In HTTP Basic, the client ID and the secret are form-encoded (RFC 6749 section
		// 2.3.1).
		user, err1 := url.QueryUnescape(user)
		password, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || secret != "" || id != "" && id != user {
			return nil, invalidRequest("The request has two client authentications, or a malformed one.")
		}
		id, secret = user, password
	}
	app := o.directory.app(id)
	if app == nil || !app.hasSecret(secret) || o.memory.Switches.RefuseClient {
		return nil, &oauthError{status: o.memory.Switches.InvalidClientStatus, Code: "invalid_client"}
	}
	return app, nil
}

// metadata serves the authorization server metadata (RFC 8414). The fields are those that
// the real Asana returns.
func (o *oauth) metadata(w http.ResponseWriter, r *http.Request) {
	base := o.site.origin(r)
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
	if o.memory.Switches.IssInRedirect != "" {
		meta["authorization_response_iss_parameter_supported"] = true
	}
	writeJSON(w, http.StatusOK, meta)
}

// Like Asana, revoke revokes only refresh tokens. For an unknown token, revoke responds
// with status 200, as after a revocation.
func (o *oauth) revoke(w http.ResponseWriter, r *http.Request) {
	o.cors(w)
	if failure := o.revokeToken(r); failure != nil {
		refuse(w, r, failure)
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func (o *oauth) revokeToken(r *http.Request) *oauthError {
	if failure := checkForm(r); failure != nil {
		return failure
	}
	app, failure := o.authenticate(r)
	if failure != nil {
		return failure
	}
	value := r.PostForm.Get("token")
	if value == "" {
		return invalidRequest("The `token` parameter is missing.")
	}
	t := o.memory.Tokens[value]
	switch {
	case t == nil:
		return nil
	case t.Kind != refreshToken:
		return &oauthError{status: http.StatusBadRequest, Code: o.memory.Switches.RevokeAccessTokenError}
	case t.Client != app.ClientID || t.Revoked:
		return nil // Asana treats the token as unknown
	case o.memory.Switches.RefuseRevocation != "":
		return o.memory.Switches.refusedRevocation()
	case o.memory.Switches.RevokeWholeGrant:
		o.grants.revokeGrant(t.Client, t.Person)
	default:
		o.grants.revokeTokens(func(other *token) bool { return other.Family == t.Family })
	}
	return nil
}

func (s Switches) refusedRevocation() *oauthError {
	switch s.RefuseRevocation {
	case "403":
		return &oauthError{status: http.StatusForbidden, Code: "forbidden"}
	case "404":
		return &oauthError{status: http.StatusNotFound, Code: "not_found"}
	}
	return &oauthError{status: http.StatusBadRequest, Code: s.RefuseRevocation}
}

type introspection struct {
	TokenType string `json:"token_type,omitempty"`
	ExpiresIn int64  `json:"expires_in,omitempty"`
	Exp       int64  `json:"exp,omitempty"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Active    bool   `json:"active"`
}

// introspect does not require client authentication, because Asana does not document
// client authentication for the endpoint /-/token_info.
func (o *oauth) introspect(w http.ResponseWriter, r *http.Request) {
	if failure := checkForm(r); failure != nil || r.PostForm.Get("token") == "" {
		writeJSON(w, http.StatusBadRequest, invalidRequest("The `token` parameter is missing."))
		return
	}
	value := r.PostForm.Get("token")
	if _, known := o.memory.Tokens[value]; !known && o.memory.Switches.UnknownTokenStatus != http.StatusOK {
		writeJSON(w, o.memory.Switches.UnknownTokenStatus, oauthError{Code: "invalid_token"})
		return
	}
	t := o.grants.find(value)
	if t == nil {
		writeJSON(w, http.StatusOK, introspection{})
		return
	}
	info := introspection{TokenType: "bearer", Exp: t.Expires.Unix(), ExpiresIn: int64(t.Expires.Sub(o.now()).Seconds()), Scope: t.Scopes.String(), ClientID: t.Client, Active: true}
	if t.Kind == refreshToken {
		info.TokenType = "refresh"
	}
	writeJSON(w, http.StatusOK, info)
}

func (o *oauth) cors(w http.ResponseWriter) {
	if o.memory.Switches.TokenCORS {
		allowOrigins(w)
	}
}

func (o *oauth) preflight(w http.ResponseWriter, r *http.Request) {
	if !o.memory.Switches.TokenCORS {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	allowOrigins(w)
	w.WriteHeader(http.StatusNoContent)
}
