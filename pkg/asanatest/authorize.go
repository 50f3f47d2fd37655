package asanatest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

type authorization struct {
	app          *App
	redirectURI  string
	responseType string
	state        string
	nonce        string
	challenge    string
	scopes       scopes
}

func (q *authorization) wantsCode() bool    { return q.responseType != "id_token" }
func (q *authorization) wantsIDToken() bool { return q.responseType != "code" }

// If redirect is true, the server redirects the browser to the app with the error.
// Otherwise, the server shows the error on a page.
type authorizeError struct {
	code, description string
	redirect          bool
}

// The server rejects an authorize request that contains one of authorizeParameters twice.
var authorizeParameters = []string{"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method"}

// The parameters of an authorize request can be in the query or in the posted form.
func parameters(r *http.Request) url.Values {
	v := r.URL.Query()
	maps.Copy(v, r.PostForm)
	return v
}

// If the request is invalid, parse returns both an error and the parameters that it has
// parsed, because refuse needs these parameters for the redirect.
func (c *consent) parse(v url.Values) (*authorization, *authorizeError) {
	q := &authorization{redirectURI: v.Get("redirect_uri"), state: v.Get("state"), nonce: v.Get("nonce"), challenge: v.Get("code_challenge")}
	q.app = c.directory.app(v.Get("client_id"))
	if q.app == nil || len(v["client_id"]) > 1 {
		return q, &authorizeError{code: "invalid_request", description: "The required parameter client_id is missing or invalid."}
	}
	if !slices.Contains(q.app.RedirectURIs, q.redirectURI) || len(v["redirect_uri"]) > 1 {
		return q, &authorizeError{code: "invalid_request", description: "The `redirect_uri` parameter does not match a valid url for the application."}
	}
	if c.memory.Switches.Distribution == "none" {
		return q, &authorizeError{code: "invalid_request", description: `This app is not available to your Asana workspace or organization. If you are the app owner, adjust settings under "Manage Distribution" in the Asana developer console.`}
	}
	if e := c.parseRest(q, v); e != nil {
		e.redirect = true
		return q, e
	}
	if why := q.app.forbidden(q.scopes, c.memory.Switches); why != "" {
		return q, &authorizeError{code: "forbidden_scopes", description: why, redirect: c.memory.Switches.ScopeErrorsRedirect}
	}
	return q, nil
}

// parseRest parses all parameters except client_id and redirect_uri. Because parse has
// already checked these two parameters, the server can report an error to the app in a
// redirect.
func (c *consent) parseRest(q *authorization, v url.Values) *authorizeError {
	for _, name := range authorizeParameters {
		if len(v[name]) > 1 {
			return &authorizeError{code: "invalid_request", description: "A parameter was sent more than once."}
		}
	}
	words := strings.Fields(v.Get("response_type"))
	slices.Sort(words)
	q.responseType = strings.Join(words, " ")
	q.scopes = parseScopes(v.Get("scope"))
	method := v.Get("code_challenge_method")
	switch {
	case q.responseType == "":
		return &authorizeError{code: "invalid_request", description: "The required parameter response_type is missing."}
	case q.responseType != "code" && q.responseType != "id_token" && q.responseType != "code id_token":
		q.responseType = "code"
		return &authorizeError{code: "unsupported_response_type", description: "The response_type is not supported."}
	case q.state == "" && c.memory.Switches.RequireState:
		return &authorizeError{code: "invalid_request", description: "The required parameter state is missing."}
	case (q.challenge != "") != (method != "") || method != "" && method != "S256":
		return &authorizeError{code: "invalid_request", description: "The code_challenge_method must be S256."}
	case q.wantsIDToken() && !q.scopes.has("openid"):
		return &authorizeError{code: "invalid_scope", description: "An ID token needs the openid scope."}
	}
	return nil
}

// allow records a person's consent, and returns the parameters for the redirect: a code,
// an ID token, or both.
func (c *consent) allow(q *authorization, p *Person, origin string) url.Values {
	now := c.now()
	key := consentKey(q.app.ClientID, p.GID)
	granted := q.scopes
	if c.memory.Switches.AdditiveScopes {
		granted = parseScopes(q.scopes.String() + " " + c.memory.Consents[key].String())
	}
	if !c.memory.Consents[key].covers(granted) {
		c.memory.Consents[key] = granted
	}
	c.memory.dirty = true
	params := url.Values{}
	if q.wantsCode() {
		value := "0/" + randomHex(16)
		c.memory.sweep(now)
		c.memory.Codes[value] = &code{Client: q.app.ClientID, Person: p.GID, RedirectURI: q.redirectURI, Challenge: q.challenge, Nonce: q.nonce,
			Scopes: granted, Expires: now.Add(time.Duration(c.memory.Switches.CodeSeconds) * time.Second)}
		params.Set("code", value)
	}
	if q.wantsIDToken() {
		params.Set("id_token", c.ids.create(idTokenOptions{app: q.app, person: p, nonce: q.nonce, code: params.Get("code"), origin: origin}))
	}
	return params
}

// sendBack redirects the browser to the app's redirect URI with params and the parameter
// "state". If the switch iss_in_redirect is set, sendBack also adds the parameter "iss".
// If the redirect URI is outOfBand, sendBack shows a page instead.
func (c *consent) sendBack(w http.ResponseWriter, r *http.Request, q *authorization, params url.Values) {
	if q.state != "" {
		params.Set("state", q.state)
	}
	switch c.memory.Switches.IssInRedirect {
	case "oauth":
		params.Set("iss", c.site.origin(r))
	case "openid":
		params.Set("iss", c.ids.issuer(c.site.origin(r)))
	case "other":
		params.Set("iss", "https://issuer.invalid")
	}
	if q.redirectURI == outOfBand {
		writePage(w, http.StatusOK, "code", map[string]any{"App": q.app.Name, "Code": params.Get("code"), "Error": params.Get("error")})
		return
	}
	mark := "?"
	switch {
	case q.wantsIDToken() && q.responseType != "" && c.memory.Switches.IDTokenDelivery == "fragment":
		mark = "#"
	case strings.Contains(q.redirectURI, "?"):
		mark = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", q.redirectURI+mark+params.Encode())
	// After status 303, the browser sends a GET request to the app, although it sent
	// the consent form with POST.
	w.WriteHeader(http.StatusSeeOther)
}

// If e.redirect is true, refuse redirects the browser to the app with the error. If
// e.redirect is false, refuse shows the error on a page.
func (c *consent) refuse(w http.ResponseWriter, r *http.Request, q *authorization, e *authorizeError) {
	if e.redirect {
		c.sendBack(w, r, q, url.Values{"error": {e.code}, "error_description": {e.description}})
		return
	}
	writePage(w, http.StatusBadRequest, "error", map[string]any{"Message": e.code + ": " + e.description})
}
