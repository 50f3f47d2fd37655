package local

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// ownRoutes serves / and the paths below /local/, which the Lambda functions do not have.
type ownRoutes struct {
	page    pageData
	rows    store.Scanner
	trace   *trace
	offline *asanatest.Asana // nil if the real Asana is used
	log     *slog.Logger
}

func (o *ownRoutes) addTo(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", o.showPage)
	mux.HandleFunc("GET /local/style.css", serveAsset)
	mux.HandleFunc("GET /local/page.js", serveAsset)
	mux.HandleFunc("GET /local/icon.svg", serveAsset)
	mux.HandleFunc("GET /local/trip", o.showTrace)
	if o.offline == nil {
		return
	}
	mux.HandleFunc("GET /local/asana/switches", o.forwardToAsana)
	mux.HandleFunc("PUT /local/asana/switches", o.forwardToAsana)
	mux.HandleFunc("POST /local/asana/expire", o.forwardToAsana)
}

// showTrace returns the trace and a description of the stored rows, without secrets.
func (o *ownRoutes) showTrace(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	kept, err := countKept(r.Context(), o.rows)
	if err != nil {
		o.log.ErrorContext(r.Context(), "counting rows", "err", err)
		http.Error(w, "The table could not be read. See the log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"steps": o.trace.list(), "kept": kept})
}

// forwardToAsana forwards requests from the page to the offline Asana. The page cannot
// send these requests itself, because the offline Asana rejects requests from other
// origins. The guard has already rejected unsafe methods from pages of other origins.
// forwardToAsana also rejects unsafe methods without an Origin.
func (o *ownRoutes) forwardToAsana(w http.ResponseWriter, r *http.Request) {
	if isUnsafe(r) && r.Header.Get("Origin") == "" {
		refuseOrigin(w, r, o.log, "The Origin header is missing. Only pages of this service may send this request.")
		return
	}
	setHeaders(w.Header())
	inner := r.Clone(r.Context())
	inner.URL.Path = "/_offline/" + strings.TrimPrefix(r.URL.Path, "/local/asana/")
	inner.Header = http.Header{"Content-Type": r.Header["Content-Type"]}
	o.offline.ServeHTTP(w, inner)
}

// isServiceRequest selects the requests that the trace records: requests to routes that
// asanaauth also has on AWS.
func isServiceRequest(r *http.Request) bool {
	switch r.URL.Path {
	case "/authorize", "/callback", "/session", "/session/code", "/refresh", "/membership", "/disconnect":
		return true
	}
	return isBackend(r)
}

// isConsent selects the browser's requests to the offline Asana that the trace records. A
// tracedTransport records the service's own requests to Asana.
func isConsent(r *http.Request) bool { return r.URL.Path == "/-/oauth_authorize" }
