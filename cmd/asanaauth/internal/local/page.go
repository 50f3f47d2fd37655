package local

import (
	"embed"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page's own script and style run and nothing else; the
// script talks to this origin alone.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// pageData is what the page is made with; the rest it asks for.
type pageData struct {
	PublicURL    string
	Tunnel       bool   // PUBLIC_URL was set: something brings it here
	Elsewhere    bool   // the page was not asked for under PUBLIC_URL
	Offline      string // origin of offline Asana; empty with the real one
	Asana        string // origin of Asana, whichever
	SignIn       string // path that begins a trip
	LinksOnly    bool
	RedirectURI  string
	Scopes       string
	ResponseType string
	Folder       string
	NoReturn     bool // RETURN_URLS does not have this page
	NoOrigin     bool // ALLOWED_ORIGINS does not have this page
}

func newPageData(c config, folder string) pageData {
	p := pageData{
		PublicURL: c.publicURL, Tunnel: !c.ownPublicURL, Asana: c.baseURL, SignIn: "/authorize", LinksOnly: c.linksOnly,
		RedirectURI: c.redirectURI(), Scopes: c.scopes, ResponseType: c.responseType, Folder: folder,
		NoReturn: !slices.Contains(c.returnURLs, c.page()),
		NoOrigin: !slices.Contains(c.allowedOrigins, c.publicURL),
	}
	if !p.NoReturn {
		p.SignIn += "?return_to=" + template.URLQueryEscaper(c.page())
	}
	if c.offline {
		p.Offline = c.baseURL
	}
	return p
}

// showPage answers GET /. Under another name of this machine the browser is sent
// to the one that cookies and origins are made for; where a tunnel may have
// changed the name on its way that could go round in circles.
func (o *ownRoutes) showPage(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	data := o.page
	_, public, _ := strings.Cut(data.PublicURL, "://")
	data.Elsewhere = !strings.EqualFold(r.Host, public)
	if data.Elsewhere && !data.Tunnel {
		http.Redirect(w, r, o.page.PublicURL+"/", http.StatusTemporaryRedirect)
		return
	}
	t, err := template.ParseFS(pageFiles, "page/index.html")
	if err != nil {
		o.log.ErrorContext(r.Context(), "reading the page", "err", err)
		http.Error(w, "The page cannot be read.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	if err := t.Execute(w, data); err != nil {
		o.log.WarnContext(r.Context(), "sending the page", "err", err)
	}
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	http.ServeFileFS(w, r, pageFiles, path.Join("page", path.Base(r.URL.Path)))
}
