package local

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// refusals logs the origin or the return URL that the service refused, and those that it
// allows. Responses do not contain these values, so the developer of an app sees them only
// in this log.
type refusals struct {
	next                http.Handler
	returnURLs, origins []string // the allowed ones
	log                 *slog.Logger
}

func (f *refusals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	returnTo := returnTo(r)
	status := &statusRecorder{ResponseWriter: w}
	f.next.ServeHTTP(status, r)
	origin := r.Header.Get("Origin")
	// A browser does not send the request if the preflight request (OPTIONS) gets no
	// permission.
	refused := status.status == http.StatusForbidden || r.Method == http.MethodOptions && !isBackend(r)
	if refused && origin != "" && !slices.Contains(f.origins, origin) {
		f.log.WarnContext(r.Context(), "the origin of a request is not allowed; to allow it, add it to ALLOWED_ORIGINS",
			"origin", shownURL(origin), "allowed", f.origins)
	}
	if status.status == http.StatusBadRequest && returnTo != "" && !slices.Contains(f.returnURLs, returnTo) {
		f.log.WarnContext(r.Context(), "return_to is not allowed; it must be equal to a URL in RETURN_URLS, byte for byte",
			"return_to", shownURL(returnTo), "allowed", f.returnURLs)
	}
}

// returnTo returns the parameter return_to of /authorize or the member return_to of /links.
func returnTo(r *http.Request) string {
	switch {
	case r.URL.Path == "/authorize":
		return r.URL.Query().Get("return_to")
	case r.URL.Path != "/links" || r.Body == nil:
		return ""
	}
	const maxBody = 64 << 10 // longer bodies are rejected
	begin, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(begin), rest), rest}
	var body struct {
		ReturnTo string `json:"return_to"`
	}
	json.Unmarshal(begin, &body) // the handler rejects a malformed body
	return body.ReturnTo
}

// shownURL returns the URL raw without its user information, its query and its fragment,
// which may contain secrets, and cuts it after 200 bytes.
func shownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	shown := u.EscapedPath()
	switch {
	case u.Host != "":
		shown = u.Scheme + "://" + u.Host + shown
	case u.Opaque != "":
		shown = u.Scheme + ":…"
	}
	if u.RawQuery != "" || u.Fragment != "" {
		shown += "?…"
	}
	if len(shown) > 200 {
		shown = strings.ToValidUTF8(shown[:200], "") + "…"
	}
	return shown
}
