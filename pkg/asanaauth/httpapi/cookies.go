package httpapi

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	sessionName   = "asana_session"
	attemptPrefix = "asana_attempt_" // followed by the name of the attempt

	// maxAttempts is the maximum number of attempt cookies that a browser keeps. Ten
	// cookies have less than 1 KB. API Gateway accepts 10 KB of request headers.
	maxAttempts = 10
	// maxDeleted is the maximum number of old attempt cookies that one response deletes,
	// so that the response headers stay below 4 KB, which is the limit of some proxies.
	maxDeleted = 30
)

type cookies struct {
	// port is the port of PUBLIC_URL if that is an http URL on a loopback host. Cookies
	// then have neither the prefix __Host- nor Secure. If port is empty, they have both.
	port string
}

// name returns the name of the cookie n. With the prefix __Host-, no other host and no
// http page can set the cookie (RFC 6265bis section 4.1.3.2). A cookie without the prefix
// has the port in its name, because browsers send a cookie to all ports of a host.
func (c cookies) name(n string) string {
	if c.port != "" {
		return n + "_" + c.port
	}
	return "__Host-" + n
}

// attempt returns the cookie for a sign-in attempt. The cookie is SameSite=Lax, because
// the redirect from Asana to /callback is a cross-site navigation.
func (c cookies) attempt(name, value string) *http.Cookie {
	return c.cookie(attemptPrefix+name, value, http.SameSiteLaxMode, login.AttemptTTL)
}

func (c cookies) session(value string, ttl time.Duration) *http.Cookie {
	return c.cookie(sessionName, value, http.SameSiteStrictMode, ttl)
}

// cookie returns a cookie with the attributes that all cookies of this API have. If value
// is empty, the returned cookie makes the browser delete its cookie with this name.
func (c cookies) cookie(name, value string, same http.SameSite, ttl time.Duration) *http.Cookie {
	age := int(math.Ceil(ttl.Seconds()))
	if value == "" {
		age = -1 // net/http writes Max-Age=0
	}
	return &http.Cookie{Name: c.name(name), Value: value, Path: "/", MaxAge: age, Secure: c.port == "", HttpOnly: true, SameSite: same}
}

// deleteOldAttempts deletes the browser's oldest attempt cookies, so that at most
// maxAttempts remain after the caller sets a new one. It deletes at most maxDeleted
// cookies, even if more than maxAttempts then remain. The oldest cookies come first in
// the request, because browsers send cookies with the same path in the order of their
// creation (RFC 6265 section 5.4).
func (c cookies) deleteOldAttempts(w http.ResponseWriter, r *http.Request) {
	var names []string
	for name := range pairs(r) {
		if attempt, ok := c.attemptOf(name); ok && !slices.Contains(names, attempt) {
			names = append(names, attempt)
		}
	}
	surplus := max(0, len(names)-(maxAttempts-1))
	for _, name := range names[:min(surplus, maxDeleted)] {
		http.SetCookie(w, c.attempt(name, ""))
	}
}

// attemptOf returns the name of the attempt ([login.AttemptName]) whose cookie has this
// name. ok is false if the cookie is not an attempt's cookie.
func (c cookies) attemptOf(cookie string) (name string, ok bool) {
	_, rest, _ := strings.Cut(cookie, attemptPrefix)
	name = rest[:min(len(rest), 16)]
	return name, len(name) == 16 && strings.Trim(name, "0123456789abcdef") == "" && cookie == c.name(attemptPrefix+name)
}

func (c cookies) readSession(r *http.Request) secret.String { return c.read(r, sessionName) }

// hasSession reports whether r has a session cookie, even one that readSession rejects.
func (c cookies) hasSession(r *http.Request) bool {
	for name := range pairs(r) {
		if name == c.name(sessionName) {
			return true
		}
	}
	return false
}

func (c cookies) readAttempt(r *http.Request, name string) secret.String {
	return c.read(r, attemptPrefix+name)
}

// read returns the value of a cookie. It returns the zero value if the cookie is absent
// or malformed. It also returns the zero value if the request has several cookies with
// this name, because read cannot know which one this API set.
func (c cookies) read(r *http.Request, name string) secret.String {
	want, found, n := c.name(name), "", 0
	for name, value := range pairs(r) {
		if name == want {
			found = value
			n++
		}
	}
	if n != 1 || !isCookieValue(found) {
		return secret.String{}
	}
	return secret.New(found)
}

// pairs yields the name and the value of each cookie in r. Unlike r.Cookies, pairs does
// not remove quotes from a value, because browsers treat quotes as part of the value.
func pairs(r *http.Request) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, header := range r.Header["Cookie"] {
			for pair := range strings.SplitSeq(header, ";") {
				name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
				if ok && !yield(name, value) {
					return
				}
			}
		}
	}
}

// isCookieValue reports whether s consists of cookie-octets (RFC 6265 section 4.1.1).
// This API sets only such values.
func isCookieValue(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}
