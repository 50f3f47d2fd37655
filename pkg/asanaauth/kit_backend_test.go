package asanaauth_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// backend is who asks in the tests of what backends do.
const backend = "arn:aws:iam::111122223333:role/backend"

// links makes links as the function connections does.
func (p *process) links(scopes string) *asanaauth.Links {
	p.h.t.Helper()
	l, err := asanaauth.NewLinks(p.conns.Parts, asanaauth.LinksOptions{
		AuthorizeURL: "https://auth.example.com/authorize", ReturnURLs: []string{returnURL, otherReturn}, Scopes: scopes,
	})
	if err != nil {
		p.h.t.Fatal(err)
	}
	return l
}

const otherReturn = "https://app.example.com/other"

// link makes a link and returns what its URL says.
func (p *process) link(r asanaauth.LinkRequest) string {
	p.h.t.Helper()
	l, err := p.links(p.scopes).Create(context.Background(), r)
	if err != nil {
		p.h.t.Fatalf("making a link: %v", err)
	}
	return linkOf(p.h.t, l)
}

func linkOf(t *testing.T, l asanaauth.Link) string {
	t.Helper()
	u, err := url.Parse(l.URL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("link")
}

// follow goes from a link to Asana and back, as the person there, and returns the
// connect code.
func (p *process) follow(link, person string) secret.String {
	p.h.t.Helper()
	finished, err := p.finish(p.answer(p.beginAt(link), person))
	if err != nil {
		p.h.t.Fatalf("following a link: %v", err)
	}
	if finished.ConnectCode.IsZero() || !finished.Session.IsZero() {
		p.h.t.Fatalf("a connect code: %v, a session: %v", !finished.ConnectCode.IsZero(), !finished.Session.IsZero())
	}
	return finished.ConnectCode
}

func (p *process) beginAt(link string) asanaauth.Begun {
	p.h.t.Helper()
	begun, err := p.login.Begin(context.Background(), asanaauth.BeginRequest{Link: link})
	if err != nil {
		p.h.t.Fatalf("beginning at a link: %v", err)
	}
	return begun
}

func (p *process) redeem(code secret.String, owner, person string) (asanaauth.Details, error) {
	return p.conns.Redeem(context.Background(), asanaauth.RedeemRequest{Code: code, Owner: owner, Person: person}, backend)
}

// connect makes a connection of an owner, by a link.
func (p *process) connect(owner, person string) asanaauth.Details {
	p.h.t.Helper()
	d, err := p.redeem(p.follow(p.link(asanaauth.LinkRequest{Owner: owner}), person), owner, "")
	if err != nil {
		p.h.t.Fatalf("redeeming: %v", err)
	}
	return d
}

// importToken imports a long-lived token of a person, or of a service account.
func (p *process) importToken(owner, gid string) (asanaauth.Details, secret.String) {
	p.h.t.Helper()
	kind, value := store.PersonalAccessToken, p.h.asana.PersonalAccessToken(gid)
	if value == "" {
		kind, value = store.ServiceAccount, p.h.asana.ServiceAccountToken(gid)
	}
	got, err := p.importOf(asanaauth.ImportRequest{Owner: owner, Kind: kind, Token: secret.New(value)})
	if err != nil {
		p.h.t.Fatalf("importing: %v", err)
	}
	return got.Details, secret.New(value)
}

func (p *process) importOf(r asanaauth.ImportRequest) (asanaauth.Imported, error) {
	return p.conns.Import(context.Background(), r, backend)
}

// grant is a refresh token that a person gave to our app elsewhere.
func (h *house) grant(person string) secret.String {
	h.t.Helper()
	elsewhere := newHouse(h.t)
	elsewhere.asana, elsewhere.wire.next = h.asana, h.asana.Transport()
	elsewhere.process().signIn(person)
	return secret.New(elsewhere.wire.tokens[0])
}

// opened opens a connection as a backend does.
func (p *process) opened(id string) *asanaauth.Connection {
	p.h.t.Helper()
	conn, err := p.conns.Open(context.Background(), asanaauth.Ref{ID: id}, backend)
	if err != nil {
		p.h.t.Fatalf("opening: %v", err)
	}
	return conn
}

// tokenOf asks for a token as a backend does: the connection first.
func (p *process) tokenOf(id string, r asanaauth.TokenRequest) (asanaauth.Token, error) {
	conn, err := p.conns.Open(context.Background(), asanaauth.Ref{ID: id}, backend)
	if err != nil {
		return asanaauth.Token{}, err
	}
	return p.conns.TokenOf(context.Background(), conn, r)
}

// hotOf reads a connection's hot row as it stands, past all hooks.
func (h *house) hotOf(id string) *store.Hot { h.t.Helper(); return h.hot(secret.New(id + ".")) }

// editOf changes a connection's hot row as another writer would.
func (h *house) editOf(id string, change func(*store.Hot)) {
	h.t.Helper()
	h.edit(secret.New(id+"."), change)
}
