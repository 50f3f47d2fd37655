package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
)

// maxParam is the maximum length of a parameter's value, in bytes.
const maxParam = 8 << 10

const authorizeRoute = "/authorize"

// NewAuthorize returns the handler of GET /authorize, which redirects a browser to
// Asana's consent screen. The handler responds to every error with an HTML page. It
// responds with status 204 and starts no sign-in attempt if the request is a HEAD
// request, a prefetch, or not a navigation, such as a request for an image. If another
// site started the navigation and the request has no link, the handler responds with a
// page on which the person must press a button. NewAuthorize returns an error if a is
// nil.
func NewAuthorize(c Config, a *login.Authorizer) (http.Handler, error) {
	if a == nil {
		return nil, missing(true, "the authorizer")
	}
	s := c.base()
	return s.handle(authorizeRoute, pages{a.Home()}.showProblem, func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case r.URL.Path != authorizeRoute:
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
	if request.Link == "" && isFromOtherSite(r) {
		return confirm(w, r, a, request)
	}
	request.Session = s.cookies.readSession(r)
	attempt, err := a.Authorize(r.Context(), request)
	if err != nil {
		return err
	}
	s.cookies.deleteOldAttempts(w, r)
	http.SetCookie(w, s.cookies.attempt(attempt.Name, attempt.Browser.Reveal()))
	seeOther(w, attempt.URL)
	return nil
}

// confirm responds with a page that links to the same URL, and writes nothing. Asana can
// redirect back without showing a consent page. Without the page of confirm, a page of
// another site could therefore sign a person in, and so undo a disconnect or replace
// another sign-in. A link needs no such page, because it signs no one in.
func confirm(w http.ResponseWriter, r *http.Request, a *login.Authorizer, request login.AuthorizeRequest) error {
	if err := a.Check(r.Context(), request); err != nil {
		return err
	}
	to := authorizeRoute
	if r.URL.RawQuery != "" {
		to += "?" + encodedQuery(r.URL.RawQuery)
	}
	showContinue(w, to)
	return nil
}

// encodedQuery percent-encodes the bytes that a URL's query must not contain, as browsers
// do (the special-query percent-encode set of the URL Standard).
func encodedQuery(raw string) string {
	var b strings.Builder
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"#'<>`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
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
