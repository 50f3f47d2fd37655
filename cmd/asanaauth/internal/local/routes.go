package local

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// ownRoutes are the page and what only the page needs, under /local/.
type ownRoutes struct {
	page    pageData
	rows    store.Scanner
	trace   *trace
	offline *asanatest.Asana // nil with the real Asana
	log     *slog.Logger
}

// addTo puts the routes beside those of the service.
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

// showTrip tells what was sent and what is kept, without any secret.
func (o *ownRoutes) showTrip(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	kept, err := countKept(r.Context(), o.rows)
	if err != nil {
		o.log.ErrorContext(r.Context(), "counting rows", "err", err)
		http.Error(w, "The table cannot be read.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"steps": o.trace.list(), "kept": kept})
}

// asana hands a request for offline Asana's switches on to it, in this process:
// its own origin answers no other page. The guard has let no foreign Origin pass;
// no Origin at all is refused too.
func (o *ownRoutes) asana(w http.ResponseWriter, r *http.Request) {
	if changes(r) && r.Header.Get("Origin") == "" {
		refuseOrigin(w, r, o.log)
		return
	}
	setHeaders(w.Header())
	inner := r.Clone(r.Context())
	inner.URL.Path = "/_offline/" + strings.TrimPrefix(r.URL.Path, "/local/asana/")
	inner.Header = http.Header{"Content-Type": r.Header["Content-Type"]}
	o.offline.ServeHTTP(w, inner)
}

// isProduct tells the requests that the trace is about from those of the page.
func isProduct(r *http.Request) bool {
	switch r.URL.Path {
	case "/authorize", "/callback", "/session", "/session/code", "/refresh", "/membership", "/disconnect":
		return true
	}
	return isBackend(r)
}

// isConsent tells the requests of a browser to offline Asana from our own, which
// the trace knows already.
func isConsent(r *http.Request) bool { return r.URL.Path == "/-/oauth_authorize" }
