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

// pagePolicy is a Content-Security-Policy that limits scripts, styles, images and
// requests to the page's own origin.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// pageData contains the values that the template page/index.html inserts. The script
// page.js fetches all other data.
type pageData struct {
	PublicURL    string
	Tunnel       bool   // PUBLIC_URL was set, for example to a tunnel to this machine
	Elsewhere    bool   // the page was requested with a Host other than the host in PUBLIC_URL
	Offline      string // origin of the offline Asana; empty if the real Asana is used
	Asana        string // origin of the offline or the real Asana
	SignIn       string // path of the sign-in link
	LinksOnly    bool
	RedirectURI  string
	Scopes       string
	ResponseType string
	Folder       string
	NoReturn     bool // RETURN_URLS does not contain this page
	NoOrigin     bool // ALLOWED_ORIGINS does not contain the origin of this page
}

func newPageData(c config, folder string) pageData {
	p := pageData{
		PublicURL: c.publicURL, Tunnel: !c.ownPublicURL, Asana: c.baseURL, SignIn: "/authorize", LinksOnly: c.linksOnly,
		RedirectURI: c.redirectURI(), Scopes: c.scopes, ResponseType: c.responseType, Folder: folder,
		NoReturn: !slices.Contains(c.returnURLs, c.pageURL()),
		NoOrigin: !slices.Contains(c.allowedOrigins, c.publicURL),
	}
	if !p.NoReturn {
		p.SignIn += "?return_to=" + template.URLQueryEscaper(c.pageURL())
	}
	if c.offline {
		p.Offline = c.baseURL
	}
	return p
}

// showPage serves the page at /. If PUBLIC_URL is not set, showPage redirects requests
// for other hosts to the default of PUBLIC_URL, because cookies and origins depend on the
// host. If PUBLIC_URL is set, showPage does not redirect. PUBLIC_URL may be a tunnel that
// changes the host of each request, so a redirect could loop.
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
		http.Error(w, "The page could not be read. See the log.", http.StatusInternalServerError)
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
