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

// frontend is a route for the app's frontend. Requests must have a session cookie and
// come from an allowed origin.
type frontend struct {
	base
	sessions *session.Sessions
	origins  []string
	path     string
	methods  []string
	cors     http.Handler // sets CORS headers, and responds to preflights
}

// preflightSeconds is how long a browser may cache the response to a preflight: the
// maximum that Chromium accepts. Even if a preflight is cached, the handler checks the
// origin of each request.
const preflightSeconds = 7200

const exposed = "Retry-After, X-Request-Id"

func (c Config) frontend(sessions *session.Sessions, origins []string, path string, methods ...string) (*frontend, error) {
	if sessions == nil {
		return nil, missing(true, "sessions")
	}
	if slices.ContainsFunc(origins, func(o string) bool { return strings.Contains(o, "*") }) {
		return nil, errors.New("httpapi: allowed origins must not contain *")
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
		return nil, fmt.Errorf("httpapi: checking allowed origins: %w", err)
	}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	return &frontend{c.base(), sessions, slices.Clone(origins), path, methods, middleware.Wrap(nothing)}, nil
}

// handler returns the handler of the route. The handler checks the path, the method and
// the origin, in this order, and then calls serve. The response to a request from an
// origin that is not allowed therefore does not depend on the input or on the session.
// serve must check its input before it opens the session.
func (f *frontend) handler(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return f.handle(f.path, writeProblem, func(w http.ResponseWriter, r *http.Request) error {
		isPreflight, ok := f.allowOrigin(w, r)
		switch {
		case r.URL.Path != f.path:
			return errorOf(asanaauth.NotFound)
		case isPreflight:
			return f.preflight(w, r, ok)
		case !slices.Contains(f.methods, r.Method):
			return rejectMethod(w, f.methods...)
		case !f.hasAllowedOrigin(r):
			return errForbiddenOrigin
		}
		return serve(w, r)
	})
}

var errForbiddenOrigin = &asanaauth.Error{
	Kind: forbiddenOrigin, Detail: "The Origin header is missing or not allowed. Send the request from a page of your app, and add its origin to ALLOWED_ORIGINS.",
}

// allowOrigin sets the CORS headers of every response, including errors. The CORS library
// omits some headers from the response to OPTIONS, because browsers do not need them
// there. allowOrigin adds these headers, so that all responses have the same headers. The
// results report whether r is a preflight, and whether the library granted the preflight.
func (f *frontend) allowOrigin(w http.ResponseWriter, r *http.Request) (isPreflight, granted bool) {
	if r.Method == http.MethodOptions {
		w.Header().Add("Vary", "Origin")
		if f.isAllowed(r) {
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Expose-Headers", exposed)
		}
	}
	unsent := &unsentStatus{ResponseWriter: w}
	f.cors.ServeHTTP(unsent, r)
	if w.Header().Get("Access-Control-Expose-Headers") != "" {
		w.Header().Set("Access-Control-Expose-Headers", exposed) // the library writes lower case
	}
	return unsent.status != 0, unsent.status == http.StatusNoContent
}

// unsentStatus records the status that the CORS library writes, but does not send it. If
// the library rejects a preflight, the method preflight can therefore still respond with
// a problem.
type unsentStatus struct {
	http.ResponseWriter
	status int
}

func (u *unsentStatus) WriteHeader(status int) { u.status = status }

func (f *frontend) preflight(w http.ResponseWriter, r *http.Request, granted bool) error {
	switch {
	case !f.isAllowed(r):
		return errForbiddenOrigin
	case !slices.Contains(f.methods, r.Header.Get("Access-Control-Request-Method")):
		return rejectMethod(w, f.methods...)
	case !granted:
		return invalid("The preflight requests a header that is not allowed. Accepted: Content-Type.")
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join(f.methods, ", "))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *frontend) isAllowed(r *http.Request) bool {
	origin := r.Header["Origin"]
	return len(origin) == 1 && slices.Contains(f.origins, origin[0])
}

// hasAllowedOrigin reports whether r comes from a page of an allowed origin, or is a
// same-origin GET. For a same-origin GET, browsers send the header Sec-Fetch-Site but no
// Origin header.
func (f *frontend) hasAllowedOrigin(r *http.Request) bool {
	if r.Method == http.MethodGet && len(r.Header["Origin"]) == 0 {
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	return f.isAllowed(r)
}

// body parses the JSON object in the body of a POST or DELETE request. The Content-Type
// must be application/json even if the body is empty, because browsers send this type to
// another origin only after a preflight.
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

// session returns Unauthenticated if the request has no valid session cookie.
func (f *frontend) session(r *http.Request) (*session.Session, error) {
	s, err := f.sessions.Open(r.Context(), f.cookies.readSession(r))
	if err != nil {
		return nil, err
	}
	noteConnection(r, s.Connection().ID())
	return s, nil
}

func rejectMethod(w http.ResponseWriter, methods ...string) error {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return errorOf(methodNotAllowed)
}
