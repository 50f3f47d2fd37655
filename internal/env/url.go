package env

import (
	"net/url"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

// Origin returns a required origin. The value must have the form that browsers send (RFC
// 6454 section 6.2): a scheme, a host in lower case, and a port unless it is the scheme's
// default port. The scheme must be https, or http for a loopback host.
func (r *Reader) Origin(name string) string {
	return r.checked(name, r.String(name), weburl.OriginFault)
}

// Origins returns a required list of origins. Each origin must satisfy the rules of
// [Reader.Origin].
func (r *Reader) Origins(name string) []string { return r.words(name, weburl.OriginFault) }

// ServerOrigin is like [Reader.Origin], for a server to which this process sends requests.
// The scheme may also be http if the host is host.docker.internal, because a function in a
// container reaches servers of this machine under that name. If the variable is missing,
// ServerOrigin returns def.
func (r *Reader) ServerOrigin(name, def string) string {
	return r.checked(name, r.Optional(name, def), weburl.ServerOriginFault)
}

// BaseURL returns a required URL to which paths can be appended. The URL may have a path.
// It must not end with a slash, and must not have a query, a fragment, a user name or a
// password. The scheme must be https, or http for a loopback host or host.docker.internal.
func (r *Reader) BaseURL(name string) string {
	return r.checked(name, r.String(name), weburl.BaseFault)
}

// ReturnURLs returns a required list of absolute URLs to which people may be redirected
// after sign-in. ReturnURLs does not change the URLs, because they are later compared
// byte for byte. The scheme must be https, or http for a loopback host. A URL must not
// have a user name, a password, or one of the query parameters "asana", "asana_error",
// "connect_code" and "app_state", because the redirect adds these parameters.
func (r *Reader) ReturnURLs(name string) []string { return r.words(name, returnFault) }

func returnFault(v string) string {
	if fault := weburl.Fault(v); fault != "" {
		return fault
	}
	u, _ := url.Parse(v) // Fault has already parsed v without an error
	for _, own := range []string{"asana", "asana_error", "connect_code", "app_state"} {
		if u.Query().Has(own) {
			return "has a query parameter that is reserved for the redirect"
		}
	}
	return ""
}

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
