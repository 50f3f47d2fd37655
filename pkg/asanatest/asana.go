// Package asanatest is an offline Asana: an [http.Handler] that behaves like
// Asana's authorization, token, OpenID Connect and membership endpoints, so
// that any Asana client can be tested without a network, an account or a
// browser.
//
// Start it under [net/http/httptest], on a port of its own, or call it in
// memory through [Asana.Transport]:
//
//	asana, err := asanatest.New(asanatest.Options{})
//	server := httptest.NewServer(asana)
//	asana.SetBaseURL(server.URL)
//	// point the client under test at server.URL in place of https://app.asana.com
//
// [Asana.Authorize] plays the person who clicks Allow, [Asana.Inject] breaks
// single requests, [Asana.Requests] tells what was asked. Over HTTP the same
// things are found under /_offline/: a page for people at /_offline/, and for
// programs
//
//	GET    /_offline/switches  all switches, a JSON object
//	PUT    /_offline/switches  sets those named; an unknown one is 400 and changes nothing
//	POST   /_offline/reset     forgets everything
//	POST   /_offline/expire    ends all access tokens
//	POST   /_offline/revoke    everybody deauthorises every app
//	POST   /_offline/faults    a [Fault] as JSON; DELETE drops all that wait
//	POST   /_offline/tokens    form or JSON {"person"}: {"token"}, a personal access token, or the token of a service account
//	GET    /_offline/requests  what was asked lately
//	GET    /_offline/people    who there is, with their workspaces
//
// What Asana documents is done as documented. What nobody outside Asana knows
// is a switch ([Switches], listed in SWITCHES.md) whose default is our guess
// and not Asana's word: a client is robust if it works under both settings.
//
// It is a test server: it keeps tokens in the clear, lets anybody sign in as
// anybody, and must not be reachable by others.
package asanatest

import (
	"context"
	"crypto/rsa"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are all optional.
type Options struct {
	// BaseURL is the origin that clients reach this Asana at, without a slash
	// at the end, like http://127.0.0.1:8485. Issuers and metadata name it.
	// Empty: the origin of each request, until SetBaseURL.
	BaseURL string
	// Apps are the registered apps. Nil: DefaultApps.
	Apps []App
	// People are the users there are. Nil: DefaultPeople.
	People []Person
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Sleep waits for d or until ctx ends, whose error it then returns. Nil: a
	// real timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// File keeps the whole state (tokens, consents, codes, signing key,
	// switches) as JSON, mode 0600. It is replaced atomically before an answer
	// that changed state is sent, so that a killed process which starts again
	// knows the tokens it gave. Empty: in memory only, and no I/O.
	File string
	// Switches are those to begin with, and to go back to at Reset; those in
	// File win. The zero value: DefaultSwitches.
	Switches Switches
	// Key signs ID tokens. Nil: one is made when first needed.
	Key *rsa.PrivateKey
}

// Asana is an offline Asana. It is an [http.Handler], safe for concurrent use,
// and has no goroutines of its own.
type Asana struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
	file  string
	first Switches // what Reset goes back to
	mux   *http.ServeMux
	pages func() *template.Template

	mu     sync.Mutex // guards what follows; held while a request is served, never while it waits
	base   string
	apps   []App
	people []Person
	state  state
	dirty  bool // state differs from the file
	key    *rsa.PrivateKey
	faults []*Fault
	record record
}

// New returns an Asana. Switches that mean nothing, people or apps with the
// same id, and a state file that cannot be read are errors.
func New(o Options) (*Asana, error) {
	a := &Asana{now: o.Now, sleep: o.Sleep, file: o.File, first: o.Switches, base: o.BaseURL, key: o.Key,
		apps: slices.Clone(o.Apps), people: slices.Clone(o.People), pages: sync.OnceValue(parsePages)}
	if a.now == nil {
		a.now = time.Now
	}
	if a.sleep == nil {
		a.sleep = sleep
	}
	if a.first == (Switches{}) {
		a.first = DefaultSwitches()
	}
	if o.Apps == nil {
		a.apps = DefaultApps()
	}
	if o.People == nil {
		a.people = DefaultPeople()
	}
	if err := a.checkOptions(); err != nil {
		return nil, fmt.Errorf("asanatest: %w", err)
	}
	a.mux = a.routes()
	a.state = newState(a.first)
	return a, a.load()
}

func (a *Asana) checkOptions() error {
	ids := map[string]bool{}
	for _, app := range a.apps {
		if ids[app.ClientID] || app.ClientID == "" {
			return fmt.Errorf("client id %q is empty or used twice", app.ClientID)
		}
		ids[app.ClientID] = true
	}
	for i := range a.people {
		p := &a.people[i]
		if ids[p.GID] || !isGID(p.GID) {
			return fmt.Errorf("gid %q is not one, or used twice", p.GID)
		}
		ids[p.GID] = true
		p.complete()
	}
	return a.first.check()
}

// SetBaseURL sets the origin that this Asana names in its answers, for servers
// that learn it late.
func (a *Asana) SetBaseURL(u string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.base = strings.TrimSuffix(u, "/")
}

// origin is the base URL in use for a request.
func (a *Asana) origin(r *http.Request) string {
	switch {
	case a.base != "":
		return a.base
	case r.TLS != nil || r.URL.Scheme == "https":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Reset forgets tokens, consents, codes, sign-ins, faults and requests, and
// puts the switches back to what they were at the start. The signing key
// stays, as do people and apps.
func (a *Asana) Reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := a.state.Key
	a.state = newState(a.first)
	a.state.Key = key
	a.faults = nil
	a.record = record{}
	return a.save()
}

func (a *Asana) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/oauth_authorize", a.showConsent)
	mux.HandleFunc("POST /-/oauth_authorize", a.decide)
	mux.HandleFunc("POST /-/oauth_token", a.token)
	mux.HandleFunc("POST /-/oauth_revoke", a.revoke)
	mux.HandleFunc("POST /-/token_info", a.introspect)
	mux.HandleFunc("OPTIONS /-/", a.tokenPreflight)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", a.serverMetadata)
	mux.HandleFunc("GET /.well-known/openid-configuration", a.rootDiscovery)
	a.apiRoutes(mux)
	a.offlineRoutes(mux)
	return mux
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
