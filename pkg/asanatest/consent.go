package asanatest

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// signInCookie returns the name of the cookie of a signed-in person. The name ends in the
// port of the request, because browsers send a cookie to all ports of a host. Otherwise,
// two offline Asanas on one host would sign each other's people out.
func signInCookie(r *http.Request) string {
	host := url.URL{Host: r.Host}
	return "offline_asana_" + host.Port()
}

type consent struct {
	memory    *memory
	directory *directory
	ids       *idTokens
	site      *site
	now       func() time.Time
}

func (c *consent) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/oauth_authorize", c.showConsent)
	mux.HandleFunc("POST /-/oauth_authorize", c.decide)
}

// showConsent serves GET /-/oauth_authorize. If the browser is signed in and the person
// has already consented to the requested scopes, showConsent redirects the browser
// immediately.
func (c *consent) showConsent(w http.ResponseWriter, r *http.Request) {
	v := parameters(r)
	q, refused := c.parse(v)
	if refused != nil {
		c.refuse(w, r, q, refused)
		return
	}
	signedIn := c.signedIn(r)
	if signedIn != nil && c.memory.Switches.SilentConsent && c.mayAuthorize(signedIn) == nil {
		if given, ok := c.memory.Consents[consentKey(q.app.ClientID, signedIn.GID)]; ok && given.covers(q.scopes) {
			c.sendBack(w, r, q, c.allow(q, signedIn, c.site.origin(r)))
			return
		}
	}
	writePage(w, http.StatusOK, "consent", c.page(q, v, signedIn))
}

// The form on the consent page contains the parameters of the request as hidden fields,
// so the server does not have to store the parameters.
func (c *consent) page(q *authorization, v url.Values, signedIn *Person) map[string]any {
	type choice struct {
		GID, Name, Standing string
		Checked             bool
	}
	type field struct{ Name, Value string }
	var people []choice
	for _, p := range c.directory.people {
		if !p.ServiceAccount {
			people = append(people, choice{p.GID, p.Name, p.standing(), signedIn != nil && p.GID == signedIn.GID || signedIn == nil && len(people) == 0})
		}
	}
	var hidden []field
	for _, name := range authorizeParameters {
		if v.Has(name) {
			hidden = append(hidden, field{name, v.Get(name)})
		}
	}
	return map[string]any{"App": q.app.Name, "Scopes": q.scopes, "People": people, "Hidden": hidden, "RedirectURI": q.redirectURI}
}

// decide serves POST /-/oauth_authorize, which the browser sends after the person has
// clicked Allow or Deny.
func (c *consent) decide(w http.ResponseWriter, r *http.Request) {
	if crossSite(r) {
		http.Error(w, "this form can only be sent from its own page", http.StatusForbidden)
		return
	}
	q, refused := c.parse(parameters(r))
	if refused != nil {
		c.refuse(w, r, q, refused)
		return
	}
	p := c.directory.person(r.PostForm.Get("person"))
	switch r.PostForm.Get("decision") {
	case "allow":
		refused = c.mayAuthorize(p)
	case "deny":
		refused = &authorizeError{code: c.memory.Switches.DenyError, description: "The user denied the request.", redirect: true}
	default:
		refused = &authorizeError{code: "invalid_request", description: "The decision must be allow or deny."}
	}
	if refused != nil {
		c.refuse(w, r, q, refused)
		return
	}
	c.signIn(w, r, p)
	c.sendBack(w, r, q, c.allow(q, p, c.site.origin(r)))
}

func (c *consent) mayAuthorize(p *Person) *authorizeError {
	switch {
	case p == nil:
		return &authorizeError{code: "invalid_request", description: "This person does not exist."}
	case p.ServiceAccount:
		return &authorizeError{code: "access_denied", description: "A service account cannot sign in."}
	case p.Gone:
		return &authorizeError{code: "access_denied", description: "This account was deleted."}
	case p.onlyViews() && !c.memory.Switches.ViewOnlyMayAuthorize:
		return &authorizeError{code: "access_denied", description: "A view only license does not include integrations."}
	}
	return nil
}

func (c *consent) signIn(w http.ResponseWriter, r *http.Request, p *Person) {
	value := randomHex(16)
	c.memory.SignedIn[value] = p.GID
	c.memory.dirty = true
	http.SetCookie(w, &http.Cookie{Name: signInCookie(r), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (c *consent) signedIn(r *http.Request) *Person {
	cookie, err := r.Cookie(signInCookie(r))
	if err != nil {
		return nil
	}
	return c.directory.person(c.memory.SignedIn[cookie.Value])
}

func crossSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return !slices.Contains([]string{"same-origin", "none"}, site)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	}
	return false
}
