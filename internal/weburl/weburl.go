// Package weburl checks URLs and origins. [Fault], [OriginFault], [ServerOriginFault] and
// [BaseFault] return what is wrong with a configured value. [SameOrigin] and [AddressedTo]
// compare origins, so that callers send credentials only to the intended server.
package weburl

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// IsLoopback reports whether host is localhost or a loopback address without a zone. host
// must not contain a port or brackets. IsLoopback returns false for subdomains of
// localhost, such as app.localhost, because not all resolvers resolve them to a loopback
// address (RFC 6761 section 6.3).
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// dockerHost is the name under which a container reaches the machine that runs it. The
// requests do not leave the machine.
const dockerHost = "host.docker.internal"

// ParseServer is like [ParseSecure], for the URL of a server to which this process sends
// requests. The scheme may also be http if the host is host.docker.internal.
func ParseServer(raw string) (*url.URL, bool) { return parse(raw, isServer) }

// ParseSecure parses an absolute URL. The scheme must be https, or http for a loopback
// host. ParseSecure returns false if the scheme is not allowed, if the URL has user
// information, or if it is malformed. Unlike [Fault], ParseSecure accepts characters that
// browsers and Go interpret differently.
func ParseSecure(raw string) (*url.URL, bool) { return parse(raw, isSecure) }

func parse(raw string, allowed func(*url.URL) bool) (*url.URL, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || !allowed(u) {
		return nil, false
	}
	return u, true
}

func isSecure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && IsLoopback(u.Hostname())
}

func isServer(u *url.URL) bool {
	return isSecure(u) || u.Scheme == "http" && strings.EqualFold(u.Hostname(), dockerHost)
}

// SameOrigin reports whether two http or https URLs have the same scheme, host and port.
// A missing port means the scheme's default port.
func SameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && sameHost(a.Scheme, a.Host, b.Host)
}

// A missing port means the default port of scheme.
func sameHost(scheme, a, b string) bool { return authority(scheme, a) == authority(scheme, b) }

// authority returns host in lower case and with a port, for comparison with ==.
// strings.EqualFold would treat ſ (long s) and s as equal.
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

// AddressedTo reports whether the client request r is addressed to origin. The URL of r
// must have the same origin, and r.Host must be empty or have the host and port of
// origin. If the URL is opaque, AddressedTo returns false. A request with a different
// Host or an opaque URL could reach a different virtual host at the same address.
func AddressedTo(r *http.Request, origin string) bool {
	want, err := url.Parse(origin)
	if err != nil || r.URL == nil || r.URL.Opaque != "" {
		return false
	}
	return SameOrigin(r.URL, want) && (r.Host == "" || sameHost(r.URL.Scheme, r.Host, want.Host))
}

const notURL = "is not an absolute URL"

// Fault returns what is wrong with the absolute URL raw, or "" if raw is valid. The
// result does not contain raw, and is a sentence without its subject, such as "has user
// information".
//
// The scheme must be https, or http for a loopback host. The URL must not have user
// information. The URL must contain only characters that RFC 3986 allows, because
// browsers and Go interpret other characters, such as the backslash, differently.
func Fault(raw string) string {
	return urlFault(raw, isSecure, "is http, which is allowed only for loopback hosts")
}

// serverFault is like [Fault], but accepts the URLs that [ParseServer] accepts.
func serverFault(raw string) string {
	return urlFault(raw, isServer, "is http, which is allowed only for loopback hosts and "+dockerHost)
}

// urlFault returns notAllowed if the scheme and the host of a valid URL are not allowed.
func urlFault(raw string, allowed func(*url.URL) bool, notAllowed string) string {
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "has a character that must be escaped in a URL"
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
	case strings.HasPrefix(u.Host, "*."):
		return "has a malformed host or port (wildcards are not supported)"
	case !goodHost(u):
		return "has a malformed host or port"
	case !allowed(u):
		return notAllowed
	}
	return ""
}

// OriginFault is like [Fault], but raw must be an origin in the form that browsers send
// (RFC 6454 section 6.2): a scheme, a host in lower case, and a port unless it is the
// scheme's default port.
func OriginFault(raw string) string { return cmp.Or(Fault(raw), originFormFault(raw)) }

// ServerOriginFault is like [OriginFault], but accepts the origins of all URLs that
// [ParseServer] accepts.
func ServerOriginFault(raw string) string { return cmp.Or(serverFault(raw), originFormFault(raw)) }

func originFormFault(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return notURL
	case !strings.HasPrefix(raw, u.Scheme):
		return "has a scheme in upper case"
	case raw != u.Scheme+"://"+u.Host:
		return "has more than a scheme, host and port (remove a slash at the end)"
	case u.Host != strings.ToLower(u.Host):
		return "has a host in upper case"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return "has the default port, which browsers omit"
	}
	return ""
}

// BaseFault returns what is wrong with the URL of a server to which paths can be appended.
// BaseFault is like [Fault], but accepts all URLs that [ParseServer] accepts. raw may have
// a path, but must not end with a slash or have a query or a fragment.
func BaseFault(raw string) string {
	if fault := serverFault(raw); fault != "" {
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

// goodHost reports whether the host in u is an ASCII DNS name or an IP address in
// canonical form, and whether the port is a canonical number. Other forms are rejected,
// because browsers interpret hosts such as "127.1" and "0x7f.1" as IP addresses.
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
