package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// NewFailure returns the handler of all that no other handler answers: routes
// that there are not (NotFound), Lambda events that are no HTTP request
// (InvalidRequest), handlers that panicked (Internal). It answers each request
// with a problem of the kind, and looks at nothing of it but its context and
// what RequestID needs. detail is for the caller, a fixed sentence or empty.
func NewFailure(c Config, kind asanaauth.ErrorKind, detail string) http.Handler {
	return c.base().handle("none", asJSON, func(http.ResponseWriter, *http.Request) error {
		return &asanaauth.Error{Kind: kind, Detail: detail}
	})
}
