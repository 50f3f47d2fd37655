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
// [Asana.Authorize] plays the person who clicks Allow, [Asana.Inject] makes
// single requests fail, [Asana.Requests] returns the requests that came. Over
// HTTP the same is done under /_offline/. There is a page for people at
// /_offline/, and for programs:
//
//	GET    /_offline/switches  all switches, a JSON object
//	PUT    /_offline/switches  sets the switches named; 400 if one is unknown, and nothing changes
//	POST   /_offline/reset     forgets everything
//	POST   /_offline/expire    ends all access tokens
//	POST   /_offline/revoke    deauthorises every app for all people
//	POST   /_offline/faults    adds a [Fault], a JSON object; DELETE drops all that wait
//	POST   /_offline/tokens    makes a personal access token, or a token of a service account: form or JSON {"person"}, returns {"token"}
//	GET    /_offline/requests  the last requests
//	GET    /_offline/people    all people and their workspaces
//
// The package does what Asana documents. For what Asana does not document there
// are switches ([Switches], listed in SWITCHES.md). Their defaults are our
// guess: a client is robust if it works with both settings of each.
//
// It is a test server: it stores tokens in plain text, any client can sign in
// as any person, and it must not be reachable from other machines.
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

// Options are the options of New. All are optional.
type Options struct {
	// BaseURL is the origin at which clients reach this Asana, without a slash
	// at the end, like http://127.0.0.1:8485. It is part of issuers and
	// metadata. If it is empty, the origin of each request is used, until
	// SetBaseURL.
	BaseURL string
	// Apps are the registered apps. If nil, they are DefaultApps.
	Apps []App
	// People are the users. If nil, they are DefaultPeople.
	People []Person
	// Now is the clock. If nil, it is time.Now.
	Now func() time.Time
	// Sleep waits for d. If ctx ends before, it returns the error of ctx. If
	// nil, a real timer is used.
	Sleep func(ctx context.Context, d time.Duration) error
	// File is the name of a file that keeps the whole state (tokens, consents,
	// codes, signing key, switches) as JSON, with mode 0600. It is replaced
	// atomically before the response to a request that changed the state is
	// sent, so a process that is killed and starts again knows the tokens it
	// gave. If empty, the state is only in memory.
	File string
	// Switches are the switches at the start and after Reset. If File has
	// switches, those are used at the start. If Switches is the zero value, it
	// is DefaultSwitches.
	Switches Switches
	// Key signs ID tokens. If nil, one is made when it is first needed.
	Key *rsa.PrivateKey
}

// Asana is an offline Asana. It is an [http.Handler], safe for concurrent use,
// and starts no goroutines.
type Asana struct {
	gate *gate

	mu        sync.Mutex // guards what follows; locked while a request is served, never while it waits
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

// SetBaseURL sets Options.BaseURL later, for servers that do not know their
// address before they start.
func (a *Asana) SetBaseURL(u string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.site.base = strings.TrimSuffix(u, "/")
}

// Reset forgets tokens, consents, codes, sign-ins, faults and requests, and
// sets the switches to Options.Switches. The signing key, people and apps stay.
func (a *Asana) Reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.clear()
	*a.record = record{}
	return a.memory.reset()
}

// routes returns a handler for all endpoints.
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
