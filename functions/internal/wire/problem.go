package wire

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// Problem returns the answer of a function where no handler can give one: to an
// event that is no HTTP request, and for a panic outside of all handlers. It
// looks PUBLIC_URL up, which decides about one header.
func Problem(lookup func(string) (string, bool)) func(w http.ResponseWriter, requestID string, status int) {
	public, _ := lookup("PUBLIC_URL")
	return func(w http.ResponseWriter, id string, status int) {
		kind, detail := asanaauth.Internal, ""
		if status == http.StatusBadRequest {
			kind, detail = asanaauth.InvalidRequest, "The event is no HTTP request."
		}
		c := httpapi.Config{PublicURL: public, RequestID: func(*http.Request) string { return id }}
		// An empty request: there is nothing that could be said of the real one.
		httpapi.NewFailure(c, kind, detail).ServeHTTP(w, &http.Request{})
	}
}
