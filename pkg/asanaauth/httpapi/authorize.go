package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
)

// maxParam is the maximum length of a parameter's value, in bytes.
const maxParam = 8 << 10

// NewAuthorize returns the handler of GET /authorize, which redirects a browser to
// Asana's consent screen. The handler responds to every error with an HTML page. It
// responds with status 204 and starts no sign-in attempt if the request is a HEAD
// request, a prefetch, or not a navigation, such as a request for an image. NewAuthorize
// returns an error if a is nil.
func NewAuthorize(c Config, a *login.Authorizer) (http.Handler, error) {
	if a == nil {
		return nil, missing(true, "the authorizer")
	}
	s := c.base()
	const route = "/authorize"
	s.warnIfCookiesInsecure(route)
	return s.handle(route, pages{a.Home()}.showProblem, func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case r.URL.Path != route:
			return errorOf(asanaauth.NotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			return rejectMethod(w, http.MethodGet, http.MethodHead)
		case r.Method == http.MethodHead, isPrefetch(r), !isNavigation(r):
			w.WriteHeader(http.StatusNoContent)
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
	s.cookies.deleteOldAttempts(w, r)
	http.SetCookie(w, s.cookies.attempt(attempt.Name, attempt.Browser.Reveal()))
	seeOther(w, attempt.URL)
	return nil
}

// authorizeRequest parses the query of a request to /authorize. It returns an error if a
// value is empty, because a request with an empty "link" must not start an ordinary
// sign-in.
func authorizeRequest(query string) (login.AuthorizeRequest, error) {
	names := []string{"link", "return_to", "app_state"}
	p, err := parseParams(query, names...)
	if err != nil {
		return login.AuthorizeRequest{}, err
	}
	if value, ok := p["link"]; ok && value == "" {
		return login.AuthorizeRequest{}, errorOf(asanaauth.LinkExpired)
	}
	if err := p.checkLengths(names); err != nil {
		return login.AuthorizeRequest{}, err
	}
	return login.AuthorizeRequest{ReturnTo: p["return_to"], AppState: p["app_state"], Link: p["link"]}, nil
}

// seeOther redirects the browser to a URL with status 303. It does not call
// http.Redirect, because the URL may contain secrets, and http.Redirect would repeat the
// URL in the body.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
