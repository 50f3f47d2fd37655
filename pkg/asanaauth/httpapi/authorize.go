package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// maxParam bounds a parameter. It is above whatever a browser's URL can hold
// through API Gateway.
const maxParam = 8 << 10

// NewAuthorize returns the handler of GET /authorize, which sends a browser to
// Asana's consent screen. Whatever is wrong is a page for people.
func NewAuthorize(c Config, l *asanaauth.Login) http.Handler {
	s := c.seam()
	const route = "/authorize"
	s.warnOfBareCookies(route)
	return s.handle(route, pages{l.Home()}.showProblem, func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case r.URL.Path != route:
			return failed(asanaauth.NotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			return refuseMethod(w, http.MethodGet, http.MethodHead)
		case r.Method == http.MethodHead, isPrefetch(r), !isNavigation(r):
			w.WriteHeader(http.StatusNoContent) // nobody goes there yet
			return nil
		}
		return s.authorize(w, r, l)
	})
}

func (s seam) authorize(w http.ResponseWriter, r *http.Request, l *asanaauth.Login) error {
	request, err := beginRequest(r.URL.RawQuery)
	if err != nil {
		return err
	}
	begun, err := l.Begin(r.Context(), request)
	if err != nil {
		return err
	}
	s.cookies.endSurplus(w, r)
	http.SetCookie(w, s.cookies.attempt(begun.Attempt, begun.Browser.Reveal()))
	seeOther(w, begun.URL)
	return nil
}

// beginRequest reads the query. A parameter without a value is a mistake of
// whoever built the link, and not one left out: an empty link must not become a
// sign-in without one.
func beginRequest(query string) (asanaauth.BeginRequest, error) {
	p, err := parseParams(query, "return_to", "link", "app_state")
	if err != nil {
		return asanaauth.BeginRequest{}, err
	}
	for name, value := range p {
		switch {
		case value == "" && name == "link":
			return asanaauth.BeginRequest{}, failed(asanaauth.LinkExpired)
		case value == "", len(value) > maxParam:
			return asanaauth.BeginRequest{}, invalid("A parameter is empty or too long.")
		}
	}
	return asanaauth.BeginRequest{ReturnTo: p["return_to"], AppState: p["app_state"], Link: p["link"]}, nil
}

// seeOther redirects without a body, which would repeat the URL.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
