package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// NewNotFound returns the handler of all routes that there are not: a problem,
// not-found.
func NewNotFound(c Config) http.Handler {
	return c.seam().handle("not-found", asJSON, func(http.ResponseWriter, *http.Request) error {
		return failed(asanaauth.NotFound)
	})
}
