package asanatest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
)

// tokenResponse is a successful response of the token endpoint (RFC 6749 section 5.1).
// The field "data" is specific to Asana.
type tokenResponse struct {
	AccessToken  string    `json:"access_token"`
	ExpiresIn    int       `json:"expires_in"`
	TokenType    string    `json:"token_type"`
	Data         *userData `json:"data,omitempty"`
	RefreshToken *string   `json:"refresh_token,omitempty"`
	Scope        string    `json:"scope,omitempty"`
	IDToken      string    `json:"id_token,omitempty"`
}

type userData struct {
	ID    any    `json:"id"`
	GID   string `json:"gid,omitempty"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (o *oauth) token(w http.ResponseWriter, r *http.Request) {
	o.cors(w)
	resp, failure := o.tokenResponse(r)
	if failure != nil {
		refuse(w, r, failure)
		return
	}
	w.Header().Set("Pragma", "no-cache")
	writeJSON(w, http.StatusOK, resp)
}

func (o *oauth) tokenResponse(r *http.Request) (*tokenResponse, *oauthError) {
	if failure := checkForm(r); failure != nil {
		return nil, failure
	}
	app, failure := o.authenticate(r)
	if failure != nil {
		return nil, failure
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		return o.exchange(app, r)
	case "refresh_token":
		return o.refresh(app, r)
	case "":
		return nil, invalidRequest("The `grant_type` parameter is missing.")
	}
	return nil, &oauthError{status: http.StatusBadRequest, Code: "unsupported_grant_type", Description: "The `grant_type` is not supported."}
}

func (o *oauth) exchange(app *App, r *http.Request) (*tokenResponse, *oauthError) {
	form := r.PostForm
	if form.Get("code") == "" || form.Get("redirect_uri") == "" {
		return nil, invalidRequest("The `code` or `redirect_uri` parameter is missing.")
	}
	c := o.memory.Codes[form.Get("code")]
	if c == nil || c.Used || c.Client != app.ClientID || !o.now().Before(c.Expires) ||
		c.RedirectURI != form.Get("redirect_uri") || !verified(c.Challenge, form.Get("code_verifier")) {
		return nil, wrongCode()
	}
	c.Used = true
	p := o.directory.person(c.Person)
	if p == nil || p.Gone {
		return nil, wrongCode()
	}
	return o.grant(app, p, c, o.site.origin(r)), nil
}

// verified checks the PKCE verifier (RFC 7636). If the authorize request had no
// challenge, verified returns true.
func verified(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return challenge == "" || challenge == base64.RawURLEncoding.EncodeToString(sum[:])
}

func (o *oauth) grant(app *App, p *Person, c *code, origin string) *tokenResponse {
	s := o.memory.Switches
	t := token{Kind: accessToken, Client: app.ClientID, Person: p.GID, Scopes: c.Scopes, Family: randomHex(8)}
	resp := o.accessResponse(t)
	if !s.OmitRefreshToken {
		t.Kind = refreshToken
		value := o.grants.issue(t)
		resp.RefreshToken = &value
	}
	if s.DataOnCode {
		resp.Data = s.userData(p)
	}
	if s.IDTokenInTokenResponse && c.Scopes.has("openid") {
		resp.IDToken = o.ids.create(idTokenOptions{app: app, person: p, nonce: c.Nonce, accessToken: resp.AccessToken, origin: origin})
	}
	return resp
}

func (o *oauth) accessResponse(t token) *tokenResponse {
	s := o.memory.Switches
	resp := &tokenResponse{AccessToken: o.grants.issue(t), ExpiresIn: s.AccessTokenSeconds, TokenType: "bearer"}
	if s.ScopeInTokenResponse {
		resp.Scope = t.Scopes.String()
	}
	return resp
}

func (o *oauth) refresh(app *App, r *http.Request) (*tokenResponse, *oauthError) {
	s := o.memory.Switches
	value := r.PostForm.Get("refresh_token")
	if value == "" {
		return nil, invalidRequest("The `refresh_token` parameter is missing.")
	}
	old := o.grants.find(value)
	if old == nil || old.Kind != refreshToken || old.Client != app.ClientID || s.RefuseRefresh {
		o.revokeIfReused(app, value)
		return nil, &oauthError{status: http.StatusBadRequest, Code: "invalid_grant"}
	}
	old.Used = o.now()
	if s.RefreshEndsOldAccess {
		o.grants.revokeTokens(func(t *token) bool { return t.Kind == accessToken && t.Family == old.Family })
	}
	next := token{Kind: accessToken, Client: old.Client, Person: old.Person, Scopes: old.Scopes, Family: old.Family}
	resp := o.accessResponse(next)
	resp.RefreshToken = o.nextRefreshToken(value, old)
	if s.DataOnRefresh {
		resp.Data = s.userData(o.directory.person(old.Person))
	}
	return resp, nil
}

// revokeIfReused checks whether value is a refresh token that an earlier refresh
// replaced. If so, the token may have been stolen (RFC 9700 section 4.14.2), and
// revokeIfReused revokes all tokens that came from the same authorization. Without the
// switch reuse_revokes, revokeIfReused does nothing.
func (o *oauth) revokeIfReused(app *App, value string) {
	t := o.memory.Tokens[value]
	if t != nil && t.Rotated && t.Client == app.ClientID && o.memory.Switches.ReuseRevokes {
		o.grants.revokeTokens(func(other *token) bool { return other.Family == t.Family })
	}
}

// nextRefreshToken returns the field refresh_token of the response to a refresh, or nil
// to omit the field.
func (o *oauth) nextRefreshToken(value string, old *token) *string {
	s := o.memory.Switches
	switch {
	case s.RotateRefreshTokens:
		old.Revoked, old.Rotated = true, true
		next := *old
		next.Revoked, next.Rotated = false, false
		value = o.grants.issue(next)
	case s.RefreshTokenOnRefresh == "absent":
		return nil
	case s.RefreshTokenOnRefresh == "empty":
		value = ""
	}
	return &value
}

func (s Switches) userData(p *Person) *userData {
	if s.DataShape == "2022" {
		return &userData{ID: p.GID, Name: p.Name, Email: p.Email}
	}
	return &userData{ID: json.Number(p.GID), GID: p.GID, Name: p.Name, Email: p.Email}
}
