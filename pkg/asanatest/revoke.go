package asanatest

import "net/http"

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
	t := a.state.Tokens[value]
	switch {
	case t == nil:
		return nil
	case t.Kind != refreshToken:
		return &oauthError{status: http.StatusBadRequest, Code: a.state.Switches.RevokeAccessTokenError}
	case t.Client != app.ClientID || t.Revoked:
		return nil // not found, for this app
	case a.state.Switches.RevokeWholeGrant:
		a.endGrant(t.Client, t.Person)
	default:
		a.end(func(other *token) bool { return other.Family == t.Family })
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
	if _, known := a.state.Tokens[value]; !known && a.state.Switches.UnknownTokenStatus != http.StatusOK {
		writeJSON(w, a.state.Switches.UnknownTokenStatus, oauthError{Code: "invalid_token"})
		return
	}
	t := a.find(value)
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
	if a.state.Switches.TokenCORS {
		allowOrigins(w)
	}
}

func (a *Asana) tokenPreflight(w http.ResponseWriter, r *http.Request) {
	if !a.state.Switches.TokenCORS {
		http.Error(w, "no such method", http.StatusMethodNotAllowed)
		return
	}
	allowOrigins(w)
	w.WriteHeader(http.StatusNoContent)
}
