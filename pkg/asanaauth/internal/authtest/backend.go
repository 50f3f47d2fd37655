package authtest

import (
	"context"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// Backend is the caller's name in audit lines for calls that a backend makes.
const Backend = "arn:aws:iam::111122223333:role/backend"

// BackendContext returns a context whose caller is [Backend].
func BackendContext() context.Context { return asanaauth.WithCaller(context.Background(), Backend) }

// Links returns a link.Links whose links request the given scopes.
func (p *Process) Links(scopes string) *link.Links {
	p.t().Helper()
	s := p.Settings
	l, err := link.New(link.Config{
		Store: s.Store, AuthorizeURL: AuthorizeURL, ReturnURLs: []string{ReturnURL, OtherReturnURL}, Scopes: scopes,
		Clock: s.Clock, Rand: s.Rand,
	})
	if err != nil {
		p.t().Fatal(err)
	}
	return l
}

// Link makes a link. It returns the link's token, which is part of the link's URL.
func (p *Process) Link(r link.Request) string {
	p.t().Helper()
	l, err := p.Links(p.Settings.Scopes).Create(BackendContext(), r)
	if err != nil {
		p.t().Fatalf("making a link: %v", err)
	}
	return LinkToken(p.t(), l)
}

// LinkToken returns the token in a link's URL.
func LinkToken(t testing.TB, l link.Link) string {
	t.Helper()
	return Query(t, l.URL.Reveal()).Get("link")
}

// BeginAt begins an attempt with a link. The parameter is the link's token, as Link
// returns it.
func (p *Process) BeginAt(link string) login.Attempt {
	p.t().Helper()
	attempt, err := p.Authorizer.Authorize(context.Background(), login.AuthorizeRequest{Link: link})
	if err != nil {
		p.t().Fatalf("beginning at a link: %v", err)
	}
	return attempt
}

// Follow opens a link in a browser, lets the person allow the app on Asana's consent
// screen, and returns the connect code. The first parameter is the link's token.
func (p *Process) Follow(link, person string) secret.String {
	p.t().Helper()
	out, err := p.Callback(p.Answer(p.BeginAt(link), person))
	if err != nil {
		p.t().Fatalf("following a link: %v", err)
	}
	if out.ConnectCode.IsZero() || !out.Session.IsZero() {
		p.t().Fatalf("got a connect code: %v, got a session: %v; want only a connect code", !out.ConnectCode.IsZero(), !out.Session.IsZero())
	}
	return out.ConnectCode
}

// Redeem redeems a connect code in the name of the caller [Backend].
func (p *Process) Redeem(code secret.String, owner, person string) (link.Redeemed, error) {
	return p.ConnectCodes.Redeem(BackendContext(), link.RedeemRequest{Code: code, Owner: owner, Person: person})
}

// Connect connects a person's Asana account for an owner: it makes a link, follows it as
// the person, and redeems the connect code.
func (p *Process) Connect(owner, person string) asanaauth.Details {
	p.t().Helper()
	d, err := p.Redeem(p.Follow(p.Link(link.Request{Owner: owner}), person), owner, "")
	if err != nil {
		p.t().Fatalf("redeeming: %v", err)
	}
	return d.Details
}

// Import imports a credential in the name of the caller [Backend].
func (p *Process) Import(r connection.ImportRequest) (connection.Imported, error) {
	return p.Connections.Import(BackendContext(), r)
}

// ImportToken imports a long-lived token of the Asana user gid: a service account's token
// if gid is a service account, and otherwise a personal access token. ImportToken returns
// the connection's details and the token.
func (p *Process) ImportToken(owner, gid string) (asanaauth.Details, secret.String) {
	p.t().Helper()
	kind, value := asanaauth.PersonalAccessToken, p.Installation.Asana.PersonalAccessToken(gid)
	if value == "" {
		kind, value = asanaauth.ServiceAccount, p.Installation.Asana.ServiceAccountToken(gid)
	}
	got, err := p.Import(connection.ImportRequest{Owner: owner, Kind: kind, Token: secret.New(value)})
	if err != nil {
		p.t().Fatalf("importing: %v", err)
	}
	return got.Details, secret.New(value)
}

// Grant returns a person's refresh token, which a test can import. To get the token, the
// person signs in to a different installation that uses the same Asana app.
func (inst *Installation) Grant(person string) secret.String {
	inst.T.Helper()
	elsewhere := New(inst.T)
	elsewhere.UseAsana(inst.Asana)
	elsewhere.Process().SignIn(person)
	return secret.New(elsewhere.Wire.Seen()[0])
}

// Open returns the connection with the given ID, in the name of the caller [Backend].
func (p *Process) Open(id string) *connection.Connection {
	p.t().Helper()
	conn, err := p.Connections.Open(BackendContext(), connection.Ref{ID: id})
	if err != nil {
		p.t().Fatalf("opening: %v", err)
	}
	return conn
}

// TokenOf returns an access token for the connection with the given ID, in the name of
// the caller [Backend].
func (p *Process) TokenOf(id string, r token.Request) (token.Token, error) {
	conn, err := p.Connections.Open(BackendContext(), connection.Ref{ID: id})
	if err != nil {
		return token.Token{}, err
	}
	return p.Tokens.Token(BackendContext(), conn, r)
}
