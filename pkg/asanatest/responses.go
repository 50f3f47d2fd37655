package asanatest

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"strings"
	"sync"
)

type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *buffer) writeTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), b.header)
	w.WriteHeader(max(b.status, 200))
	w.Write(b.body.Bytes())
}

func writeJSON(w http.ResponseWriter, status int, v any) { writeIndented(w, status, v, "") }

func writeIndented(w http.ResponseWriter, status int, v any, indent string) {
	writeAs(w, status, "application/json", v, indent)
}

func writeAs(w http.ResponseWriter, status int, mediaType string, v any, indent string) {
	w.Header().Set("Content-Type", mediaType+"; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	enc.Encode(v)
}

//go:embed pages
var pageFiles embed.FS

var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"standing": Person.standing, "scopeWords": scopeWords}).ParseFS(pageFiles, "pages/*.html"))
})

// Pages contain no scripts. The Content-Security-Policy has no form-action directive,
// because browsers would also apply it to the redirect after the consent form. The
// redirect leads to the app, which can have any origin.
func writePage(w http.ResponseWriter, status int, name string, data map[string]any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	if message, ok := data["Message"].(string); ok {
		h.Set(pageMessage, strings.Map(printable, message))
	}
	w.WriteHeader(status)
	pages().ExecuteTemplate(w, name+".html", data)
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

func showStyle(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pageFiles, "pages/style.css")
}

// scopeWords returns a description of a scope for the consent page, or "" for a granular
// scope.
func scopeWords(scope string) string {
	switch scope {
	case "default":
		return "do everything that you can do in Asana"
	case "openid":
		return "know who you are"
	case "email":
		return "see your email address"
	case "profile":
		return "see your name and photo"
	}
	return ""
}
