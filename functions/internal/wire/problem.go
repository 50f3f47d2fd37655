package wire

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// Problem returns a function that writes a response if no handler can: for an event that is
// not an HTTP request, and after a panic outside of all handlers. It reads PUBLIC_URL
// through lookup, because one response header depends on it.
func Problem(lookup func(string) (string, bool)) func(w http.ResponseWriter, requestID string, status int) {
	public, _ := lookup("PUBLIC_URL")
	return func(w http.ResponseWriter, id string, status int) {
		kind, detail := asanaauth.Internal, ""
		if status == http.StatusBadRequest {
			kind, detail = asanaauth.InvalidRequest, "The event is not an HTTP API event of payload version 2.0. Invoke the function through API Gateway."
		}
		c := httpapi.Config{PublicURL: public, RequestID: func(*http.Request) string { return id }}
		// The request is empty, because the event has none that can be used.
		httpapi.NewFailure(c, kind, detail).ServeHTTP(w, &http.Request{})
	}
}
