package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Capabilities is what a credential can do. What cannot be known is nil, and Unknown
// has the reason under its name in the contract.
type Capabilities struct {
	Active         bool // Asana takes it
	Kind           store.Kind
	AttributedTo   *Identity    // as whom every action will appear
	ScopeRequested string       // space-separated; empty of an import, for which we asked nothing
	ScopeGranted   *string      // space-separated
	ScopeMissing   *string      // those requested that were not granted
	Workspaces     []Membership // that it reaches, as [Memberships.List] tells them
	Unknown        map[string]string
}

// Inactive is the reason of what is not known of a credential that Asana does not
// take any more.
const Inactive = "inactive"

// Capabilities says what the connection's credential can do, asked of Asana now:
// nothing that was kept is believed. One that is broken is not asked about. Errors:
// those of [Connections.TokenOf], but for a broken connection.
func (m *Memberships) Capabilities(ctx context.Context, conn *Connection) (Capabilities, error) {
	ctx, cancel := m.c.bound(ctx, callerTime)
	defer cancel()
	switch conn.hot.Status {
	case store.Active:
	case store.Broken:
		return m.inactive(ctx, conn)
	default:
		return Capabilities{}, errReconnect(conn.hot)
	}
	if err := m.cooling(conn.ID()); err != nil {
		return Capabilities{}, err
	}
	access, told, err := m.c.examine(ctx, conn)
	if KindOf(err) == ReconnectRequired {
		return m.foundBroken(ctx, conn, err)
	}
	if err != nil {
		m.noteLimit(conn.ID(), err)
		return Capabilities{}, err
	}
	if !told.Active {
		return m.inactive(ctx, conn)
	}
	can := Capabilities{Active: true, Kind: conn.Kind(), ScopeRequested: conn.cold.ScopeRequested, Unknown: map[string]string{}}
	atConsent := ""
	if can.Kind == store.OAuth {
		atConsent = conn.cold.ScopeGranted
	}
	can.setScopes(told.Scope, atConsent)
	if err := m.attribute(ctx, conn, access, &can); err != nil {
		m.noteLimit(conn.ID(), err)
		return Capabilities{}, err
	}
	can.Workspaces, err = m.list(ctx, conn, "", "", 0)
	switch {
	case isStatus(err, http.StatusForbidden):
		can.Unknown["workspaces"] = NotAllowed
	case err != nil:
		return Capabilities{}, err
	}
	return can, nil
}

// foundBroken answers where asking has just shown that the credential is over.
func (m *Memberships) foundBroken(ctx context.Context, conn *Connection, cause error) (Capabilities, error) {
	now, err := m.c.Open(ctx, Ref{ID: conn.ID()}, conn.caller)
	if err != nil {
		return Capabilities{}, err
	}
	if now.hot.Status != store.Broken {
		return Capabilities{}, cause
	}
	return m.inactive(ctx, now)
}

// inactive is what is known of a credential that Asana does not take.
func (m *Memberships) inactive(ctx context.Context, conn *Connection) (Capabilities, error) {
	d, err := m.c.Describe(ctx, conn)
	return Capabilities{
		Kind: conn.Kind(), AttributedTo: &d.AttributedTo, ScopeRequested: d.ScopeRequested,
		Unknown: map[string]string{"scope_granted": Inactive, "scope_missing": Inactive, "workspaces": Inactive},
	}, err
}

// examine introspects the connection's access token (RFC 7662). An inactive one is
// reported as refused: a grant is refreshed once, a long-lived token breaks.
func (c *Connections) examine(ctx context.Context, conn *Connection) (secret.String, asana.Introspection, error) {
	if conn.Kind() != store.OAuth {
		return c.examineLongLived(ctx, conn)
	}
	r := TokenRequest{MinTTL: DefaultMinTTL}
	for again := true; ; again = false {
		access, err := c.fresh(ctx, conn, r)
		if err != nil {
			return access, asana.Introspection{}, err
		}
		told, err := c.tokenInfo(ctx, access)
		if err != nil || told.Active || !again {
			return access, told, err
		}
		hash := store.HashText(access.Reveal())
		r.Refused = &hash
	}
}

// examineLongLived introspects a token and writes down what was said. Where somebody
// else wrote meanwhile, that the token is active holds for the row with that token;
// otherwise it looks again, as long as there is time.
func (c *Connections) examineLongLived(ctx context.Context, conn *Connection) (secret.String, asana.Introspection, error) {
	for {
		access, err := c.fresh(ctx, conn, TokenRequest{})
		if err != nil {
			return access, asana.Introspection{}, err
		}
		told, err := c.introspect(ctx, conn, access, false)
		if !errors.Is(err, errLook) {
			return access, told, err
		}
		asked := conn.hot
		if conn.hot, err = c.readHot(ctx, conn.ID()); err != nil {
			return access, told, err
		}
		if told.Active && conn.hot.Status == store.Active && conn.hot.Grant == asked.Grant && conn.hot.Epoch == asked.Epoch {
			return access, told, nil
		}
	}
}

// setScopes compares what was granted, as introspection told it or else the answer to
// the consent did, with what was requested.
func (can *Capabilities) setScopes(introspected, atConsent string) {
	granted := introspected
	if granted == "" {
		granted = atConsent
	}
	if granted == "" {
		can.Unknown["scope_granted"], can.Unknown["scope_missing"] = NotReported, NotReported
		return
	}
	missing := strings.Join(without(strings.Fields(can.ScopeRequested), strings.Fields(granted)), " ")
	can.ScopeGranted, can.ScopeMissing = &granted, &missing
}

// attribute asks whose the credential is. Somebody else than the connection's user is
// nobody whom we believe.
func (m *Memberships) attribute(ctx context.Context, conn *Connection, access secret.String, can *Capabilities) error {
	ctx, cancel := m.c.bound(ctx, requestTime)
	defer cancel()
	user, err := m.c.Asana.Me(ctx, access)
	switch {
	case isStatus(err, http.StatusForbidden):
		can.Unknown["attributed_to"] = NotAllowed
		return nil
	case err != nil:
		return overLimit(fromParts(fmt.Errorf("asking whose token it is: %w", err)))
	case user.GID != conn.AsanaUser():
		return &Error{Kind: AsanaUnavailable, Err: errDisagree}
	}
	can.AttributedTo = &Identity{GID: user.GID, Name: user.Name, Email: user.Email}
	return nil
}
