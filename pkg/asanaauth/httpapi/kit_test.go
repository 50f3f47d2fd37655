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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const (
	publicURL = "https://auth.example.com"
	appOrigin = "https://app.example.com"
	home      = "https://app.example.com/done"
	otherHome = "https://app.example.com/other?tab=1#top"
	asanaURL  = "https://asana.example"
	clientID  = "1300000000000001"
)

// options are what a test may have different from the others.
type options struct {
	publicURL, responseType, scopes string
	linksOnly                       bool
	origins                         []string
	requestID                       func(*http.Request) string
	identity                        func(*http.Request) (string, bool)
}

// site is an installation: the handlers, and all that is behind them.
type site struct {
	t     *testing.T
	rows  *store.Memory
	table *storetest.Faulty // of rows
	kms   *sealtest.Faulty
	asana *asanatest.Asana
	wire  *wiretap // between us and asana
	log   *logBuffer
	mux   *http.ServeMux
	o     options
}

// bubble runs a test with a clock of its own, in which waiting takes no time.
func bubble(t *testing.T, f func(*testing.T)) { t.Helper(); synctest.Test(t, f) }

func newSite(t *testing.T, change ...func(*options)) *site {
	t.Helper()
	o := options{publicURL: publicURL, scopes: "default openid email profile", origins: []string{appOrigin}, identity: callerOf}
	for _, c := range change {
		c(&o)
	}
	redirectURI := o.publicURL + "/callback"
	offline, err := asanatest.New(asanatest.Options{
		BaseURL: asanaURL,
		Apps: []asanatest.App{{
			ClientID: clientID, ClientSecret: "marker-client-secret", RedirectURIs: []string{redirectURI},
			Scopes: []string{"default", "openid", "email", "profile"},
		}, {
			ClientID: "1300000000000002", ClientSecret: "marker-client-secret", RedirectURIs: []string{redirectURI},
			Scopes: []string{"openid", "email", "profile", "users:read", "workspaces:read"},
		}},
	})
	must(t, err)
	rows := &store.Memory{}
	s := &site{
		t: t, rows: rows, table: &storetest.Faulty{Store: rows}, kms: &sealtest.Faulty{Wrapper: local.New([32]byte{7})},
		asana: offline, wire: &wiretap{next: offline.Transport()}, log: &logBuffer{}, mux: http.NewServeMux(), o: o,
	}
	s.serve()
	return s
}

func (s *site) serve() {
	o, t := s.o, s.t
	log := slog.New(httpapi.LogHandler(slog.NewJSONHandler(s.log, nil)))
	id := clientID
	if !strings.Contains(o.scopes, "default") {
		id = "1300000000000002"
	}
	client, err := asana.New(asana.Config{BaseURL: asanaURL, ClientID: id, Transport: s.wire})
	must(t, err)
	parts := asanaauth.Parts{
		Store: s.table, Asana: client, Secrets: asanaauth.NewSecrets(clientSecrets{}, nil), Log: log,
		Keys: asanaauth.NewKeys(asanaauth.KeysConfig{Store: s.table, Wrapper: s.kms, Installation: "test", TTL: time.Minute, Log: log}),
	}
	returnURLs := []string{home, otherHome}
	login, err := asanaauth.NewLogin(parts, asanaauth.LoginOptions{
		RedirectURI: o.publicURL + "/callback", ReturnURLs: returnURLs, Scopes: o.scopes, ResponseType: o.responseType,
		LinksOnly: o.linksOnly, SessionTTL: 720 * time.Hour, SessionIdleTTL: 168 * time.Hour,
	})
	must(t, err)
	conns, err := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{Alone: true})
	must(t, err)
	links, err := asanaauth.NewLinks(parts, asanaauth.LinksOptions{AuthorizeURL: o.publicURL + "/authorize", ReturnURLs: returnURLs, Scopes: o.scopes})
	must(t, err)
	c := httpapi.Config{PublicURL: o.publicURL, Log: log, RequestID: o.requestID, Identity: o.identity}
	add := func(path string, h http.Handler, err error) {
		must(t, err)
		s.mux.Handle(path, h)
		s.mux.Handle(path+"/", h) // as on Lambda: the first segment chooses
	}
	add("/authorize", httpapi.NewAuthorize(c, login), nil)
	add("/callback", httpapi.NewCallback(c, login), nil)
	h, err := httpapi.NewSession(c, conns, o.origins)
	add("/session", h, err)
	h, err = httpapi.NewRefresh(c, conns, o.origins)
	add("/refresh", h, err)
	memberships := asanaauth.NewMemberships(conns)
	h, err = httpapi.NewMembership(c, conns, memberships, o.origins)
	add("/membership", h, err)
	h, err = httpapi.NewDisconnect(c, conns, o.origins)
	add("/disconnect", h, err)
	backend := httpapi.NewConnections(c, conns, memberships, links)
	add("/links", backend, nil)
	add("/connections", backend, nil)
	s.mux.Handle("/", httpapi.NewFailure(c, asanaauth.NotFound, ""))
	s.mux.Handle("/bad-event", httpapi.NewFailure(c, asanaauth.InvalidRequest, "The event is no HTTP request."))
}

type clientSecrets struct{}

func (clientSecrets) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New("marker-client-secret")}, nil
}

// fail makes the table fail.
func (s *site) fail(operation string) {
	s.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
		if op.Name == operation {
			return false, store.ErrUnavailable
		}
		return true, nil
	}
}

// lines are the log's lines so far.
func (s *site) lines() (lines []map[string]any) {
	s.t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var v map[string]any
		must(s.t, json.Unmarshal([]byte(line), &v))
		lines = append(lines, v)
	}
	return lines
}

// lastLine is the line of the last request.
func (s *site) lastLine() map[string]any {
	s.t.Helper()
	lines := s.lines()
	if len(lines) == 0 {
		s.t.Fatal("nothing was logged")
	}
	return lines[len(lines)-1]
}

// wiretap keeps what Asana answered.
type wiretap struct {
	next    http.RoundTripper
	answers []string
	fail    error // in place of an answer
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
	w.answers = append(w.answers, string(body))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errAny = errors.New("any error")

// failWriteAfter makes all writes but the next n fail, as if the table were away.
func (s *site) failWriteAfter(n int) { s.failWriteWith(n, store.ErrUnavailable) }

func (s *site) failWriteWith(n int, err error) {
	s.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
		// The first write of an installation makes its keyring.
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
