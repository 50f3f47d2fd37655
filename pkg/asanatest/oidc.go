package asanatest

import (
	"net/http"
)

func (a *Asana) openIDIssuer(origin string) string {
	if issuer := a.memory.Switches.OpenIDIssuer; issuer != "" {
		return issuer
	}
	return origin + "/api/1.0"
}

// discovery is the OpenID Connect document. The real one is not public; this
// is what OpenID Connect Discovery 1.0 requires, with the documented endpoints.
func (a *Asana) discovery(w http.ResponseWriter, r *http.Request) {
	base := a.site.origin(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                a.openIDIssuer(base),
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

func (a *Asana) rootDiscovery(w http.ResponseWriter, r *http.Request) {
	if !a.memory.Switches.RootDiscovery {
		http.NotFound(w, r)
		return
	}
	a.discovery(w, r)
}

// userInfo is flat JSON, without the API's envelope.
func (a *Asana) userInfo(w http.ResponseWriter, r *http.Request) {
	t, p, failure := a.caller(r)
	if failure == nil && !t.Scopes.has("openid") {
		failure = missingScopes("openid")
	}
	if failure != nil {
		a.apiFail(w, failure)
		return
	}
	info := map[string]any{"sub": a.subject(p)}
	if t.Scopes.has("email") {
		info["email"] = p.Email
		switch a.memory.Switches.EmailVerified {
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

func (a *Asana) subject(p *Person) string {
	if a.memory.Switches.SubFormat == "opaque" {
		return "user|" + derivedGID("subject", p.GID)
	}
	return p.GID
}
