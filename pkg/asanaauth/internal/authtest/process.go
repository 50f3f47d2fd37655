package authtest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// Settings contains the settings of one process. A Lambda function reads such settings
// from environment variables. A test can also replace parts of the process: its store,
// transport, clock, random source and log.
type Settings struct {
	ClientID     string
	ResponseType string
	Scopes       string
	SessionTTL   time.Duration
	IdleTTL      time.Duration
	KeyTTL       time.Duration
	Joined       bool // whether callers in the process share one refresh
	LinksOnly    bool
	ReturnURLs   []string
	Store        store.Store
	Transport    http.RoundTripper
	Clock        asanaauth.Clock
	Rand         io.Reader
	Log          slog.Handler
}

// OpenIDScopes are the scopes that make Asana return ID tokens and a profile.
const OpenIDScopes = "default openid email profile"

// WithOpenID sets the scopes to OpenIDScopes. It is an argument for
// [Installation.Process].
func WithOpenID(s *Settings) { s.Scopes = OpenIDScopes }

// Process stands for one operating system process of an installation, for example a
// Lambda sandbox.
type Process struct {
	Installation *Installation
	Settings     Settings

	Keys         *keyring.Keyring
	Authorizer   *login.Authorizer
	Receiver     *login.Receiver
	Sessions     *session.Sessions
	SessionCodes *session.Redeemer
	Tokens       *token.Tokens
	Connections  *connection.Connections
	Memberships  *membership.Memberships
	ConnectCodes *link.Redeemer
}

// Process starts a process. The functions in change can modify the process's settings.
func (inst *Installation) Process(change ...func(*Settings)) *Process {
	inst.T.Helper()
	s := Settings{
		ClientID: ClientID, Scopes: "default", SessionTTL: 720 * time.Hour, IdleTTL: 168 * time.Hour,
		KeyTTL: 5 * time.Minute, ReturnURLs: []string{ReturnURL}, Store: inst.Table, Transport: inst.Wire,
		Clock: asanaauth.SystemClock{}, Log: slog.NewJSONHandler(inst.Log, nil),
	}
	for _, c := range change {
		c(&s)
	}
	client, err := asana.New(asana.Config{BaseURL: AsanaURL, ClientID: s.ClientID, Transport: s.Transport})
	if err != nil {
		inst.T.Fatal(err)
	}
	p := &Process{Installation: inst, Settings: s}
	p.wire(client, slog.New(s.Log))
	return p
}

func (p *Process) wire(client *asana.Client, log *slog.Logger) {
	p.Installation.T.Helper()
	s := p.Settings
	secrets, err1 := clientsecret.New(clientsecret.Config{Source: p.Installation.Secrets, Now: s.Clock.Now})
	var errs [10]error
	p.Keys, errs[0] = keyring.New(keyring.Config{
		Store: s.Store, Wrapper: p.Installation.KMS, Installation: Name, TTL: s.KeyTTL, Now: s.Clock.Now, Rand: s.Rand, Log: log,
	})
	p.Authorizer, errs[1] = login.NewAuthorizer(login.AuthorizerConfig{
		Store: s.Store, Asana: client, RedirectURI: RedirectURI, ReturnURLs: s.ReturnURLs, Scopes: s.Scopes,
		ResponseType: s.ResponseType, LinksOnly: s.LinksOnly, Clock: s.Clock, Rand: s.Rand, Log: log,
	})
	p.Receiver, errs[2] = login.NewReceiver(login.ReceiverConfig{
		Store: s.Store, Keys: p.Keys, Asana: client, Secrets: secrets, ReturnURLs: s.ReturnURLs, ResponseType: s.ResponseType,
		SessionTTL: s.SessionTTL, SessionIdleTTL: s.IdleTTL, Clock: s.Clock, Rand: s.Rand, Log: log,
	})
	sessions := session.Config{Store: s.Store, Keys: p.Keys, Clock: s.Clock, Rand: s.Rand, Log: log}
	p.Sessions, errs[3] = session.New(sessions)
	p.SessionCodes, errs[4] = session.NewRedeemer(sessions)
	p.Tokens, errs[5] = token.New(token.Config{
		Store: s.Store, Keys: p.Keys, Asana: client, Secrets: secrets, Alone: !s.Joined, Clock: s.Clock, Rand: s.Rand, Log: log,
	})
	p.Connections, errs[6] = connection.New(connection.Config{
		Store: s.Store, Keys: p.Keys, Asana: client, Secrets: secrets, Clock: s.Clock, Rand: s.Rand, Log: log,
	})
	p.Memberships, errs[7] = membership.New(membership.Config{
		Store: s.Store, Keys: p.Keys, Asana: client, Secrets: secrets, Clock: s.Clock, Rand: s.Rand, Log: log,
	})
	p.ConnectCodes, errs[8] = link.NewRedeemer(link.RedeemerConfig{Store: s.Store, Keys: p.Keys, Clock: s.Clock, Rand: s.Rand, Log: log})
	errs[9] = err1
	if err := errors.Join(errs[:]...); err != nil {
		p.Installation.T.Fatal(err)
	}
}

func (p *Process) t() testing.TB { return p.Installation.T }

// Begin begins an attempt without a link.
func (p *Process) Begin() login.Attempt {
	p.t().Helper()
	attempt, err := p.Authorizer.Authorize(context.Background(), login.AuthorizeRequest{})
	if err != nil {
		p.t().Fatal(err)
	}
	return attempt
}

// Answer opens Asana's consent screen as a person who allows or denies the app, and
// returns the parameters of the request to /callback that the browser then sends.
func (p *Process) Answer(attempt login.Attempt, person string) login.CallbackRequest {
	p.t().Helper()
	back, err := p.Installation.Asana.Authorize(context.Background(), attempt.URL, person)
	if err != nil {
		p.t().Fatal(err)
	}
	return ParseAnswer(p.t(), back, attempt)
}

// ParseAnswer returns the parameters of the request to /callback. back is the URL to
// which Asana redirected the browser.
func ParseAnswer(t testing.TB, back string, attempt login.Attempt) login.CallbackRequest {
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
	return login.CallbackRequest{
		State: q.Get("state"), Browser: attempt.Browser, Code: secret.New(q.Get("code")),
		IDToken: secret.New(q.Get("id_token")), Issuer: q.Get("iss"), Error: q.Get("error"),
	}
}

// Query returns the parsed query parameters of the URL raw.
func Query(t testing.TB, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// Callback passes the parameters of a request to /callback to package login, which
// finishes the attempt.
func (p *Process) Callback(r login.CallbackRequest) (login.Outcome, error) {
	return p.Receiver.Callback(context.Background(), r)
}

// SignIn signs a person in and returns the session's cookie value.
func (p *Process) SignIn(person string) secret.String {
	p.t().Helper()
	out, err := p.Callback(p.Answer(p.Begin(), person))
	if err != nil {
		p.t().Fatalf("signing in: %v", err)
	}
	return out.Session
}

// Session returns the session to which a cookie value belongs.
func (p *Process) Session(cookie secret.String) *session.Session {
	p.t().Helper()
	s, err := p.Sessions.Open(context.Background(), cookie)
	if err != nil {
		p.t().Fatalf("opening the session: %v", err)
	}
	return s
}

// Ask requests the access token of the session's connection, as a frontend does.
func (p *Process) Ask(ctx context.Context, cookie secret.String, r token.Request) (token.Token, error) {
	s, err := p.Sessions.Open(ctx, cookie)
	if err != nil {
		return token.Token{}, err
	}
	return p.Tokens.Token(ctx, s.Connection(), r)
}

// Token is like Ask, but sets only the MinTTL of the request.
func (p *Process) Token(cookie secret.String, minTTL time.Duration) (token.Token, error) {
	return p.Ask(context.Background(), cookie, token.Request{MinTTL: minTTL})
}

// MustToken is like Token, but fails the test if Token returns an error.
func (p *Process) MustToken(cookie secret.String, minTTL time.Duration) token.Token {
	p.t().Helper()
	got, err := p.Token(cookie, minTTL)
	if err != nil {
		p.t().Fatalf("getting a token: %v", err)
	}
	return got
}

// Refused reports a token as refused by Asana, and returns the new token.
func (p *Process) Refused(cookie secret.String, refused token.Token) (token.Token, error) {
	return p.Ask(context.Background(), cookie, token.Request{Refused: refused.Access})
}

// Disconnect disconnects the session's connection, as a frontend does.
func (p *Process) Disconnect(cookie secret.String) (connection.Disconnection, error) {
	ctx := context.Background()
	s, err := p.Sessions.Open(ctx, cookie)
	if err != nil {
		return connection.Disconnection{}, err
	}
	return p.Sessions.Disconnect(ctx, s, p.Connections)
}

// Members returns the workspace memberships of the person to whom the session belongs.
func (p *Process) Members(cookie secret.String) ([]membership.Membership, error) {
	s, err := p.Sessions.Open(context.Background(), cookie)
	if err != nil {
		return nil, err
	}
	return p.Memberships.List(context.Background(), s.Connection(), "")
}

// ConnectionOf returns the ID of the session's connection, which is the first part of the
// cookie value.
func ConnectionOf(cookie secret.String) string {
	id, _, _ := strings.Cut(cookie.Reveal(), ".")
	return id
}
