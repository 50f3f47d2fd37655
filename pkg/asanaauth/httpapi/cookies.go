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
	attemptPrefix = "asana_attempt_" // the attempt's name follows

	// attemptsKept are the cookies of attempts that a browser has at once.
	attemptsKept = 5
	// attemptsEnded is how many surplus ones one answer ends: headers are
	// bounded, by API Gateway too.
	attemptsEnded = 20
)

// cookies names, writes and reads cookies.
type cookies struct {
	bare bool // without __Host- and Secure: http on a loopback host
}

// name puts the prefix before n that keeps other hosts and other schemes from
// setting the cookie (RFC 6265bis section 4.1.3.2).
func (c cookies) name(n string) string {
	if c.bare {
		return n
	}
	return "__Host-" + n
}

// attempt is the cookie of an attempt. Lax, since the browser comes back from
// Asana's site.
func (c cookies) attempt(name, value string) *http.Cookie {
	return c.cookie(attemptPrefix+name, value, http.SameSiteLaxMode, login.AttemptTTL)
}

func (c cookies) session(value string, ttl time.Duration) *http.Cookie {
	return c.cookie(sessionName, value, http.SameSiteStrictMode, ttl)
}

// cookie makes a cookie; one without a value ends the one that is there.
func (c cookies) cookie(name, value string, same http.SameSite, ttl time.Duration) *http.Cookie {
	age := int(math.Ceil(ttl.Seconds()))
	if value == "" {
		age = -1 // written as Max-Age=0
	}
	return &http.Cookie{Name: c.name(name), Value: value, Path: "/", MaxAge: age, Secure: !c.bare, HttpOnly: true, SameSite: same}
}

// endSurplus ends the oldest attempts of a browser that begins a new one.
// Browsers send cookies of one path in the order of their making (RFC 6265
// section 5.4).
func (c cookies) endSurplus(w http.ResponseWriter, r *http.Request) {
	var names []string
	prefix := c.name(attemptPrefix)
	for name := range pairs(r) {
		id, ok := strings.CutPrefix(name, prefix)
		if ok && len(id) == 16 && strings.Trim(id, "0123456789abcdef") == "" && !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	surplus := max(0, len(names)-(attemptsKept-1))
	for _, id := range names[:min(surplus, attemptsEnded)] {
		http.SetCookie(w, c.attempt(id, ""))
	}
}

func (c cookies) readSession(r *http.Request) secret.String { return c.read(r, sessionName) }

func (c cookies) readAttempt(r *http.Request, name string) secret.String {
	return c.read(r, attemptPrefix+name)
}

// read returns a cookie's value. A name that comes twice counts as absent, for
// nobody can say which of them we set; so does a value that is malformed.
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

// pairs yields the request's cookies as they were sent, names and values
// (RFC 6265bis section 5.8.3).
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

// isCookieValue accepts cookie-octets alone (RFC 6265 section 4.1.1). Ours need
// no more.
func isCookieValue(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}
