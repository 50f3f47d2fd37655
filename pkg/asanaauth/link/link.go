// Package link makes links and redeems connect codes.
//
// A link is an invitation that a backend makes for one of its own users ([Links.Create]).
// The user follows the link to Asana's consent screen, and returns to the app with a
// connect code. The user's consent is stored, sealed, in the link's row. The connection
// is made only when the backend redeems the code ([Redeemer.Redeem]). To redeem the code,
// the backend must name the link's owner. The backend must take this owner from its own
// session with the user who brings the code. Therefore, if a link is forwarded to a
// different person, that person's Asana account is not connected to the link's owner.
//
// [Links] does not need the keyring. Package login handles the requests of the browser
// that follows a link.
package link

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const (
	linkTTL = 30 * time.Minute
	heldTTL = 10 * time.Minute // how long the backend can redeem a consent
)

// Config configures [Links]. AuthorizeURL, ReturnURLs and Scopes must match the settings
// of the deployment's Lambda functions.
type Config struct {
	Store        store.Store     // required
	AuthorizeURL string          // the URL of links: PUBLIC_URL + "/authorize"; required
	ReturnURLs   []string        // compared as exact strings; the first is the default; required
	Scopes       string          // the scopes that the app is registered for, separated by spaces; required
	Clock        asanaauth.Clock // nil: asanaauth.SystemClock
	Rand         io.Reader       // nil: crypto/rand.Reader
	Log          *slog.Logger    // for audit lines; nil: nothing is logged
}

// Links makes links for a backend. The methods of Links are safe for concurrent use.
type Links struct {
	table        *row.Table
	authorizeURL string
	returnURLs   []string
	scopes       string
}

// New returns a Links, or an error that names every missing field of c.
func New(c Config) (*Links, error) {
	table, err := row.NewTable(row.TableConfig{Store: c.Store, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	err = errors.Join(err, row.Missing(c.AuthorizeURL == "", "AuthorizeURL"),
		row.Missing(len(c.ReturnURLs) == 0, "ReturnURLs"), row.Missing(c.Scopes == "", "Scopes"))
	if err != nil {
		return nil, err
	}
	return &Links{table, c.AuthorizeURL, slices.Clone(c.ReturnURLs), c.Scopes}, nil
}

// Request describes a link. Only Owner is required.
type Request struct {
	// Owner is the owner of the connection to be made: 1 to 256 bytes of UTF-8 without
	// control characters. Owner must not begin with "asana:", because the owner of a
	// connection that a sign-in creates begins with "asana:".
	Owner string
	// Person is the backend's own name for the person who is signed in to its app: 1 to
	// 256 bytes, like Owner. Set Person if several people can share an owner. The redeem
	// request must name the same person. The table contains only a hash of the name.
	Person    string
	ReturnTo  string // one of Config.ReturnURLs; empty: the first of them
	Scopes    string // a subset of Config.Scopes, separated by single spaces; empty: all of them
	AsanaUser string // the gid of the only Asana user that may connect; empty: any user
}

// Link is an invitation. A link is valid until its connect code is redeemed, but not
// longer than 30 minutes after [Links.Create].
type Link struct {
	URL secret.String // the URL to send the person's browser to; anyone who has the URL can follow it
	End time.Time     // when the link expires
}

// Create makes a link. The connection is made later, when the backend redeems the connect
// code ([Redeemer.Redeem]).
//
// Errors: InvalidRequest if a field of r is not valid; TryAgain; Internal.
func (l *Links) Create(ctx context.Context, r Request) (Link, error) {
	next, err := l.newRow(r)
	if err != nil {
		return Link{}, err
	}
	token, err := l.table.RandomToken()
	if err != nil {
		return Link{}, err
	}
	next.Token = store.HashText(token)
	if err := l.table.Insert(ctx, "the link", next); err != nil {
		return Link{}, err
	}
	l.table.AuditOwner(ctx, row.AuditLinkCreated, asanaauth.CallerOf(ctx), next.Owner)
	return Link{URL: secret.New(l.authorizeURL + "?" + url.Values{"link": {token}}.Encode()), End: next.End}, nil
}

// newRow returns the row of a new link, without its Token.
func (l *Links) newRow(r Request) (*store.Link, error) {
	if err := row.CheckNewOwner(r.Owner); err != nil {
		return nil, err
	}
	if r.ReturnTo == "" {
		r.ReturnTo = l.returnURLs[0]
	}
	switch {
	case !slices.Contains(l.returnURLs, r.ReturnTo):
		return nil, row.ErrReturnTo
	case r.AsanaUser != "" && !asana.IsGID(r.AsanaUser):
		return nil, row.InvalidRequest("asana_user must be a gid, a string of digits.")
	}
	scopes, err := l.subset(r.Scopes)
	if err != nil {
		return nil, err
	}
	person, err := personHash(r.Person)
	if err != nil {
		return nil, err
	}
	end := l.table.Now().Add(linkTTL)
	return &store.Link{
		Owner:     store.HashText(r.Owner),
		Person:    person,
		ReturnURL: r.ReturnTo,
		Scopes:    scopes,
		AsanaGID:  r.AsanaUser,
		End:       end,
		// A person can follow the link just before End. The row must then stay until the
		// attempt ends (AttemptTTL), its callback ends (CallerTime), and the connect code
		// expires (heldTTL).
		Keep: end.Add(row.AttemptTTL + row.CallerTime + heldTTL),
	}, nil
}

// personHash returns the hash of a person's name, or zero if name is empty.
func personHash(name string) (store.Hash, error) {
	if name == "" {
		return store.Hash{}, nil
	}
	return store.HashText(name), row.CheckPerson(name)
}

// subset returns the requested scopes, or all of the app's scopes if requested is empty.
// It returns an error if the app does not have one of the requested scopes.
func (l *Links) subset(requested string) (string, error) {
	if requested == "" {
		return l.scopes, nil
	}
	words := strings.Split(requested, " ")
	for i, scope := range words {
		if !slices.Contains(strings.Fields(l.scopes), scope) || slices.Contains(words[:i], scope) {
			return "", row.InvalidRequest("scopes must be a subset of ASANA_SCOPES, separated by single spaces, without duplicates.")
		}
	}
	return requested, nil
}

// Find returns a link's row if a browser can still follow the link. Package login calls
// Find.
//
// Errors: LinkExpired if the link is unknown, redeemed or expired; TryAgain; Internal.
func Find(ctx context.Context, table *row.Table, token string) (*store.Link, error) {
	found, err := find(ctx, table, store.LinkKey(store.HashText(token)))
	if err == nil && !table.Now().Before(found.End) {
		return nil, row.ErrLinkExpired
	}
	return found, err
}

// find returns LinkExpired for both an unknown link and a redeemed link, so that a caller
// cannot find out whether the link exists.
func find(ctx context.Context, table *row.Table, key store.Key) (*store.Link, error) {
	rows, err := table.Read(ctx, "the link", key)
	if err != nil {
		return nil, err
	}
	return unspent(row.Get[*store.Link](rows, key))
}

func unspent(found *store.Link) (*store.Link, error) {
	if found == nil || found.Spent {
		return nil, row.ErrLinkExpired
	}
	return found, nil
}
