package asanatest

import (
	"embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

func parsePages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"standing": Person.standing, "scopeWords": scopeWords}).ParseFS(pageFiles, "pages/*.html"))
}

// page writes one of the pages. Nothing in them runs. There is no form-action
// in the policy: browsers hold redirects after a post to it too, and those go
// back to the app, wherever that is.
func (a *Asana) page(w http.ResponseWriter, status int, name string, data map[string]any) {
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
	a.pages().ExecuteTemplate(w, name+".html", data)
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

// scopeWords says what a scope means, for people.
func scopeWords(scope string) string {
	switch scope {
	case "default":
		return "everything that you may do in Asana"
	case "openid":
		return "know who you are"
	case "email":
		return "see your e-mail address"
	case "profile":
		return "see your name and photo"
	}
	return ""
}
