package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// params are the parameters of a query or a form, each of ours at most once.
type params map[string]string

// parseParams reads name=value pairs divided by ampersands, and nothing else:
// malformed escapes and semicolons are refused (what they mean is not the same
// everywhere). Of the known names none may come twice, and their values are
// UTF-8 without control characters. Other names are for others, and left out.
func parseParams(raw string, known ...string) (params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("The parameters are malformed.")
	}
	p := params{}
	for _, name := range known {
		switch got := values[name]; {
		case len(got) == 0:
			continue
		case len(got) > 1:
			return nil, invalid("A parameter comes more than once.")
		case !utf8.ValidString(got[0]) || strings.ContainsFunc(got[0], unicode.IsControl):
			return nil, invalid("A parameter has characters that it cannot have.")
		default:
			p[name] = got[0]
		}
	}
	return p, nil
}

// isPrefetch reports whether a browser asks before anybody clicked.
func isPrefetch(r *http.Request) bool {
	for _, header := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		for _, value := range r.Header.Values(header) {
			// Sec-Purpose is a structured field: prefetch;prerender and the like.
			word, _, _ := strings.Cut(value, ";")
			if strings.EqualFold(strings.TrimSpace(word), "prefetch") {
				return true
			}
		}
	}
	return false
}

// isNavigation reports whether a person goes here, in a window of their own: not
// a script, an image or a frame. Browsers that do not say so (Fetch Metadata)
// are believed.
func isNavigation(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}
