// Package weburl has the rules for the URLs and origins that this module is
// configured with and sends requests to.
package weburl

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// IsLoopback reports whether host, a host without a port or brackets, is localhost
// or a loopback address without a zone. Names below localhost do not count, since
// only some resolvers keep them on this machine (RFC 6761 section 6.3).
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// ParseSecure parses an absolute URL without user information. It reports false
// unless the scheme is https, or http with a loopback host. It accepts more than
// [Fault] does: only Fault keeps to what browsers read the same way.
func ParseSecure(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || !isSecure(u) {
		return nil, false
	}
	return u, true
}

func isSecure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && IsLoopback(u.Hostname())
}

// SameOrigin reports whether two http or https URLs have the same scheme, host and
// port. The scheme's default port equals a missing one.
func SameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && sameHost(a.Scheme, a.Host, b.Host)
}

// sameHost reports whether a and b, each a host with or without a port, are the same
// host and port under that scheme. The scheme's default port equals a missing one.
func sameHost(scheme, a, b string) bool { return authority(scheme, a) == authority(scheme, b) }

// authority returns host in lower case and with its port. It does not fold case as
// strings.EqualFold does, which takes the long s for an s.
func authority(scheme, host string) string {
	host = strings.ToLower(host)
	u := url.URL{Host: host}
	if u.Port() != "" {
		return host
	}
	port := "443"
	if strings.EqualFold(scheme, "http") {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// AddressedTo reports whether a client's request is addressed to that origin, in its
// URL and, if it is set, in its Host. A request with another Host or with an opaque
// URL could reach another server behind the same address.
func AddressedTo(r *http.Request, origin string) bool {
	want, err := url.Parse(origin)
	if err != nil || r.URL == nil || r.URL.Opaque != "" {
		return false
	}
	return SameOrigin(r.URL, want) && (r.Host == "" || sameHost(r.URL.Scheme, r.Host, want.Host))
}

const notURL = "is no absolute URL"

// Fault returns what is wrong with raw as an absolute URL, as a sentence without its
// subject, or "". The URL must have no user information, and must be https, or http
// with a loopback host. Its characters must be those of RFC 3986: browsers read
// others, such as the backslash, differently from Go.
func Fault(raw string) string {
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "has a character that URLs have to escape"
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return notURL
	case u.User != nil:
		return "has user information"
	case u.Scheme != "https" && u.Scheme != "http":
		return "is neither https nor http"
	case !goodHost(u):
		return "has a malformed host or port"
	case !isSecure(u):
		return "is http, which is for loopback hosts alone"
	}
	return ""
}

// OriginFault is [Fault] for an origin exactly as browsers send it (RFC 6454 section
// 6.2, in ASCII): scheme, host in lower case, and the port unless it is the scheme's
// default.
func OriginFault(raw string) string {
	if fault := Fault(raw); fault != "" {
		return fault
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return notURL
	case raw != u.Scheme+"://"+u.Host:
		return "has more than scheme, host and port (a slash at the end counts)"
	case u.Host != strings.ToLower(u.Host):
		return "has a host in upper case"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return "names the default port, which browsers leave out"
	}
	return ""
}

// BaseFault is [Fault] for a URL that paths are appended to. It may have a path, but
// no slash at its end, no query and no fragment.
func BaseFault(raw string) string {
	if fault := Fault(raw); fault != "" {
		return fault
	}
	switch {
	case strings.ContainsAny(raw, "?#"):
		return "has a query or a fragment"
	case strings.HasSuffix(raw, "/"):
		return "ends with a slash"
	}
	return ""
}

// goodHost accepts DNS names (in ASCII) and IP addresses in the one form that
// browsers write them in: they read "127.1" and "0x7f.1" as addresses too.
func goodHost(u *url.URL) bool {
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return false
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return false
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == "" && !ip.Is4In6() && ip.String() == host
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !goodLabel(label) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

func goodLabel(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return s != "" && len(s) <= 63 && strings.Trim(s, allowed) == "" && s[0] != '-' && s[len(s)-1] != '-'
}
