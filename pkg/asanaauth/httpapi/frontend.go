package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/jub0bs/cors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
)

// frontend is a route for the SaaS app's frontend: it takes a session cookie,
// from an allowed origin. Safe for concurrent use.
type frontend struct {
	base
	sessions *session.Sessions
	origins  []string
	path     string
	methods  []string
	cors     http.Handler // sets headers, and answers preflights
}

// preflightSeconds is how long browsers may remember a preflight's answer, at
// most: Chromium's own limit. Requests themselves are checked each time.
const preflightSeconds = 7200

const exposed = "Retry-After, X-Request-Id"

func (c Config) frontend(sessions *session.Sessions, origins []string, path string, methods ...string) (*frontend, error) {
	if sessions == nil {
		return nil, missing(true, "sessions")
	}
	if slices.ContainsFunc(origins, func(o string) bool { return strings.Contains(o, "*") }) {
		return nil, errors.New("httpapi: allowed origins are exact, without *")
	}
	middleware, err := cors.NewMiddleware(cors.Config{
		Origins:         origins,
		Credentialed:    true,
		Methods:         methods,
		RequestHeaders:  []string{"Content-Type"},
		ResponseHeaders: strings.Split(exposed, ", "),
		MaxAgeInSeconds: preflightSeconds,
	})
	if err != nil {
		return nil, fmt.Errorf("httpapi: allowed origins: %w", err)
	}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	return &frontend{c.base(), sessions, slices.Clone(origins), path, methods, middleware.Wrap(nothing)}, nil
}

// handler checks what can be checked without the session, in an order that
// tells a stranger nothing: path, method, origin; and then input, before the
// session is looked at: serve begins with that.
func (f *frontend) handler(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return f.handle(f.path, asJSON, func(w http.ResponseWriter, r *http.Request) error {
		isPreflight, ok := f.allowOrigin(w, r)
		switch {
		case r.URL.Path != f.path:
			return failed(asanaauth.NotFound)
		case isPreflight:
			return f.preflight(w, r, ok)
		case !slices.Contains(f.methods, r.Method):
			return refuseMethod(w, f.methods...)
		case !f.comesFromUs(r):
			return failed(forbiddenOrigin)
		}
		return serve(w, r)
	})
}

// allowOrigin sets the CORS headers, whatever the answer will be. The library
// leaves some out that an answer to OPTIONS does not need in a browser; they
// are the same everywhere here. It reports whether the request is a preflight,
// and whether that is granted.
func (f *frontend) allowOrigin(w http.ResponseWriter, r *http.Request) (isPreflight, granted bool) {
	if r.Method == http.MethodOptions {
		w.Header().Add("Vary", "Origin")
		if f.isAllowed(r) {
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Expose-Headers", exposed)
		}
	}
	held := &heldStatus{ResponseWriter: w}
	f.cors.ServeHTTP(held, r)
	if w.Header().Get("Access-Control-Expose-Headers") != "" {
		w.Header().Set("Access-Control-Expose-Headers", exposed) // as written everywhere else
	}
	return held.status != 0, held.status == http.StatusNoContent
}

// heldStatus keeps the library from answering a refused preflight without a
// problem.
type heldStatus struct {
	http.ResponseWriter
	status int
}

func (h *heldStatus) WriteHeader(status int) { h.status = status }

func (f *frontend) preflight(w http.ResponseWriter, r *http.Request, granted bool) error {
	switch {
	case !f.isAllowed(r):
		return failed(forbiddenOrigin)
	case !slices.Contains(f.methods, r.Header.Get("Access-Control-Request-Method")):
		return refuseMethod(w, f.methods...)
	case !granted:
		return invalid("A request header is not allowed here.")
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join(f.methods, ", "))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *frontend) isAllowed(r *http.Request) bool {
	origin := r.Header["Origin"]
	return len(origin) == 1 && slices.Contains(f.origins, origin[0])
}

// comesFromUs reports whether a page of an allowed origin asks. Browsers send
// no Origin with a same-origin GET, but say so in Sec-Fetch-Site.
func (f *frontend) comesFromUs(r *http.Request) bool {
	if r.Method == http.MethodGet && len(r.Header["Origin"]) == 0 {
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	return f.isAllowed(r)
}

// body reads the JSON object of a request that changes something. Its content
// type is needed even where the body is empty: it takes a preflight to send it
// from another origin.
func (f *frontend) body(r *http.Request, known ...string) (members, error) {
	if !hasType(r, "application/json") {
		return nil, errNotJSON
	}
	b, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return parseObject(b, known...)
}

// session opens the session of the request's cookie.
func (f *frontend) session(r *http.Request) (*session.Session, error) {
	cookie := f.cookies.readSession(r)
	if cookie.IsZero() {
		return nil, failed(asanaauth.Unauthenticated)
	}
	s, err := f.sessions.Open(r.Context(), cookie)
	if err != nil {
		return nil, err
	}
	noteConnection(r, s.Connection().ID())
	return s, nil
}

func refuseMethod(w http.ResponseWriter, methods ...string) error {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return failed(methodNotAllowed)
}
