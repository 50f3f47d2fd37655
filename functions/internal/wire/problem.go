package wire

import (
	"encoding/json"
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
		c := httpapi.Config{PublicURL: public, RequestID: func(*http.Request) string { return id }}
		// An empty request: there is nothing that could be said of the real one.
		httpapi.NewBadEvent(c).ServeHTTP(answerFor(w, id, status), &http.Request{})
	}
}

// answerFor lets a bad event's answer through, and makes any other one internal.
func answerFor(w http.ResponseWriter, id string, status int) http.ResponseWriter {
	if status == http.StatusBadRequest {
		return w
	}
	return &internal{ResponseWriter: w, id: id}
}

// internal keeps the headers, which are those of every answer, and puts another
// problem into the place of the one that is written.
type internal struct {
	http.ResponseWriter
	id string
}

func (i *internal) WriteHeader(int) { i.ResponseWriter.WriteHeader(http.StatusInternalServerError) }

func (i *internal) Write(p []byte) (int, error) {
	for _, t := range httpapi.ProblemTypes() {
		if t.Kind == asanaauth.Internal {
			b, _ := json.Marshal(map[string]any{
				"type": "urn:asanaauth:problem:" + string(t.Kind), "title": t.Title, "status": t.Status, "instance": i.id,
			})
			i.ResponseWriter.Write(b)
		}
	}
	return len(p), nil
}
