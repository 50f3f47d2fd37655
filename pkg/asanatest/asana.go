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
// and starts no goroutines.
type Asana struct {
	gate *gate

	mu        sync.Mutex // guards what follows; held while a request is served, never while it waits
	site      *site
	directory *directory
	memory    *memory
	grants    *grants
	signer    *signer
	faults    *faults
	record    *record
}

// New returns an Asana. It returns an error if a switch has a value that means
// nothing, if two people or apps have the same id, or if the state file cannot
// be read.
func New(o Options) (*Asana, error) {
	o.complete()
	d := &directory{apps: slices.Clone(o.Apps), people: slices.Clone(o.People)}
	err := d.complete()
	if err == nil {
		err = o.Switches.check()
	}
	if err != nil {
		return nil, fmt.Errorf("asanatest: %w", err)
	}
	m := &memory{state: newState(o.Switches), file: o.File, first: o.Switches}
	a := &Asana{site: &site{base: o.BaseURL}, directory: d, memory: m,
		grants: &grants{memory: m, directory: d, now: o.Now}, signer: &signer{memory: m, key: o.Key}, faults: &faults{}, record: &record{}}
	a.gate = &gate{mu: &a.mu, mux: a.routes(o.Now), memory: m, faults: a.faults, record: a.record, now: o.Now, sleep: o.Sleep}
	return a, m.load()
}

// complete sets the options that have a default.
func (o *Options) complete() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Switches == (Switches{}) {
		o.Switches = DefaultSwitches()
	}
	if o.Apps == nil {
		o.Apps = DefaultApps()
	}
	if o.People == nil {
		o.People = DefaultPeople()
	}
}

// site is the address that clients reach this Asana at.
type site struct{ base string }

// origin returns the base URL, or the origin of the request if there is none.
func (s *site) origin(r *http.Request) string {
	switch {
	case s.base != "":
		return s.base
	case r.TLS != nil || r.URL.Scheme == "https":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// SetBaseURL sets the origin that this Asana names in its answers, for servers
// that learn it late.
func (a *Asana) SetBaseURL(u string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.site.base = strings.TrimSuffix(u, "/")
}

// Reset forgets tokens, consents, codes, sign-ins, faults and requests, and
// puts the switches back to what they were at the start. The signing key
// stays, as do people and apps.
func (a *Asana) Reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.clear()
	*a.record = record{}
	return a.memory.reset()
}

// routes makes the types that serve the endpoints.
func (a *Asana) routes(now func() time.Time) *http.ServeMux {
	ids := &idTokens{memory: a.memory, signer: a.signer, now: now}
	rest := &api{memory: a.memory, directory: a.directory, grants: a.grants, site: a.site}
	mux := http.NewServeMux()
	for _, part := range []interface{ routes(*http.ServeMux) }{
		&consent{memory: a.memory, directory: a.directory, ids: ids, site: a.site, now: now},
		&oauth{memory: a.memory, directory: a.directory, grants: a.grants, ids: ids, site: a.site, now: now},
		&openID{memory: a.memory, site: a.site, ids: ids, api: rest},
		rest,
		&controls{asana: a},
	} {
		part.routes(mux)
	}
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
