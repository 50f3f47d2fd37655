package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// params contains the parameters of a query or a form: one value for each name.
type params map[string]string

// parseParams returns the parameters whose names are in known. It ignores all other
// parameters, even malformed ones, because browsers, mail programs and analytics tools
// add parameters of their own. parseParams returns InvalidRequest if a known parameter is
// repeated, or if its value contains a malformed escape, a control character, invalid
// UTF-8 or a semicolon. Other parsers treat a semicolon as a separator.
func parseParams(raw string, known ...string) (params, error) {
	p := params{}
	for pair := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !slices.Contains(known, name) {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		_, repeated := p[name]
		switch {
		case repeated:
			return nil, invalid(name + " must not be repeated.")
		case err != nil || strings.Contains(rawValue, ";"):
			return nil, invalid(name + " must be URL-encoded.")
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			return nil, invalid(name + " must be valid UTF-8 without control characters.")
		}
		p[name] = value
	}
	return p, nil
}

// checkLengths returns InvalidRequest if a parameter in names has a value that is empty
// or longer than maxParam. A parameter may be absent.
func (p params) checkLengths(names []string) error {
	for _, name := range names {
		switch value, ok := p[name]; {
		case ok && value == "":
			return invalid(name + " must not be empty.")
		case len(value) > maxParam:
			return invalid(name + " must be at most 8192 bytes.")
		}
	}
	return nil
}

// checkKnown returns InvalidRequest if a query is malformed, or has a parameter whose name
// is not in known.
func checkKnown(query string, known []string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return invalid("The parameters must be name=value pairs, URL-encoded and separated by &.")
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return invalid("The query has an unknown parameter. " + accepted(known))
		}
	}
	return nil
}

func accepted(names []string) string {
	if len(names) == 0 {
		return "This route accepts none."
	}
	return "Accepted: " + strings.Join(names, ", ") + "."
}

// isPrefetch reports whether r is a prefetch or a preview, which a browser or a mail
// program requests before the person opens the page. Chromium sends Sec-Purpose or
// Purpose, Safari sends X-Purpose, and old versions of Firefox send X-Moz.
func isPrefetch(r *http.Request) bool {
	if r.Header.Get("X-Purpose") != "" || r.Header.Get("X-Moz") != "" {
		return true
	}
	for _, header := range []string{"Sec-Purpose", "Purpose"} {
		// The value can have parameters, as in "prefetch;prerender".
		purpose := strings.ToLower(strings.Join(r.Header.Values(header), ","))
		if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}

// isNavigation reports whether r opens a page in a window or tab. isNavigation returns
// false for scripts, images and frames, and true if r has no Fetch Metadata headers. The
// destination of a navigation is "document", or "empty" if a service worker sends it.
func isNavigation(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	switch mode {
	case "navigate":
		return !slices.Contains([]string{"iframe", "frame", "embed", "object", "fencedframe"}, dest)
	case "":
		return dest == "" || dest == "document"
	}
	return false
}

// isFromOtherSite reports whether a page of another site started the navigation r. A
// browser sends "same-origin" or "same-site" for links in the app, and "none" if the
// person typed the address or opened it from another program.
func isFromOtherSite(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Site") == "cross-site" }
