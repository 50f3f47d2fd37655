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

// guard stands before everything that is served. A name that somebody else made
// point to this machine is not answered (DNS rebinding), and what changes
// something is not taken from pages of other origins. The handlers behind it
// guard themselves too, as they have to where there is none.
type guard struct {
	next    http.Handler
	hosts   map[string]bool // in lower case, as a Host is sent
	origins []string        // of pages that may change something
	log     *slog.Logger
	// foreign may be posted to from anywhere: /callback, whose page posts with
	// "Origin: null" because it sends no referrer.
	foreign string
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !g.hosts[strings.ToLower(r.Host)]:
		g.log.InfoContext(r.Context(), "refused a request for another host: -host adds one", "status", http.StatusMisdirectedRequest)
		setHeaders(w.Header())
		http.Error(w, "This service does not answer to that name.", http.StatusMisdirectedRequest)
	case changes(r) && r.URL.Path != g.foreign && !g.sameOrigin(r):
		refuseOrigin(w, r, g.log)
	case path.Clean(r.URL.Path) != r.URL.Path && r.URL.Path != "/_offline/":
		// The mux would send the browser on to the clean path.
		httpapi.NewFailure(httpapi.Config{Log: g.log}, asanaauth.NotFound, "").ServeHTTP(w, r)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// sameOrigin reports whether no page of another origin sent this. What is no
// browser sends no Origin.
func (g *guard) sameOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if !slices.Contains(g.origins, origin) {
			return false
		}
	}
	return true
}

// setHeaders is what every answer has (httpapi sets the same).
func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Request-Id", rand.Text())
}

// refuseOrigin answers with the problem of the frontend routes.
func refuseOrigin(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	w.Header().Add("Vary", "Origin")
	httpapi.NewFailure(httpapi.Config{Log: log}, "forbidden-origin", "A page from another origin sent this request, so it was rejected.").ServeHTTP(w, r)
}

// ownHosts are the Hosts that a service on a port of this machine answers to:
// its loopback names, the address it was told to listen at, and what else was
// named, where a port that is not given may be missing or this one.
func ownHosts(a address, port uint16, more ...string) map[string]bool {
	number := strconv.Itoa(int(port))
	hosts := map[string]bool{}
	add := func(name string) {
		hosts[net.JoinHostPort(name, number)] = true
		if port == 80 { // which browsers leave out
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

// bracketed is how an address stands in a URL without a port.
func bracketed(name string) string {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		return "[" + name + "]"
	}
	return name
}

// httpOrigins are the origins of pages on those hosts, over http.
func httpOrigins(hosts map[string]bool) []string {
	var origins []string
	for host := range hosts {
		origins = append(origins, "http://"+host)
	}
	return origins
}
