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

// parseParams returns the parameters whose names are in known, and ignores all others. It
// returns InvalidRequest if a known name is repeated, if its value contains a control
// character, or if its value is not valid UTF-8. It also returns InvalidRequest if raw
// contains a malformed escape, or a semicolon, which other parsers treat as a separator.
func parseParams(raw string, known ...string) (params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("The parameters must be name=value pairs, URL-encoded and separated by &.")
	}
	p := params{}
	for _, name := range known {
		switch got := values[name]; {
		case len(got) == 0:
			continue
		case len(got) > 1:
			return nil, invalid(name + " must not be repeated.")
		case !utf8.ValidString(got[0]) || strings.ContainsFunc(got[0], unicode.IsControl):
			return nil, invalid(name + " must be valid UTF-8 without control characters.")
		default:
			p[name] = got[0]
		}
	}
	return p, nil
}

// checkLengths returns InvalidRequest if a parameter in names has a value that is empty
// or longer than maxParam. A parameter may be absent.
func (p params) checkLengths(names []string) error {
	for _, name := range names {
		if value, ok := p[name]; ok && (value == "" || len(value) > maxParam) {
			return invalid(name + " must be 1 to 8192 bytes.")
		}
	}
	return nil
}

// checkKnown returns InvalidRequest if the query of r has a parameter whose name is not
// in known.
func checkKnown(r *http.Request, known []string) error {
	for name := range r.URL.Query() {
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

// isPrefetch reports whether r is a prefetch, which a browser sends before the person
// opens the page.
func isPrefetch(r *http.Request) bool {
	for _, header := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		for _, value := range r.Header.Values(header) {
			// The value of Sec-Purpose can have parameters, as in "prefetch;prerender".
			word, _, _ := strings.Cut(value, ";")
			if strings.EqualFold(strings.TrimSpace(word), "prefetch") {
				return true
			}
		}
	}
	return false
}

// isNavigation reports whether r opens a page in a window or tab. isNavigation returns
// false for scripts, images and frames, and true if r has no Fetch Metadata headers.
func isNavigation(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}
