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

// preflightSeconds is how long a browser may cache the response to a preflight. Chromium
// does not accept a longer time. Even if a preflight is cached, the handler checks the
// origin of each request.
const preflightSeconds = 7200

const exposed = "Retry-After, X-Request-Id"

// requestHeaders returns the request headers that a page of an allowed origin may send.
// All but Content-Type are ignored. Libraries for tracing and for HTTP add them to the
// requests of a page, and a browser blocks the request if its preflight fails.
func requestHeaders() []string {
	return []string{
		"Content-Type", "traceparent", "tracestate", "baggage", "sentry-trace", "X-Requested-With",
		"X-Datadog-Origin", "X-Datadog-Parent-Id", "X-Datadog-Sampling-Priority", "X-Datadog-Trace-Id",
		"newrelic", "X-Amzn-Trace-Id", "Cache-Control", "Pragma",
	}
}

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
		RequestHeaders:  requestHeaders(),
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
// the origin, in this order, and then calls serve. A request from an origin that is not
// allowed therefore gets the same response for every input and every session. serve must
// check the input before it opens the session.
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
			noteOrigin(r)
			return errForbiddenOrigin
		}
		return serve(w, r)
	})
}

var errForbiddenOrigin = &asanaauth.Error{
	Kind: forbiddenOrigin, Detail: "The Origin header is missing or not allowed. Send the request from a page of your app, and add its origin to ALLOWED_ORIGINS.",
}

// allowOrigin sets the CORS headers of the response, even if the response is an error.
// For an OPTIONS request, the CORS library omits the headers that browsers do not need.
// allowOrigin adds them, so that all responses have the same CORS headers. The results
// report whether r is a preflight, and whether the library accepts the preflight.
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

// unsentStatus is a ResponseWriter that records a status and does not send it. If the
// CORS library rejects a preflight, the method preflight can therefore still respond with
// a problem.
type unsentStatus struct {
	http.ResponseWriter
	status int
}

func (u *unsentStatus) WriteHeader(status int) { u.status = status }

func (f *frontend) preflight(w http.ResponseWriter, r *http.Request, granted bool) error {
	switch {
	case !f.isAllowed(r):
		noteOrigin(r)
		return errForbiddenOrigin
	case !slices.Contains(f.methods, r.Header.Get("Access-Control-Request-Method")):
		return rejectMethod(w, f.methods...)
	case !granted:
		return invalid("The preflight requests a header that is not allowed. " + accepted(requestHeaders()))
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join(f.methods, ", "))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *frontend) isAllowed(r *http.Request) bool {
	origin := r.Header["Origin"]
	return len(origin) == 1 && slices.Contains(f.origins, origin[0])
}

// hasAllowedOrigin reports whether r comes from a page of an allowed origin. It also
// returns true for a GET request from this API's own origin. Browsers send such a request
// without an Origin header and with "Sec-Fetch-Site: same-origin".
func (f *frontend) hasAllowedOrigin(r *http.Request) bool {
	if r.Method == http.MethodGet && len(r.Header["Origin"]) == 0 {
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	return f.isAllowed(r)
}

// session returns the session that the session cookie in r identifies. It returns
// Unauthenticated if the cookie is absent or the session is not valid.
func (f *frontend) session(r *http.Request) (*session.Session, error) {
	s, err := f.sessions.Open(r.Context(), f.cookies.readSession(r))
	if err != nil {
		return nil, err
	}
	lineOf(r.Context()).connection = s.Connection().ID()
	return s, nil
}

func rejectMethod(w http.ResponseWriter, methods ...string) error {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return errorOf(methodNotAllowed)
}
