package local

import (
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// guard checks the Host and the Origin of every request before it calls next.
//
// The guard rejects requests for other host names, because an attacker can make their own
// host name resolve to this machine (DNS rebinding). The guard also rejects unsafe
// methods from pages of other origins. On AWS, the handlers in package httpapi run
// without a guard. Therefore these handlers check origins, too.
type guard struct {
	next    http.Handler
	hosts   map[string]bool // accepted Host headers, in lower case
	origins []string        // origins that may send unsafe methods
	log     *slog.Logger
	// anyOrigin is a path for which the guard accepts any Origin: /callback. The page that
	// posts to /callback has the referrer policy no-referrer, so the browser sends
	// "Origin: null".
	anyOrigin string

	originDetail string // the problem's detail if an Origin is not allowed
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !g.hosts[strings.ToLower(r.Host)]:
		g.log.InfoContext(r.Context(), "rejected a request for an unknown host; -host adds a host", "status", http.StatusMisdirectedRequest)
		setHeaders(w.Header())
		http.Error(w, "This service does not accept requests for this host name. Use the printed URL, or add the name with -host.", http.StatusMisdirectedRequest)
	case len(strings.Join(r.Header.Values("Cookie"), "; ")) > maxCookies:
		g.log.WarnContext(r.Context(), "rejected a request with more than 1 MiB of cookies", "status", http.StatusRequestHeaderFieldsTooLarge)
		setHeaders(w.Header())
		http.Error(w, "This request has more than 1 MiB of cookies. Other programs on this host may have set them: delete the cookies of this host in your browser.", http.StatusRequestHeaderFieldsTooLarge)
	case isUnsafe(r) && r.URL.Path != g.anyOrigin && !g.sameOrigin(r):
		refuseOrigin(w, r, g.log, g.originDetail)
	case path.Clean("/"+r.URL.Path) != strings.TrimSuffix(r.URL.Path, "/") && r.URL.Path != "/":
		// The path contains elements such as . and .., and the mux would redirect the
		// request to a path without them. Or the path is the * of "OPTIONS *". Instead, the
		// guard responds with 404.
		httpapi.NewFailure(httpapi.Config{Log: g.log}, asanaauth.NotFound, "").ServeHTTP(w, r)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// isUnsafe reports whether the method of r may change data (RFC 9110 section 9.2.1).
func isUnsafe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// sameOrigin reports whether g.origins contains the Origin of r. The result is also true
// if r has no Origin, because such a request does not come from a web page.
func (g *guard) sameOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if !slices.Contains(g.origins, origin) {
			return false
		}
	}
	return true
}

// setHeaders sets the same response headers as package httpapi.
func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-site")
	h.Set("X-Request-Id", rand.Text())
}

// onlyHTTPS adds Strict-Transport-Security to every response of next if publicURL is
// https, as it is with a tunnel. Package httpapi adds the header only to its own responses.
func onlyHTTPS(publicURL string, next http.Handler) http.Handler {
	if !strings.HasPrefix(publicURL, "https://") {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

func refuseOrigin(w http.ResponseWriter, r *http.Request, log *slog.Logger, detail string) {
	w.Header().Add("Vary", "Origin")
	httpapi.NewFailure(httpapi.Config{Log: log}, "forbidden-origin", detail).ServeHTTP(w, r)
}

// ownHosts returns the Host headers that a service on the given port accepts: the
// loopback names, the address a, and the names in more. If a name in more has no port,
// ownHosts adds the name both without a port and with the service's port.
func ownHosts(a address, port uint16, more ...string) map[string]bool {
	number := strconv.Itoa(int(port))
	hosts := map[string]bool{}
	add := func(name string) {
		hosts[net.JoinHostPort(name, number)] = true
		if port == 80 { // browsers omit port 80
			hosts[bracketed(name)] = true
		}
	}
	add("localhost")
	add(loopback4.String())
	add(loopback6.String())
	if !a.IP.IsUnspecified() {
		add(a.IP.WithZone("").String())
	}
	for _, name := range more {
		name = strings.ToLower(name)
		hosts[name] = true
		if _, _, err := net.SplitHostPort(name); err != nil {
			add(strings.Trim(name, "[]"))
		}
	}
	return hosts
}

// bracketed puts an IPv6 address in brackets, as URLs require.
func bracketed(name string) string {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		return "[" + name + "]"
	}
	return name
}

func httpOrigins(hosts map[string]bool) []string {
	var origins []string
	for host := range hosts {
		origins = append(origins, "http://"+host)
	}
	return origins
}
