package membership

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Capabilities describes what a credential can do. If a pointer field or Workspaces is
// nil, its value is unknown, and the map Unknown contains the reason.
type Capabilities struct {
	Active         bool                // whether Asana accepts the credential
	Kind           asanaauth.Kind      // the kind of the connection's credential
	AttributedTo   *asanaauth.Identity // the Asana user in whose name the credential acts
	ScopeRequested string              // space-separated; empty for an import, which requests no scope
	ScopeGranted   *string             // space-separated
	ScopeMissing   *string             // scopes that were requested but not granted, space-separated
	Workspaces     []Membership        // the user's memberships, as [Memberships.List] returns them
	Unknown        map[string]string   // the reasons, by the field's name in the HTTP API, such as "scope_granted"
}

// Capabilities returns what the connection's credential can do. Capabilities introspects
// the credential (RFC 7662), and requests the identity and the memberships of the
// credential's user. Cached responses are not used. For a broken connection, Capabilities
// sends no request to Asana, and Active is false.
//
// Errors: ReconnectRequired if the connection is revoking or disconnected; TryAgain,
// AsanaUnavailable, Misconfigured, Internal.
func (m *Memberships) Capabilities(ctx context.Context, conn *connection.Connection) (Capabilities, error) {
	ctx, cancel := m.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	o := row.Unwrap(conn)
	switch o.Hot.Status {
	case row.Active:
	case row.Broken:
		return m.inactive(ctx, conn)
	default:
		return Capabilities{}, row.ReconnectRequired(o.Hot.Status)
	}
	if err := m.cache.checkLimit(conn.ID(), m.rows.Now()); err != nil {
		return Capabilities{}, err
	}
	access, info, err := m.source.Examine(ctx, conn)
	refused := false
	switch {
	case asanaauth.KindOf(err) == asanaauth.ReconnectRequired:
		return m.foundBroken(ctx, conn, err)
	case requests.IsRefusal(err) && !access.IsZero(): // Asana refuses to introspect this token
		info.Active, refused = true, true
	case err != nil:
		m.cache.noteLimit(conn.ID(), m.rows.Now(), err)
		return Capabilities{}, err
	case !info.Active:
		return m.inactive(ctx, conn)
	}
	can := Capabilities{Active: true, Kind: conn.Kind(), ScopeRequested: o.Cold.ScopeRequested, Unknown: map[string]string{}}
	granted := info.Scope
	if granted == "" && o.Traits.IsGrant {
		granted = o.Cold.ScopeGranted
	}
	can.setScopes(granted, refused)
	if err := m.attribute(ctx, conn, access, &can); err != nil {
		m.cache.noteLimit(conn.ID(), m.rows.Now(), err)
		return Capabilities{}, err
	}
	can.Workspaces, err = m.list(ctx, conn, request{})
	_, refused = errors.AsType[*refusedList](err)
	switch {
	case refused:
		can.Unknown["workspaces"] = NotAllowed
	case err != nil:
		return Capabilities{}, err
	}
	return can, nil
}

// foundBroken reads the connection again after Asana rejected the credential. If the
// connection is now broken, foundBroken returns the Capabilities of a rejected
// credential. Otherwise, it returns cause.
func (m *Memberships) foundBroken(ctx context.Context, conn *connection.Connection, cause error) (Capabilities, error) {
	now, err := m.rows.Open(ctx, conn.ID(), "", row.Unwrap(conn).Caller)
	if err != nil {
		return Capabilities{}, err
	}
	if row.Unwrap(now).Hot.Status != row.Broken {
		return Capabilities{}, cause
	}
	return m.inactive(ctx, now)
}

// inactive returns the Capabilities of a credential that Asana rejects.
func (m *Memberships) inactive(ctx context.Context, conn *connection.Connection) (Capabilities, error) {
	d, err := m.rows.Describe(ctx, conn)
	return Capabilities{
		Kind: conn.Kind(), AttributedTo: &d.AttributedTo, ScopeRequested: d.ScopeRequested,
		Unknown: map[string]string{"scope_granted": Inactive, "scope_missing": Inactive, "workspaces": Inactive},
	}, err
}

// setScopes sets ScopeGranted and ScopeMissing. If the granted scopes are unknown,
// granted is empty, and both fields stay nil. refused is true if Asana refused to report
// the scopes.
func (can *Capabilities) setScopes(granted string, refused bool) {
	if granted == "" {
		reason := NotReported
		if refused {
			reason = NotAllowed
		}
		can.Unknown["scope_granted"], can.Unknown["scope_missing"] = reason, reason
		return
	}
	missing := strings.Join(difference(strings.Fields(can.ScopeRequested), strings.Fields(granted)), " ")
	can.ScopeGranted, can.ScopeMissing = &granted, &missing
}

// attribute requests the credential's user from Asana, and sets AttributedTo. It returns
// AsanaUnavailable if this user is not the connection's user.
func (m *Memberships) attribute(ctx context.Context, conn *connection.Connection, access secret.String, can *Capabilities) error {
	ctx, cancel := m.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	user, err := m.asana.Me(ctx, access)
	switch {
	case requests.IsRefusal(err):
		can.Unknown["attributed_to"] = NotAllowed
		return nil
	case err != nil:
		return requests.ErrorOf(fmt.Errorf("asking whose token it is: %w", err))
	case user.GID != conn.AsanaUser():
		return &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Err: requests.ErrIdentitiesDisagree}
	}
	can.AttributedTo = &asanaauth.Identity{GID: user.GID, Name: user.Name, Email: user.Email}
	return nil
}
