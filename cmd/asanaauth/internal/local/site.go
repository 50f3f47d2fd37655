package local

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/asanaauth/asanaauth/internal/env"
)

// checkSites adds an error to r for each allowed origin that is on another site than
// PUBLIC_URL. The session cookie is SameSite=Strict, so browsers do not send it in requests
// from another site. A frontend there would never see that a person is signed in.
func (c config) checkSites(r *env.Reader) {
	for i, origin := range c.allowedOrigins {
		if reason := siteFault(origin, c.publicURL); reason != "" && c.publicURL != "" {
			r.AddError("ALLOWED_ORIGINS", fmt.Sprintf("entry %d is not on the same site as PUBLIC_URL, so browsers do not send the session cookie from there: %s", i+1, reason))
		}
	}
}

// siteFault returns what to change in origin so that it is on the same site as the origin
// public, or "".
func siteFault(origin, public string) string {
	scheme, host, name := siteOf(origin)
	publicScheme, publicHost, publicName := siteOf(public)
	switch {
	case scheme != publicScheme:
		return "use " + publicScheme + " for both, or https for both"
	case host == publicHost:
		return ""
	case name && publicName:
		return "both must belong to the same registrable domain, such as example.com"
	}
	return "both must have the same host; localhost and 127.0.0.1 are different hosts"
}

// siteOf returns the site of an origin, as browsers compute it with the public suffix list:
// a scheme and a registrable domain. The port does not matter. If the host has no
// registrable domain, as an IP address, localhost, or a public suffix itself, siteOf
// returns the host, and isDomain is false. Source:
// https://html.spec.whatwg.org/multipage/browsers.html#obtain-a-site
func siteOf(origin string) (scheme, host string, isDomain bool) {
	u, err := url.Parse(origin)
	if err != nil {
		return "", origin, false
	}
	host = strings.ToLower(u.Hostname())
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return u.Scheme, host, false
	}
	return u.Scheme, domain, true
}
