package env

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin returns a required origin exactly as browsers send it (RFC 6454 section
// 6.2, in ASCII): scheme, host in lower case, and the port unless it is the
// scheme's own. https, or http for a loopback host.
func (r *Reader) Origin(name string) string {
	return r.checked(name, r.String(name), originFault)
}

// Origins is a required list of origins.
func (r *Reader) Origins(name string) []string { return r.words(name, originFault) }

// BaseURL returns a URL that paths are appended to, or def where it is missing;
// without a def it is required. It may have a path of its own, but neither a
// slash at its end nor a query, a fragment or user information. https, or http
// for a loopback host.
func (r *Reader) BaseURL(name, def string) string {
	if def == "" {
		return r.checked(name, r.String(name), baseFault)
	}
	return r.checked(name, r.Optional(name, def), baseFault)
}

// ReturnURLs is a required list of absolute URLs, kept as they are written, since
// they are compared byte for byte: https, or http for a loopback host, without
// user information. Query and fragment are allowed, but for the parameters that
// the redirect itself brings.
func (r *Reader) ReturnURLs(name string) []string { return r.words(name, returnFault) }

func returnFault(v string) string {
	if fault := urlFault(v); fault != "" {
		return fault
	}
	u, err := url.Parse(v)
	if err != nil {
		return notURL
	}
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

func originFault(v string) string {
	if fault := urlFault(v); fault != "" {
		return fault
	}
	u, err := url.Parse(v)
	if err != nil {
		return notURL
	}
	switch {
	case v != u.Scheme+"://"+u.Host:
		return "has more than scheme, host and port (a slash at the end counts)"
	case u.Host != strings.ToLower(u.Host):
		return "has a host in upper case"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return "names the default port, which browsers leave out"
	}
	return ""
}

func baseFault(v string) string {
	if fault := urlFault(v); fault != "" {
		return fault
	}
	switch {
	case strings.ContainsAny(v, "?#"):
		return "has a query or a fragment"
	case strings.HasSuffix(v, "/"):
		return "ends with a slash"
	}
	return ""
}

const notURL = "is no absolute URL"

// urlFault says what is wrong with an absolute http or https URL, or "". The
// characters are RFC 3986's: browsers read others, such as the backslash, as
// something else than Go does.
func urlFault(v string) string {
	for _, c := range []byte(v) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "has a character that URLs have to escape"
		}
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "":
		return notURL
	case u.User != nil:
		return "has user information"
	case u.Scheme != "https" && u.Scheme != "http":
		return "is neither https nor http"
	case !goodHost(u):
		return "has a malformed host or port"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "is http, which is for loopback hosts alone"
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
	const other = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return s != "" && len(s) <= 63 && strings.Trim(s, other) == "" && s[0] != '-' && s[len(s)-1] != '-'
}

// loopback is localhost and the loopback addresses. Names below localhost are
// not, since only some resolvers keep them on this machine (RFC 6761 section 6.3).
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
