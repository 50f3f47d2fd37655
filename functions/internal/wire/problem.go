package wire

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// Problem returns a function that writes a problem response if the HTTP handler cannot
// write the response. The status is 400 for an event that is not an HTTP request, and 500
// for a panic that no handler recovered. Problem reads PUBLIC_URL with lookup, because
// the header Strict-Transport-Security depends on it.
func Problem(lookup func(string) (string, bool)) func(w http.ResponseWriter, requestID string, status int) {
	public, _ := lookup("PUBLIC_URL")
	return func(w http.ResponseWriter, id string, status int) {
		kind, detail := asanaauth.Internal, ""
		if status == http.StatusBadRequest {
			kind, detail = asanaauth.InvalidRequest, "The event is not an HTTP API event of payload version 2.0. Invoke the function through API Gateway."
		}
		c := httpapi.Config{PublicURL: public, RequestID: func(*http.Request) string { return id }}
		// This function does not have the request, so it passes an empty one.
		httpapi.NewFailure(c, kind, detail).ServeHTTP(w, &http.Request{})
	}
}
