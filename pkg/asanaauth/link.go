package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// LinksOptions are the settings of [Links]. All are required.
type LinksOptions struct {
	AuthorizeURL string   // where links lead: PUBLIC_URL + "/authorize"
	ReturnURLs   []string // exact; the first is the default
	Scopes       string   // space-separated, what the app is registered for
}

// Links makes links: invitations for the owners of a backend. Safe for concurrent
// use.
type Links struct {
	Parts
	o LinksOptions
}

// NewLinks returns the Links of a store; no other part is needed. It fails where
// an option is missing.
func NewLinks(p Parts, o LinksOptions) (*Links, error) {
	if p.Store == nil || o.AuthorizeURL == "" || len(o.ReturnURLs) == 0 || o.Scopes == "" {
		return nil, errors.New("asanaauth: links need a store, an authorize URL, a return URL and scopes")
	}
	return &Links{p.withDefaults(), o}, nil
}

// LinkRequest asks for a link. Only Owner is needed.
type LinkRequest struct {
	Owner string // whom the connection will belong to; not one of sign-in
	// Person is the backend's own name for who is signed in there, for owners that
	// are more than one human. Who redeems has to name it, then; it is kept as a
	// hash alone.
	Person    string
	ReturnTo  string // one of ReturnURLs
	Scopes    string // space-separated, of those in LinksOptions
	AsanaUser string // gid of the only Asana user that may connect
}

// Link is an invitation: 30 minutes, until one success.
type Link struct {
	URL secret.String // where the person is sent
	End time.Time
}

// Create makes a link. Nothing about it can be used before the backend redeems
// what came of it: see [Connections.Redeem]. Errors: InvalidRequest, TryAgain.
func (l *Links) Create(ctx context.Context, r LinkRequest) (Link, error) {
	row, err := l.row(r)
	if err != nil {
		return Link{}, err
	}
	random, err := draw(l.Rand, 32)
	if err != nil {
		return Link{}, err
	}
	writer, err := l.drawName()
	if err != nil {
		return Link{}, err
	}
	value := token(random)
	row.Token = store.HashText(value)
	if err := l.Store.Write(ctx, store.Put(row, store.Absent, writer)); err != nil {
		return Link{}, fromParts(fmt.Errorf("keeping the link: %w", err))
	}
	return Link{URL: secret.New(l.o.AuthorizeURL + "?" + url.Values{"link": {value}}.Encode()), End: row.End}, nil
}

// row is the link's row, but for its key.
func (l *Links) row(r LinkRequest) (*store.Link, error) {
	if err := checkNewOwner(r.Owner); err != nil {
		return nil, err
	}
	if r.ReturnTo == "" {
		r.ReturnTo = l.o.ReturnURLs[0]
	}
	switch {
	case !slices.Contains(l.o.ReturnURLs, r.ReturnTo):
		return nil, errReturnTo
	case r.AsanaUser != "" && !asana.IsGID(r.AsanaUser):
		return nil, &Error{Kind: InvalidRequest, Detail: "asana_user is a gid, a string of digits."}
	}
	scopes, err := l.scopes(r.Scopes)
	if err != nil {
		return nil, err
	}
	now := l.now()
	row := &store.Link{
		Owner:     store.HashText(r.Owner),
		ReturnURL: r.ReturnTo,
		Scopes:    scopes,
		AsanaGID:  r.AsanaUser,
		Created:   now,
		End:       now.Add(linkTTL),
		// An attempt may begin at the last moment, and its answer be held then.
		Keep: now.Add(linkTTL + attemptTTL + callerTime + heldTTL),
	}
	if row.Person, err = personOf(r.Person); err != nil {
		return nil, err
	}
	return row, nil
}

// personOf is the hash of a person's name; zero where none is named.
func personOf(name string) (store.Hash, error) {
	if name == "" {
		return store.Hash{}, nil
	}
	return store.HashText(name), checkName("person", name)
}

// scopes is what a link asks for: a part of what the app may, or all of it.
func (l *Links) scopes(asked string) (string, error) {
	if asked == "" {
		return l.o.Scopes, nil
	}
	words := strings.Split(asked, " ")
	for i, scope := range words {
		if !asksFor(l.o.Scopes, scope) || slices.Contains(words[:i], scope) {
			return "", &Error{Kind: InvalidRequest, Detail: "scopes are some of those that the app asks for, each once, divided by single spaces."}
		}
	}
	return asked, nil
}

var errReturnTo = &Error{Kind: InvalidRequest, Detail: "return_to is not one of the addresses that this service returns to."}

var errLinkExpired = &Error{Kind: LinkExpired}

// findLink reads a link by its key. One error for all: nobody learns whether there was
// such a link.
func findLink(ctx context.Context, p *Parts, key store.Key) (*store.Link, error) {
	rows, err := p.Store.Read(ctx, key)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading the link: %w", err))
	}
	link, _ := rows[key].(*store.Link)
	if link == nil || link.Spent {
		return nil, errLinkExpired
	}
	return link, nil
}

// follow begins a trip at a link: it says where the trip ends and what it asks for.
func (l *Login) follow(ctx context.Context, r BeginRequest) (*store.Link, error) {
	link, err := findLink(ctx, &l.Parts, store.LinkKey(store.HashText(r.Link)))
	if err != nil {
		return nil, err
	}
	switch {
	case !l.now().Before(link.End):
		return nil, errLinkExpired
	case r.ReturnTo != "" && r.ReturnTo != link.ReturnURL:
		return nil, &Error{Kind: InvalidRequest, Detail: "return_to is another one than the link's."}
	case !slices.Contains(l.o.ReturnURLs, link.ReturnURL):
		return nil, errLinkExpired // the list has changed since
	case l.UsesFragment() && !asksFor(link.Scopes, "openid"):
		return nil, &Error{Kind: InvalidRequest, Detail: "The link does not ask for openid, which this service's sign-in needs."}
	}
	return link, nil
}
