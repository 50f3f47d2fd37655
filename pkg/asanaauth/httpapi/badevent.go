package httpapi

import "net/http"

// NewBadEvent returns the handler that answers for an event that is no HTTP
// request: a problem, invalid-request. It looks at nothing of the request but
// its context and what RequestID needs.
func NewBadEvent(c Config) http.Handler {
	return c.seam().handle("bad-event", asJSON, func(http.ResponseWriter, *http.Request) error {
		return invalid("The event is no HTTP request.")
	})
}
