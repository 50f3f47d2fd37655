// Package asanatest is an offline Asana for tests. It is an [http.Handler] with Asana's
// OAuth, OpenID Connect, user, workspace and membership endpoints. With it you can test any
// Asana client, in any language, without a network, an Asana account or a browser:
//
//	fake, err := asanatest.New(asanatest.Options{})
//	// …
//	server := httptest.NewServer(fake)
//	defer server.Close()
//	fake.SetBaseURL(server.URL)
//	// Let the client use server.URL instead of https://app.asana.com.
//
// Use it to test what is hard to produce with the real Asana. [Asana.Authorize] acts as a
// person who clicks Allow. [Asana.Inject] makes a request fail, take long, or lose its
// response after it took effect. [DefaultPeople] has guests, admins, view-only members,
// deactivated members and a service account. [Asana.ExpireAccessTokens] and
// [Asana.RevokeGrants] end tokens. [Asana.Requests] returns the requests that arrived.
//
// The package implements what Asana documents. If the documents do not say what Asana does,
// a switch selects one of the possible behaviors: for example, whether a refresh returns a
// new refresh token. SWITCHES.md lists all [Switches]. A client that works with each value
// of each switch does not depend on a guess about Asana.
//
// This is a test server. It stores tokens in plain text, and anyone who can reach it can
// sign in as any person. Listen on a loopback address only.
//
// # Control over HTTP
//
// Clients that are not written in Go can use the server that "asanaauth local" starts, and
// control it over HTTP. In a browser, /_offline/ has a page with all switches. Programs use
// these endpoints:
//
//	GET    /_offline/switches  returns all switches as a JSON object
//	PUT    /_offline/switches  sets the switches in a JSON object; returns 400 and changes nothing if one is unknown
//	POST   /_offline/reset     deletes tokens, consents, codes, faults and requests, and resets the switches
//	POST   /_offline/expire    expires all access tokens
//	POST   /_offline/revoke    revokes the consents of all people
//	POST   /_offline/faults    adds a [Fault], given as a JSON object
//	DELETE /_offline/faults    removes all faults
//	POST   /_offline/tokens    creates a personal access token, or the token of a service account; takes {"person"} as a form or JSON, returns {"token"}
//	GET    /_offline/requests  returns the last requests
//	GET    /_offline/people    returns all people and their memberships
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

// Options configures [New]. All fields are optional.
type Options struct {
	// BaseURL is the origin at which clients reach this Asana, without a trailing
	// slash, such as http://127.0.0.1:8485. Issuers and metadata contain it. If it
	// is empty, the origin of each request is used until SetBaseURL is called.
	BaseURL string
	// Apps are the registered OAuth apps. The default is [DefaultApps].
	Apps []App
	// People are the Asana users and service accounts. The default is
	// [DefaultPeople].
	People []Person
	// Now returns the current time. The default is time.Now.
	Now func() time.Time
	// Sleep waits for d. If ctx ends first, it returns the error of ctx. The
	// default uses a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// File is the name of the state file. It contains tokens, consents, codes, the
	// signing key and the switches as JSON, and has mode 0600. If a request
	// changes the state, the file is replaced atomically before the response is
	// sent. So a process that is killed and restarted knows all tokens that it
	// issued. If File is empty, the state is kept in memory only.
	File string
	// Switches are the switches at the start and after Reset. At the start, the
	// switches in File take precedence. The default is [DefaultSwitches].
	Switches Switches
	// Key signs ID tokens. By default a key is generated when it is first needed.
	Key *rsa.PrivateKey
}

// Asana is an offline Asana. It implements [http.Handler] and is safe for concurrent use. It
// starts no goroutines. Use [New] to create one.
type Asana struct {
	dispatcher *dispatcher

	mu        sync.Mutex // guards the fields below; held while a request is processed, but not while it is delayed
	site      *site
	directory *directory
	memory    *memory
	grants    *grants
	signer    *signer
	faults    *faults
	record    *record
}

// New returns an Asana. It returns an error if a switch has an invalid value, if an ID is
// malformed or used twice, or if the state file cannot be read.
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
	a.dispatcher = &dispatcher{mu: &a.mu, mux: a.routes(o.Now), memory: m, faults: a.faults, record: a.record, now: o.Now, sleep: o.Sleep}
	return a, m.load()
}

// complete sets the defaults of options that are not set.
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

// site is the origin at which clients reach this Asana.
type site struct{ base string }

// origin returns the base URL if it is set, and otherwise the origin of the request.
func (s *site) origin(r *http.Request) string {
	switch {
	case s.base != "":
		return s.base
	case r.TLS != nil || r.URL.Scheme == "https":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// SetBaseURL sets [Options.BaseURL] later. It is for servers that learn their address only
// when they start, such as [net/http/httptest.Server].
func (a *Asana) SetBaseURL(u string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.site.base = strings.TrimSuffix(u, "/")
}

// Reset deletes tokens, consents, codes, sign-ins, faults and recorded requests. It sets the
// switches to [Options.Switches]. It keeps the signing key, the people and the apps. It
// returns an error if the state file cannot be written.
func (a *Asana) Reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.clear()
	*a.record = record{}
	return a.memory.reset()
}

// routes returns a handler for all endpoints, including those under /_offline/.
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
