package asanaauth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// bubble runs a test with a clock of its own, in which waiting takes no time.
func bubble(t *testing.T, f func(*testing.T)) { t.Helper(); synctest.Test(t, f) }

// house is everything that the processes of an installation share: the table,
// KMS, Secrets Manager, Asana, and what was logged.
type house struct {
	t       *testing.T
	rows    *store.Memory
	table   *storetest.Faulty // of rows
	kms     *sealtest.Faulty
	secrets *secretsManager
	asana   *asanatest.Asana
	wire    *wiretap // between the processes and asana
	log     *logBuffer
}

const (
	returnURL   = "https://app.example.com/done"
	redirectURI = "https://auth.example.com/callback"
)

func newHouse(t *testing.T) *house {
	t.Helper()
	offline, err := asanatest.New(asanatest.Options{
		BaseURL: asanaURL,
		Apps: []asanatest.App{{
			ClientID: clientID, ClientSecret: "first secret", NextClientSecret: "second secret",
			RedirectURIs: []string{redirectURI}, Scopes: []string{"default", "openid", "email", "profile"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := &store.Memory{}
	return &house{
		t:       t,
		rows:    rows,
		table:   &storetest.Faulty{Store: rows},
		kms:     &sealtest.Faulty{Wrapper: local.New([32]byte{1})},
		secrets: &secretsManager{values: []string{"first secret"}},
		asana:   offline,
		wire:    &wiretap{next: offline.Transport()},
		log:     &logBuffer{},
	}
}

const (
	asanaURL = "https://asana.example"
	clientID = "1300000000000001"
)

// settings are what one process may have different from another.
type settings struct {
	clientID     string
	responseType string
	scopes       string
	sessionTTL   time.Duration
	idleTTL      time.Duration
	keyTTL       time.Duration
	joined       bool
	returnURLs   []string
	store        store.Store
	transport    http.RoundTripper
	rand         io.Reader
}

// process is one process of the installation: a Lambda sandbox, say.
type process struct {
	h           *house
	scopes      string
	keys        *asanaauth.Keys
	login       *asanaauth.Login
	conns       *asanaauth.Connections
	memberships *asanaauth.Memberships
}

func (h *house) process(change ...func(*settings)) *process {
	h.t.Helper()
	s := settings{
		clientID: clientID, scopes: "default", sessionTTL: 720 * time.Hour, idleTTL: 168 * time.Hour,
		keyTTL: 5 * time.Minute, returnURLs: []string{returnURL}, store: h.table, transport: h.wire,
	}
	for _, c := range change {
		c(&s)
	}
	log := slog.New(slog.NewJSONHandler(h.log, nil))
	client, err := asana.New(asana.Config{BaseURL: asanaURL, ClientID: s.clientID, Transport: s.transport})
	if err != nil {
		h.t.Fatal(err)
	}
	keys := asanaauth.NewKeys(asanaauth.KeysConfig{
		Store: s.store, Wrapper: h.kms, Installation: "house", TTL: s.keyTTL, Rand: s.rand, Log: log,
	})
	parts := asanaauth.Parts{
		Store: s.store, Asana: client, Keys: keys, Secrets: asanaauth.NewSecrets(h.secrets, nil), Rand: s.rand, Log: log,
	}
	login, err := asanaauth.NewLogin(parts, asanaauth.LoginOptions{
		RedirectURI: redirectURI, ReturnURLs: s.returnURLs, Scopes: s.scopes, ResponseType: s.responseType,
		SessionTTL: s.sessionTTL, SessionIdleTTL: s.idleTTL,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	conns, err := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{Alone: !s.joined})
	if err != nil {
		h.t.Fatal(err)
	}
	return &process{h: h, scopes: s.scopes, keys: keys, login: login, conns: conns, memberships: asanaauth.NewMemberships(conns)}
}

// answer is what a browser brings back from Asana.
func (p *process) answer(begun asanaauth.Begun, person string) asanaauth.FinishRequest {
	p.h.t.Helper()
	back, err := p.h.asana.Authorize(context.Background(), begun.URL, person)
	if err != nil {
		p.h.t.Fatal(err)
	}
	return answerOf(p.h.t, back, begun)
}

func answerOf(t *testing.T, back string, begun asanaauth.Begun) asanaauth.FinishRequest {
	t.Helper()
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Fragment != "" {
		if q, err = url.ParseQuery(u.EscapedFragment()); err != nil {
			t.Fatal(err)
		}
	}
	return asanaauth.FinishRequest{
		State: q.Get("state"), Browser: begun.Browser, Code: secret.New(q.Get("code")),
		IDToken: secret.New(q.Get("id_token")), Issuer: q.Get("iss"), Error: q.Get("error"),
	}
}

func (p *process) begin() asanaauth.Begun {
	p.h.t.Helper()
	begun, err := p.login.Begin(context.Background(), asanaauth.BeginRequest{})
	if err != nil {
		p.h.t.Fatal(err)
	}
	return begun
}

// signIn plays the whole trip and returns the session's cookie.
func (p *process) signIn(person string) secret.String {
	p.h.t.Helper()
	finished, err := p.login.Finish(context.Background(), p.answer(p.begin(), person))
	if err != nil {
		p.h.t.Fatalf("signing in: %v", err)
	}
	return finished.Session
}

func (p *process) session(cookie secret.String) *asanaauth.Session {
	p.h.t.Helper()
	s, err := p.conns.Session(context.Background(), cookie)
	if err != nil {
		p.h.t.Fatalf("opening the session: %v", err)
	}
	return s
}

// token asks as a frontend does: session first, then its token.
func (p *process) token(cookie secret.String, minTTL time.Duration) (asanaauth.Token, error) {
	return p.ask(context.Background(), cookie, asanaauth.TokenRequest{MinTTL: minTTL})
}

func (p *process) ask(ctx context.Context, cookie secret.String, r asanaauth.TokenRequest) (asanaauth.Token, error) {
	s, err := p.conns.Session(ctx, cookie)
	if err != nil {
		return asanaauth.Token{}, err
	}
	return p.conns.Token(ctx, s, r)
}

func (p *process) mustToken(cookie secret.String, minTTL time.Duration) asanaauth.Token {
	p.h.t.Helper()
	token, err := p.token(cookie, minTTL)
	if err != nil {
		p.h.t.Fatalf("asking for a token: %v", err)
	}
	return token
}

func refusedHash(token asanaauth.Token) *store.Hash {
	h := store.HashText(token.Access.Reveal())
	return &h
}

func connectionOf(cookie secret.String) string {
	id, _, _ := strings.Cut(cookie.Reveal(), ".")
	return id
}

// hot reads the connection's hot row as it stands, past all hooks.
func (h *house) hot(cookie secret.String) *store.Hot {
	h.t.Helper()
	key := store.HotKey(connectionOf(cookie))
	rows, err := h.rows.Read(context.Background(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	hot, _ := rows[key].(*store.Hot)
	if hot == nil {
		h.t.Fatal("there is no hot row")
	}
	return hot
}

// edit changes the hot row as another writer would.
func (h *house) edit(cookie secret.String, change func(*store.Hot)) {
	h.t.Helper()
	hot := h.hot(cookie)
	rev := hot.Rev
	change(hot)
	if err := h.rows.Write(context.Background(), store.Put(hot, rev, "another")); err != nil {
		h.t.Fatal(err)
	}
}

// inRequest runs f while Asana has the next request of the grant type in hand.
func (h *house) inRequest(grant string, f func()) {
	h.asana.Inject(asanatest.Fault{GrantType: grant, Before: func(*http.Request) { f() }})
}

func (h *house) refreshes() int { return h.asana.CountRequests("refresh_token") }

// expire lets the access token run out, but for two seconds that are of no use
// to anybody. (After an hour a session's idle end would be moved, too.)
func (h *house) expire() { h.t.Helper(); time.Sleep(time.Hour - 2*time.Second) }

func (h *house) switches(change func(*asanatest.Switches)) {
	h.t.Helper()
	if err := h.asana.SetSwitches(change); err != nil {
		h.t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind asanaauth.ErrorKind) {
	t.Helper()
	if err == nil || asanaauth.KindOf(err) != kind {
		t.Fatalf("got error %v, want %s", err, kind)
	}
}

func wantCount(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %d, want %d", what, got, want)
	}
}

type secretsManager struct {
	mu     sync.Mutex
	values []string
	err    error
	calls  int
}

func (s *secretsManager) set(err error, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values, s.err = values, err
}

func (s *secretsManager) ClientSecrets(context.Context) ([]secret.String, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	var out []secret.String
	for _, v := range s.values {
		out = append(out, secret.New(v))
	}
	return out, s.err
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

// says reports how many lines have the attribute.
func (l *logBuffer) says(name, value string) int {
	return strings.Count(l.String(), `"`+name+`":"`+value+`"`)
}

var errAway = errors.Join(store.ErrUnavailable, errors.New("the table is away"))

// rotateKey makes a new data key primary, as maintenance will, and returns it.
func (h *house) rotateKey() uint32 {
	h.t.Helper()
	ctx := context.Background()
	rows, err := h.rows.Read(ctx, store.KeyringKey)
	if err != nil {
		h.t.Fatal(err)
	}
	row := rows[store.KeyringKey].(*store.Keyring)
	encctx := seal.Context("house")
	plain, err := h.kms.Wrapper.Unwrap(ctx, row.Wrapped, row.KMSKey, encctx)
	if err != nil {
		h.t.Fatal(err)
	}
	ring, err := seal.ParseRing("house", plain)
	if err != nil {
		h.t.Fatal(err)
	}
	if ring, err = ring.Rotate(rand.Reader, time.Now()); err != nil {
		h.t.Fatal(err)
	}
	rev := row.Rev
	if row.Wrapped, row.KMSKey, err = h.kms.Wrapper.Wrap(ctx, ring.Bytes(), encctx); err != nil {
		h.t.Fatal(err)
	}
	if err := h.rows.Write(ctx, store.Put(row, rev, "maintenance")); err != nil {
		h.t.Fatal(err)
	}
	return ring.Primary()
}

// saysAlso is says for attributes that are no strings.
func (l *logBuffer) saysAlso(name, value string) int {
	return strings.Count(l.String(), `"`+name+`":`+value)
}

// wiretap notes the refresh tokens that Asana gives out.
type wiretap struct {
	next http.RoundTripper

	mu     sync.Mutex
	tokens []string
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &tokens) == nil && tokens.Refresh != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tokens = append(w.tokens, tokens.Refresh)
	}
	return answer, err
}

// seen are the refresh tokens given out so far.
func (w *wiretap) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.tokens...)
}

// liveTokens counts the refresh tokens ever given out that Asana still takes.
func (h *house) liveTokens() int {
	h.t.Helper()
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	live := 0
	for _, token := range h.wire.tokens {
		answer, err := h.asana.Client().PostForm(asanaURL+"/-/token_info", url.Values{"token": {token}})
		if err != nil {
			h.t.Fatal(err)
		}
		var info struct{ Active bool }
		if err := json.NewDecoder(answer.Body).Decode(&info); err != nil {
			h.t.Fatal(err)
		}
		if info.Active {
			live++
		}
	}
	return live
}
