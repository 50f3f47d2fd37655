package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// NewFailure returns a handler that responds to every request with a problem of the given
// kind. Use NewFailure for paths without a route (NotFound), for Lambda events that are
// not HTTP requests (InvalidRequest), and for panics outside of a handler (Internal).
//
// detail is the problem's detail: a fixed sentence without input from the request, or "".
// The request may be empty, because the handler reads only the request's context and what
// Config.RequestID reads.
func NewFailure(c Config, kind asanaauth.ErrorKind, detail string) http.Handler {
	return c.base().handle("none", writeProblem, func(http.ResponseWriter, *http.Request) error {
		return &asanaauth.Error{Kind: kind, Detail: detail}
	})
}
