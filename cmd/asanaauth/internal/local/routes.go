package local

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// ownRoutes are the routes of the page, which only this command has: / and /local/.
type ownRoutes struct {
	page    pageData
	rows    store.Scanner
	trace   *trace
	offline *asanatest.Asana // nil with the real Asana
	log     *slog.Logger
}

// addTo adds the routes to a mux.
func (o *ownRoutes) addTo(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", o.showPage)
	mux.HandleFunc("GET /local/style.css", serveAsset)
	mux.HandleFunc("GET /local/page.js", serveAsset)
	mux.HandleFunc("GET /local/icon.svg", serveAsset)
	mux.HandleFunc("GET /local/trip", o.showTrip)
	if o.offline == nil {
		return
	}
	mux.HandleFunc("GET /local/asana/switches", o.asana)
	mux.HandleFunc("PUT /local/asana/switches", o.asana)
	mux.HandleFunc("POST /local/asana/expire", o.asana)
}

// showTrip handles GET /local/trip. It responds with the trace and the stored rows, without
// any secret.
func (o *ownRoutes) showTrip(w http.ResponseWriter, r *http.Request) {
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

// asana forwards a request for the switches of offline Asana to its handler. The page
// cannot send it directly, because offline Asana rejects other origins. The guard has
// already rejected other origins; asana also rejects unsafe methods without an Origin.
func (o *ownRoutes) asana(w http.ResponseWriter, r *http.Request) {
	if isUnsafe(r) && r.Header.Get("Origin") == "" {
		refuseOrigin(w, r, o.log)
		return
	}
	setHeaders(w.Header())
	inner := r.Clone(r.Context())
	inner.URL.Path = "/_offline/" + strings.TrimPrefix(r.URL.Path, "/local/asana/")
	inner.Header = http.Header{"Content-Type": r.Header["Content-Type"]}
	o.offline.ServeHTTP(w, inner)
}

// isProduct reports whether r is a request to asanaauth itself, which the trace records.
// Requests for the page are not recorded.
func isProduct(r *http.Request) bool {
	switch r.URL.Path {
	case "/authorize", "/callback", "/session", "/session/code", "/refresh", "/membership", "/disconnect":
		return true
	}
	return isBackend(r)
}

// isConsent reports whether r is a browser's request to offline Asana. The trace records
// the service's own requests to Asana in tracedTransport.
func isConsent(r *http.Request) bool { return r.URL.Path == "/-/oauth_authorize" }
