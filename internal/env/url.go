package env

import (
	"net/url"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

// Origin returns a required origin. It must be written exactly as browsers send it
// (RFC 6454 section 6.2): the scheme, the host in lower case, and the port unless it is the
// scheme's default port. The scheme must be https, or http if the host is a loopback host.
func (r *Reader) Origin(name string) string {
	return r.checked(name, r.String(name), weburl.OriginFault)
}

// Origins returns a required list of origins. Each must satisfy the rules of Origin.
func (r *Reader) Origins(name string) []string { return r.words(name, weburl.OriginFault) }

// BaseURL returns a URL to which paths can be appended, or def if the variable is missing.
// If def is empty, the variable is required. The URL may have a path, but must not end with
// a slash or have a query, a fragment or user information. The scheme must be https, or
// http if the host is a loopback host.
func (r *Reader) BaseURL(name, def string) string {
	if def == "" {
		return r.checked(name, r.String(name), weburl.BaseFault)
	}
	return r.checked(name, r.Optional(name, def), weburl.BaseFault)
}

// ReturnURLs returns a required list of the absolute URLs to which people may be redirected
// after sign-in. The URLs are returned unchanged, because they are later compared byte for
// byte. The scheme must be https, or http if the host is a loopback host. A URL must not
// have user information, nor the query parameters that the redirect adds: asana,
// asana_error, connect_code and app_state.
func (r *Reader) ReturnURLs(name string) []string { return r.words(name, returnFault) }

func returnFault(v string) string {
	if fault := weburl.Fault(v); fault != "" {
		return fault
	}
	u, _ := url.Parse(v) // no error, because Fault parsed it too
	for _, own := range []string{"asana", "asana_error", "connect_code", "app_state"} {
		if u.Query().Has(own) {
			return "has a query parameter that is reserved for the redirect"
		}
	}
	return ""
}

// checked returns v if fault returns "". Otherwise it records an error and returns "".
func (r *Reader) checked(name, v string, fault func(string) string) string {
	if v == "" {
		return ""
	}
	if reason := fault(v); reason != "" {
		r.AddError(name, reason)
		return ""
	}
	return v
}
