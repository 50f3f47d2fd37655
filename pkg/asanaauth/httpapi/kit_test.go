package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const (
	publicURL = "https://auth.example.com"
	appOrigin = "https://app.example.com"
	home      = "https://app.example.com/done"
	otherHome = "https://app.example.com/other?tab=1#top"
	asanaURL  = authtest.AsanaURL

	granularClientID = "1300000000000002" // the client ID of the app with granular scopes
)

type options struct {
	publicURL, responseType, scopes string
	linksOnly                       bool
	origins                         []string
	requestID                       func(*http.Request) string
	identity                        func(*http.Request) (string, bool)
	clock                           asanaauth.Clock // nil means the system clock
}

type site struct {
	t     *testing.T
	rows  *authtest.Rows
	table *storetest.Faulty
	kms   *sealtest.Faulty
	asana *asanatest.Asana
	wire  *wiretap // the installation's transport for requests to asana
	log   *authtest.Log
	mux   *http.ServeMux
	o     options
}

func bubble(t *testing.T, f func(*testing.T)) { t.Helper(); authtest.Bubble(t, f) }

func newSite(t *testing.T, change ...func(*options)) *site {
	t.Helper()
	o := options{publicURL: publicURL, scopes: authtest.OpenIDScopes, origins: []string{appOrigin}, identity: callerOf}
	for _, c := range change {
		c(&o)
	}
	inst := authtest.New(t)
	inst.Secrets.Set(nil, "marker-client-secret")
	inst.UseAsana(inst.NewAsana(func(o *asanatest.Options) {
		o.Apps[0].ClientSecret = "marker-client-secret"
		o.Apps = append(o.Apps, asanatest.App{
			ClientID: granularClientID, ClientSecret: "marker-client-secret", RedirectURIs: []string{authtest.RedirectURI},
			Scopes: []string{"openid", "email", "profile", "users:read", "workspaces:read"},
		})
	}))
	s := &site{
		t: t, rows: inst.Rows, table: inst.Table, kms: inst.KMS, asana: inst.Asana,
		wire: &wiretap{next: inst.Wire}, log: inst.Log, mux: http.NewServeMux(), o: o,
	}
	s.serve(inst)
	return s
}

func (s *site) serve(inst *authtest.Installation) {
	o, t := s.o, s.t
	logs := httpapi.LogHandler(slog.NewJSONHandler(s.log, nil))
	p := inst.Process(func(p *authtest.Settings) {
		if !strings.Contains(o.scopes, "default") {
			p.ClientID = granularClientID
		}
		if o.clock != nil {
			p.Clock = o.clock
		}
		p.Scopes, p.ResponseType, p.LinksOnly = o.scopes, o.responseType, o.linksOnly
		p.ReturnURLs, p.KeyTTL, p.Transport, p.Log = []string{home, otherHome}, time.Minute, s.wire, logs
	})
	links, err := link.New(link.Config{
		Store: s.table, AuthorizeURL: o.publicURL + "/authorize", ReturnURLs: p.Settings.ReturnURLs, Scopes: o.scopes, Log: slog.New(logs),
	})
	must(t, err)
	c := httpapi.Config{PublicURL: o.publicURL, Log: slog.New(logs), RequestID: o.requestID, Identity: o.identity}
	add := func(path string, h http.Handler, err error) {
		must(t, err)
		s.mux.Handle(path, h)
		s.mux.Handle(path+"/", h) // as on Lambda, where the first segment of the path selects the function
	}
	h, err := httpapi.NewAuthorize(c, p.Authorizer)
	add("/authorize", h, err)
	h, err = httpapi.NewCallback(c, p.Receiver)
	add("/callback", h, err)
	h, err = httpapi.NewSession(c, p.Sessions, o.origins)
	add("/session", h, err)
	h, err = httpapi.NewRefresh(c, p.Sessions, p.Tokens, o.origins)
	add("/refresh", h, err)
	h, err = httpapi.NewMembership(c, p.Sessions, p.Memberships, o.origins)
	add("/membership", h, err)
	h, err = httpapi.NewDisconnect(c, p.Sessions, p.Connections, o.origins)
	add("/disconnect", h, err)
	h, err = httpapi.NewBackend(c, httpapi.Backend{
		Connections: p.Connections, Tokens: p.Tokens, Memberships: p.Memberships,
		Links: links, ConnectCodes: p.ConnectCodes, SessionCodes: p.SessionCodes,
	})
	add("/links", h, err)
	add("/connections", h, err)
	s.mux.Handle("/", httpapi.NewFailure(c, asanaauth.NotFound, ""))
	s.mux.Handle("/bad-event", httpapi.NewFailure(c, asanaauth.InvalidRequest, "The event is not an HTTP request."))
}

func (s *site) fail(operation string) {
	s.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
		if op.Name == operation {
			return false, store.ErrUnavailable
		}
		return true, nil
	}
}

func (s *site) lines() (lines []map[string]any) {
	s.t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var v map[string]any
		must(s.t, json.Unmarshal([]byte(line), &v))
		lines = append(lines, v)
	}
	return lines
}

func (s *site) lastLine() map[string]any {
	s.t.Helper()
	lines := s.lines()
	if len(lines) == 0 {
		s.t.Fatal("the log is empty")
	}
	return lines[len(lines)-1]
}

// wiretap is a transport that records the bodies of Asana's responses.
type wiretap struct {
	next   http.RoundTripper
	bodies []string
	fail   error // if not nil, RoundTrip returns it instead of a response
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.fail != nil {
		return nil, w.fail
	}
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	w.bodies = append(w.bodies, string(body))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errAny = errors.New("any error")

// failWriteAfter lets the next n writes succeed and makes all later writes fail with
// ErrUnavailable.
func (s *site) failWriteAfter(n int) { s.failWriteWith(n, store.ErrUnavailable) }

func (s *site) failWriteWith(n int, err error) {
	s.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
		// The write that creates the keyring is not counted and does not fail.
		if op.Name != "write" || op.Keys[0] == store.KeyringKey {
			return true, nil
		}
		n--
		if n >= 0 {
			return true, nil
		}
		return false, err
	}
}
