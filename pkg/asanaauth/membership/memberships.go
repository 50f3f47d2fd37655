// Package membership reports people's licenses in Asana, and what a credential can do.
//
// A person with a view-only license cannot write through the API. With [Memberships.In]
// and [Membership.CanWrite], an app can find this out before a write fails. What Asana
// reports about a membership depends on the token, so each [Flag] is yes, no, or unknown
// with a reason.
//
// A service account can be the reader of workspaces ([Memberships.SetReaderOf]). If a
// person's own token is not allowed to read the person's membership, the reader's token
// is used instead. The package caches responses in memory for five minutes.
package membership

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/accesstoken"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Config configures [Memberships]. The packages that a program uses can share one Store,
// one Keyring, one asana.Client and one Secrets.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required, to refresh tokens
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // for audit lines and alarms; nil: nothing is logged
}

// Memberships reports memberships and capabilities. The methods of Memberships are safe
// for concurrent use.
type Memberships struct {
	rows   *row.Rows
	asana  *asana.Client
	source *accesstoken.Source
	cache  cache
}

// New returns a Memberships, or an error that names every missing field of c.
func New(c Config) (*Memberships, error) {
	r, err := refresher.New(refresher.Config{
		Store: c.Store, Keys: c.Keys, Asana: c.Asana, Secrets: c.Secrets, Clock: c.Clock, Rand: c.Rand, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Memberships{rows: r.Rows(), asana: c.Asana, source: accesstoken.New(r)}, nil
}

// List returns the memberships of an Asana user. user is a gid, or empty for the
// connection's own user.
//
// For the connection's own user, List returns one membership for each workspace that the
// connection's token can read. If Asana does not report for that token whether the user
// can write in a workspace, List also uses the token of the workspace's reader. If this
// request fails, the flags stay unknown, and List returns no error. For another user, List
// uses no reader, and it omits workspaces that the user is not a member of.
//
// If Asana refuses to report memberships, all flags are unknown. If it also refuses to list
// the workspaces, List returns Misconfigured.
//
// Errors: InvalidRequest if user is not a gid; NotFound if Asana does not know the user;
// Unauthenticated if the session that opened the connection has ended; ReconnectRequired,
// TryAgain, AsanaUnavailable, Misconfigured, Internal.
func (m *Memberships) List(ctx context.Context, conn *connection.Connection, user string) ([]Membership, error) {
	return m.list(ctx, conn, request{user: user, maxAge: cacheTTL})
}

// In returns a user's membership in one workspace. user is a gid, or empty for the
// connection's own user.
//
// If Asana refuses to list the workspaces of the connection's token and to report
// memberships, In returns a membership whose flags are all unknown, and whose workspace has
// no name.
//
// Errors: InvalidRequest if workspace or user is not a gid; NotFound if the connection's
// token cannot read the workspace, or Asana reports no membership; otherwise the errors
// of List.
func (m *Memberships) In(ctx context.Context, conn *connection.Connection, workspace, user string) (Membership, error) {
	if !asana.IsGID(workspace) {
		return Membership{}, row.InvalidRequest("workspace must be a gid, a string of digits.")
	}
	list, err := m.list(ctx, conn, request{workspace: workspace, user: user, maxAge: cacheTTL})
	switch {
	case err != nil:
		return Membership{}, err
	case len(list) == 0:
		return Membership{}, &asanaauth.Error{
			Kind:   asanaauth.NotFound,
			Detail: "workspace is not a workspace that the connection's token can read, or the user is not a member of it.",
		}
	}
	return list[0], nil
}

// list returns the memberships that r selects. It uses only the readers of the workspaces
// in its result.
func (m *Memberships) list(ctx context.Context, conn *connection.Connection, r request) ([]Membership, error) {
	if r.user != "" && !asana.IsGID(r.user) {
		return nil, row.InvalidRequest("user must be a gid, a string of digits.")
	}
	o := row.Unwrap(conn)
	switch {
	case o.Hot.Status != row.Active:
		return nil, row.ReconnectRequired(o.Hot.Status)
	case !o.IsConsistent():
		return nil, row.ErrInconsistentRead
	}
	ctx, cancel := m.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	own := o.Hot.AsanaGID
	if r.user == "" {
		r.user = own
	}
	list, err := m.cached(ctx, conn, cacheKey{connection: consentOf(conn), user: r.user}, r.maxAge,
		func(ctx context.Context, access secret.String) ([]Membership, error) {
			return m.fetch(ctx, access, r.user, own)
		})
	if refused, ok := errors.AsType[*refusedList](err); ok && r.workspace != "" {
		return []Membership{membershipIn(asana.Workspace{GID: r.workspace}, r.user, nil, refused.reason, m.rows.Now())}, nil
	}
	if r.workspace != "" {
		list = slices.DeleteFunc(list, func(in Membership) bool { return in.Workspace.GID != r.workspace })
	}
	if err != nil || r.user != own {
		return list, err
	}
	return m.fillFromReaders(ctx, conn, list, r)
}

// fetch requests the workspaces that the token can read, and the user's memberships in
// those workspaces. If Asana refuses to list the workspaces, fetch returns the workspaces
// of the memberships. own is the gid of the token's user.
func (m *Memberships) fetch(ctx context.Context, access secret.String, user, own string) ([]Membership, error) {
	workspaces, refusal := m.asana.Workspaces(ctx, access)
	if refusal != nil && !requests.IsRefusal(refusal) {
		return nil, requests.ErrorOf(fmt.Errorf("listing workspaces: %w", refusal))
	}
	reported, err := m.asana.Memberships(ctx, access, user)
	if user != own && requests.IsStatus(err, http.StatusNotFound) {
		return nil, &asanaauth.Error{Kind: asanaauth.NotFound, Detail: "user is not an Asana user that the connection's token can read.", Err: err}
	}
	reason, err := unknownReason(err)
	if err != nil {
		return nil, requests.ErrorOf(fmt.Errorf("listing memberships: %w", err))
	}
	if refusal != nil {
		for _, r := range reported {
			workspaces = append(workspaces, r.Workspace)
		}
		if len(workspaces) == 0 { // an empty list would look like a person without workspaces
			if reason == NotReported {
				reason = NotAllowed
			}
			return nil, cannotList(refusal, reason)
		}
	}
	now := m.rows.Now()
	list := make([]Membership, 0, len(workspaces))
	for _, w := range workspaces {
		i := slices.IndexFunc(reported, func(r asana.Membership) bool { return r.Workspace.GID == w.GID })
		switch {
		case i >= 0:
			list = append(list, membershipIn(w, user, &reported[i], "", now))
		case user == own || reason != NotReported:
			list = append(list, membershipIn(w, user, nil, reason, now))
		}
	}
	return list, nil
}

// unknownReason returns why a flag is unknown if it is not in Asana's response. err is
// the result of the request for memberships. If err is neither nil nor a refusal,
// unknownReason returns err unchanged.
func unknownReason(err error) (string, error) {
	var response *asana.Error
	switch {
	case err == nil:
		return NotReported, nil
	case !requests.IsRefusal(err):
		return "", err
	case errors.As(err, &response) && response.Code == asana.FullPermissionsRequired:
		return FullPermissionsRequired, nil
	}
	return NotAllowed, nil
}

// refusedList means that Asana refused to list the workspaces of a token. reason is why
// the flags of a membership in one of the workspaces are unknown.
type refusedList struct {
	reason string
	err    error
}

func (e *refusedList) Error() string { return "listing workspaces: " + e.err.Error() }
func (e *refusedList) Unwrap() error { return e.err }

// cannotList returns the error for a list of workspaces that Asana refused. The error does
// not look like an outage, because repeating the request does not help.
func cannotList(refusal error, reason string) error {
	return &asanaauth.Error{
		Kind: asanaauth.Misconfigured, Err: &refusedList{reason, refusal},
		Detail: "Asana does not allow this token to list workspaces. Add the scope workspaces:read, then connect again.",
	}
}
