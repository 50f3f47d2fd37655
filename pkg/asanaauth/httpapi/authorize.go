package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
)

// maxParam bounds a parameter. It is above whatever a browser's URL can hold
// through API Gateway.
const maxParam = 8 << 10

// NewAuthorize returns the handler of GET /authorize, which sends a browser to
// Asana's consent screen. Every failure is a page for people. It returns an error if a is
// nil.
func NewAuthorize(c Config, a *login.Authorizer) (http.Handler, error) {
	if a == nil {
		return nil, missing(true, "the authorizer")
	}
	s := c.base()
	const route = "/authorize"
	s.warnOfBareCookies(route)
	return s.handle(route, pages{a.Home()}.showProblem, func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case r.URL.Path != route:
			return failed(asanaauth.NotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			return refuseMethod(w, http.MethodGet, http.MethodHead)
		case r.Method == http.MethodHead, isPrefetch(r), !isNavigation(r):
			w.WriteHeader(http.StatusNoContent) // nobody goes there yet
			return nil
		}
		return s.authorize(w, r, a)
	}), nil
}

func (s base) authorize(w http.ResponseWriter, r *http.Request, a *login.Authorizer) error {
	request, err := authorizeRequest(r.URL.RawQuery)
	if err != nil {
		return err
	}
	attempt, err := a.Authorize(r.Context(), request)
	if err != nil {
		return err
	}
	s.cookies.endSurplus(w, r)
	http.SetCookie(w, s.cookies.attempt(attempt.Name, attempt.Browser.Reveal()))
	seeOther(w, attempt.URL)
	return nil
}

// authorizeRequest reads the query. A parameter without a value is a mistake in the URL
// and does not count as absent: an empty link must not become a sign-in without one.
func authorizeRequest(query string) (login.AuthorizeRequest, error) {
	p, err := parseParams(query, "return_to", "link", "app_state")
	if err != nil {
		return login.AuthorizeRequest{}, err
	}
	for name, value := range p {
		switch {
		case value == "" && name == "link":
			return login.AuthorizeRequest{}, failed(asanaauth.LinkExpired)
		case value == "", len(value) > maxParam:
			return login.AuthorizeRequest{}, invalid("A parameter is empty or too long.")
		}
	}
	return login.AuthorizeRequest{ReturnTo: p["return_to"], AppState: p["app_state"], Link: p["link"]}, nil
}

// seeOther redirects without a body, which would repeat the URL.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
