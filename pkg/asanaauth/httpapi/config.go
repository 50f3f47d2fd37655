// Package httpapi says what HTTP is: routes, cookies, origins, problems. What
// is allowed and done is decided by package asanaauth, which it calls.
//
// Each constructor returns the handler of one route, so that a Lambda function
// links one of them and the local command a mux over all.
package httpapi

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

// Config is what all handlers have in common.
type Config struct {
	// PublicURL is the origin that browsers reach this API at, like
	// https://auth.example.com. Where it is http on a loopback host, and only
	// there, cookies lose __Host- and Secure, which is logged as a warning by
	// the handlers that set them.
	PublicURL string
	// Log gets one line for each request. nil: nothing is logged.
	Log *slog.Logger
	// RequestID names a request, in the X-Request-Id header, problems and logs.
	// It must not come from the client. nil, or an empty answer: a random one.
	RequestID func(*http.Request) string
	// Identity tells which backend asks, as API Gateway's IAM authorizer found: a name
	// for audit lines, the caller's ARN. It must not come from what the client can
	// write. nil: backend routes serve nobody.
	Identity func(*http.Request) (caller string, ok bool)
}

// base is what every handler has. It is safe for concurrent use.
type base struct {
	log       *slog.Logger
	requestID func(*http.Request) string
	https     bool // browsers reach us by https
	cookies   cookies
}

func (c Config) base() base {
	s := base{log: c.Log, requestID: c.RequestID}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return s // cookies keep all that protects them
	}
	s.https = u.Scheme == "https"
	s.cookies.bare = u.Scheme == "http" && weburl.IsLoopback(u.Hostname())
	return s
}

// warnOfBareCookies is called once by each handler that gives out cookies.
func (s base) warnOfBareCookies(route string) {
	if s.cookies.bare {
		s.log.Warn("cookies without __Host- and Secure: PUBLIC_URL is http on a loopback host, not for production", "route", route)
	}
}

func (s base) newID(r *http.Request) string {
	if s.requestID != nil {
		if id := s.requestID(r); id != "" {
			return id
		}
	}
	var b [16]byte
	rand.Read(b[:]) // never fails: the program would end
	return hex.EncodeToString(b[:])
}
