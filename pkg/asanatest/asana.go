// Package asanatest simulates Asana, so that tests can run offline. The type [Asana] is
// an [http.Handler] with Asana's OAuth, OpenID Connect, user, workspace and membership
// endpoints. You can test an Asana client in any language, without a network, an Asana
// account or a browser:
//
//	fake, err := asanatest.New(asanatest.Options{})
//	// …
//	server := httptest.NewServer(fake)
//	defer server.Close()
//	fake.SetBaseURL(server.URL)
//	// Let the client use server.URL instead of https://app.asana.com.
//
// The package can also produce situations that are hard to produce with the real Asana.
// [Asana.Authorize] acts as a person who clicks Allow. [Asana.Inject] delays a request,
// makes the request fail, or drops the response after the request took effect.
// [DefaultPeople] includes guests, admins, view-only members, deactivated members and a
// service account. [Asana.ExpireAccessTokens] and [Asana.RevokeGrants] make tokens
// invalid. [Asana.Requests] returns the requests that clients have sent.
//
// The package implements the behavior that Asana documents. If Asana does not document a
// behavior, a switch selects one of the possible behaviors. For example, a switch selects
// whether a refresh returns a new refresh token. SWITCHES.md lists all [Switches]. A
// client that works with all values of all switches does not depend on guesses about
// Asana.
//
// The simulated server is only for tests, and stores tokens in plain text. Anyone who can
// send requests to the server can sign in as any person. Therefore the server must listen
// only on a loopback address.
//
// # Control over HTTP
//
// If a client is not written in Go, use the server that "asanaauth local" starts, and
// control this server over HTTP. The page at /_offline/ shows all switches in a browser.
// Programs can use these endpoints:
//
//	GET    /_offline/switches  returns all switches as a JSON object
//	PUT    /_offline/switches  sets the switches that a JSON object contains; if a switch is unknown or a value is invalid, returns 400 and changes nothing
//	POST   /_offline/reset     deletes tokens, consents, codes, faults and requests, and resets the switches
//	POST   /_offline/expire    makes all OAuth access tokens expire
//	POST   /_offline/revoke    removes the consents of all people and revokes their OAuth tokens
//	POST   /_offline/faults    adds a [Fault], given as a JSON object
//	DELETE /_offline/faults    removes all faults
//	POST   /_offline/tokens    creates a personal access token, or the token of a service account; takes {"person"} as a form or JSON, returns {"token"}
//	GET    /_offline/requests  returns the most recent requests
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
	// BaseURL is the origin of the server without a trailing slash, such as
	// http://127.0.0.1:8485. URLs that the server returns begin with BaseURL. If BaseURL
	// is empty, the server uses the origin of each request until SetBaseURL is called.
	BaseURL string
	// Apps are the registered OAuth apps. The default is [DefaultApps].
	Apps []App
	// People are the Asana users and service accounts. The default is
	// [DefaultPeople].
	People []Person
	// Now returns the current time. The default is time.Now.
	Now func() time.Time
	// Sleep waits for the duration d. If ctx ends first, Sleep returns ctx.Err(). The
	// default function uses a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// File is the name of the state file. The file contains tokens, consents, codes, the
	// signing key and the switches as JSON, and has the mode 0600. If a request changes
	// the state, the server replaces the file atomically before it sends the response. If
	// the process is killed and restarted, the server therefore still accepts all tokens
	// that it has issued. If File is empty, the server keeps the state only in memory.
	File string
	// Switches are the initial switches if the state file does not contain switches.
	// [Asana.Reset] restores them. The default is [DefaultSwitches].
	Switches Switches
	// Key is the private key that signs ID tokens. If Key is nil, the server uses the key
	// in the state file, or generates a key when it first needs one.
	Key *rsa.PrivateKey
}

// Asana is a simulated Asana server, which [New] creates. An Asana implements
// [http.Handler], is safe for concurrent use, and starts no goroutines.
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

// New creates an [Asana]. To serve requests over a network, pass the Asana to an
// [http.Server]. New returns an error if a switch has an invalid value, if a client ID or
// gid is malformed or used twice, or if the state file cannot be read.
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

type site struct{ base string }

func (s *site) origin(r *http.Request) string {
	switch {
	case s.base != "":
		return s.base
	case r.TLS != nil || r.URL.Scheme == "https":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// SetBaseURL replaces [Options.BaseURL]. Use SetBaseURL if the address of the server is
// known only after the start, as with [net/http/httptest.Server].
func (a *Asana) SetBaseURL(u string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.site.base = strings.TrimSuffix(u, "/")
}

// Reset deletes tokens, consents, codes, sign-ins, faults and recorded requests. Reset
// sets the switches to [Options.Switches], and keeps the signing key, the people and the
// apps. Reset returns an error if the state file cannot be written.
func (a *Asana) Reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.clear()
	*a.record = record{}
	return a.memory.reset()
}

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
