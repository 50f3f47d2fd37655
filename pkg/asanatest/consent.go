package asanatest

import (
	"net/http"
	"net/url"
	"slices"
)

// signInCookie tells whose Asana account a browser is signed in to.
const signInCookie = "offline_asana"

// showConsent answers GET /-/oauth_authorize: the consent page, a page that
// says what is wrong, or, for somebody known who agreed before, the redirect.
func (a *Asana) showConsent(w http.ResponseWriter, r *http.Request) {
	v := parameters(r)
	q, refused := a.parseAuthorize(v)
	if refused != nil {
		a.refuseAuthorize(w, r, q, refused)
		return
	}
	signedIn := a.signedIn(r)
	if signedIn != nil && a.memory.Switches.SilentConsent && a.mayAuthorize(signedIn) == nil {
		if given, ok := a.memory.Consents[consentKey(q.app.ClientID, signedIn.GID)]; ok && given.covers(q.scopes) {
			a.sendBack(w, r, q, a.allow(q, signedIn, a.site.origin(r)))
			return
		}
	}
	a.page(w, http.StatusOK, "consent", a.consentPage(q, v, signedIn))
}

// consentPage is what the template shows. The parameters go along as hidden
// fields, so that the post needs nothing else.
func (a *Asana) consentPage(q *authorization, v url.Values, signedIn *Person) map[string]any {
	type choice struct {
		GID, Name, Standing string
		Checked             bool
	}
	type field struct{ Name, Value string }
	var people []choice
	for _, p := range a.directory.people {
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

// decide answers POST /-/oauth_authorize: the person pressed Allow or Deny.
func (a *Asana) decide(w http.ResponseWriter, r *http.Request) {
	if crossSite(r) {
		http.Error(w, "this form may only be sent from its own page", http.StatusForbidden)
		return
	}
	q, refused := a.parseAuthorize(parameters(r))
	if refused != nil {
		a.refuseAuthorize(w, r, q, refused)
		return
	}
	p := a.directory.person(r.PostForm.Get("person"))
	switch r.PostForm.Get("decision") {
	case "allow":
		refused = a.mayAuthorize(p)
	case "deny":
		refused = &authorizeError{code: a.memory.Switches.DenyError, description: "The user denied the request.", redirect: true}
	default:
		refused = &authorizeError{code: "invalid_request", description: "The decision must be allow or deny."}
	}
	if refused != nil {
		a.refuseAuthorize(w, r, q, refused)
		return
	}
	a.signIn(w, p)
	a.sendBack(w, r, q, a.allow(q, p, a.site.origin(r)))
}

// mayAuthorize says why somebody cannot authorise an app, or nil.
func (a *Asana) mayAuthorize(p *Person) *authorizeError {
	switch {
	case p == nil:
		return &authorizeError{code: "invalid_request", description: "There is no such person."}
	case p.ServiceAccount:
		return &authorizeError{code: "access_denied", description: "A service account cannot sign in."}
	case p.Gone:
		return &authorizeError{code: "access_denied", description: "This account is gone."}
	case p.onlyViews() && !a.memory.Switches.ViewOnlyMayAuthorize:
		return &authorizeError{code: "access_denied", description: "A view only license does not include integrations."}
	}
	return nil
}

// signIn remembers in the browser who it is, as Asana's own session would.
func (a *Asana) signIn(w http.ResponseWriter, p *Person) {
	value := randomHex(16)
	a.memory.SignedIn[value] = p.GID
	a.memory.dirty = true
	http.SetCookie(w, &http.Cookie{Name: signInCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (a *Asana) signedIn(r *http.Request) *Person {
	cookie, err := r.Cookie(signInCookie)
	if err != nil {
		return nil
	}
	return a.directory.person(a.memory.SignedIn[cookie.Value])
}

// crossSite says whether a browser sent this from a page of another origin.
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
