package env

import (
	"net/url"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

// Origin returns a required origin exactly as browsers send it (RFC 6454 section
// 6.2, in ASCII): scheme, host in lower case, and the port unless it is the
// scheme's own. https, or http for a loopback host.
func (r *Reader) Origin(name string) string {
	return r.checked(name, r.String(name), weburl.OriginFault)
}

// Origins is a required list of origins.
func (r *Reader) Origins(name string) []string { return r.words(name, weburl.OriginFault) }

// BaseURL returns a URL that paths are appended to, or def where it is missing;
// without a def it is required. It may have a path of its own, but neither a
// slash at its end nor a query, a fragment or user information. https, or http
// for a loopback host.
func (r *Reader) BaseURL(name, def string) string {
	if def == "" {
		return r.checked(name, r.String(name), weburl.BaseFault)
	}
	return r.checked(name, r.Optional(name, def), weburl.BaseFault)
}

// ReturnURLs is a required list of absolute URLs, kept as they are written, since
// they are compared byte for byte: https, or http for a loopback host, without
// user information. Query and fragment are allowed, but for the parameters that
// the redirect itself brings.
func (r *Reader) ReturnURLs(name string) []string { return r.words(name, returnFault) }

func returnFault(v string) string {
	if fault := weburl.Fault(v); fault != "" {
		return fault
	}
	u, _ := url.Parse(v) // Fault parsed it
	for _, own := range []string{"asana", "asana_error", "connect_code", "app_state"} {
		if u.Query().Has(own) {
			return "has a parameter that the redirect itself brings"
		}
	}
	return ""
}

// checked returns v, or "" with the mistake noted.
func (r *Reader) checked(name, v string, fault func(string) string) string {
	if v == "" {
		return ""
	}
	if reason := fault(v); reason != "" {
		r.mistake(name, reason)
		return ""
	}
	return v
}
