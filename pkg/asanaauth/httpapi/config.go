// Package httpapi serves asanaauth over HTTP. The package implements the routes, the
// cookies, the origin check, and the problem responses (RFC 9457). All other logic is in
// the packages that it calls: login, session, token, membership, link and connection.
//
// Each constructor, such as [NewAuthorize], returns the handler for the routes of one
// Lambda function. A Lambda function calls only its own constructor, so its binary does
// not contain the code for other routes. The command "asanaauth local" calls all
// constructors and serves the handlers with one mux. [NewFailure] returns a handler for
// requests that belong to no route.
//
// Three kinds of clients use the routes. Browsers open /authorize and /callback, and get
// redirects and HTML pages. The app's frontend calls /session, /refresh, /membership and
// /disconnect with a session cookie, from an allowed origin. The app's backend calls
// /links and /connections with an IAM identity. Except on /authorize and /callback, every
// error is a problem in JSON.
package httpapi

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

// Config is the configuration that all handlers share.
type Config struct {
	// PublicURL is the origin at which browsers reach this API, such as
	// https://auth.example.com. If PublicURL uses http on a loopback host, cookies are
	// set without the __Host- prefix and without Secure, their names end in the port,
	// and NewCallback logs a warning.
	PublicURL string
	// Log receives one line for each request. If Log is nil, nothing is logged.
	Log *slog.Logger
	// RequestID returns the ID of a request. The handlers write the ID to the header
	// X-Request-Id, to problems and to log lines. The ID must not come from the client.
	// If RequestID is nil or returns an empty string, the handlers use a random ID.
	RequestID func(*http.Request) string
	// Identity returns the name of the caller of a backend route, and whether the caller
	// is authenticated. The name appears in audit lines. On AWS, the name is the caller's
	// ARN, which API Gateway's IAM authorizer adds to the event. The name must not come
	// from data that the client controls, such as a header. If Identity is nil, every
	// backend route responds with 401.
	Identity func(*http.Request) (caller string, ok bool)
}

type base struct {
	log       *slog.Logger
	requestID func(*http.Request) string
	https     bool // PublicURL is an https URL
	cookies   cookies
}

func (c Config) base() base {
	s := base{log: c.Log, requestID: c.RequestID}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return s // cookies stay secure
	}
	s.https = u.Scheme == "https"
	if u.Scheme == "http" && weburl.IsLoopback(u.Hostname()) {
		s.cookies.port = cmp.Or(u.Port(), "80")
	}
	return s
}

func (s base) newID(r *http.Request) string {
	if s.requestID != nil {
		if id := s.requestID(r); id != "" {
			return id
		}
	}
	var b [16]byte
	rand.Read(b[:]) // never returns an error
	return hex.EncodeToString(b[:])
}
