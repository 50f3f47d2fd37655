// Package link makes links and redeems connect codes.
//
// A link is an invitation that a backend makes for one of its own users ([Links.Create]).
// A person follows it to Asana's consent screen, and returns to the app with a connect
// code. Until the backend redeems the code ([Redeemer.Redeem]), the consent is held,
// sealed, in the link's row, and the connection does not exist. To redeem the code, the
// backend must name the link's owner, from its own session. So if a link is forwarded to
// another person, their Asana account is not connected to the link's owner.
//
// [Links] needs no data keys. The browser's part of the way is in package login.
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
	heldTTL = 10 * time.Minute // how long a consent is held for the backend
)

// Config configures [Links]. Its values must be those of the deployment's functions.
type Config struct {
	Store        store.Store     // required
	AuthorizeURL string          // the URL of links: PUBLIC_URL + "/authorize"; required
	ReturnURLs   []string        // compared as exact strings; the first is the default; required
	Scopes       string          // space-separated, those for which the app is registered; required
	Clock        asanaauth.Clock // nil: asanaauth.SystemClock
	Rand         io.Reader       // nil: crypto/rand.Reader
	Log          *slog.Logger    // nil: nothing is logged
}

// Links makes links. It is safe for concurrent use.
type Links struct {
	table        *row.Table
	authorizeURL string
	returnURLs   []string
	scopes       string
}

// New returns Links. The error reports every missing field.
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
	// Owner is the owner of the connection: 1 to 256 bytes of UTF-8 without control
	// characters. It must not begin with "asana:", which is reserved for sign-in.
	Owner string
	// Person is the backend's own name for the human who is signed in to its app: 1 to
	// 256 bytes, like Owner. Set it if an owner can be more than one human. The redeem
	// request must have the same person. Only a hash of it is stored.
	Person    string
	ReturnTo  string // one of Config.ReturnURLs; empty: the first
	Scopes    string // separated by single spaces, a subset of Config.Scopes; empty: all of them
	AsanaUser string // gid of the only Asana user that may connect; empty: any
}

// Link is an invitation. It is valid for 30 minutes, or until its connect code is redeemed.
type Link struct {
	URL secret.String // where to send the person's browser; anyone who has it can follow it
	End time.Time     // when the link expires
}

// Create makes a link. The connection exists only after the backend has redeemed the
// connect code; see [Redeemer].
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
	return Link{URL: secret.New(l.authorizeURL + "?" + url.Values{"link": {token}}.Encode()), End: next.End}, nil
}

// newRow returns the link's row without its key.
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
		// An attempt may begin just before End, and its consent must still be held.
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

// subset returns requested if it is a subset of the app's scopes, or all of them if it is
// empty.
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

// Find returns the row of a link that can still be followed. Package login calls it.
//
// Errors: LinkExpired if the link is unknown, spent or expired; TryAgain; Internal.
func Find(ctx context.Context, table *row.Table, token string) (*store.Link, error) {
	found, err := find(ctx, table, store.LinkKey(store.HashText(token)))
	if err == nil && !table.Now().Before(found.End) {
		return nil, row.ErrLinkExpired
	}
	return found, err
}

// find reads a link that is not spent. All failures return the same error, so a caller
// cannot learn whether the link exists.
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
