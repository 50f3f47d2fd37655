package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Memberships tells what people's licences are. What Asana answered is kept
// for five minutes, in the process alone. Safe for concurrent use.
type Memberships struct {
	c *Connections

	mu   sync.Mutex
	kept map[membershipKey]keptMemberships
	cool map[string]time.Time // until when a connection's token is over its rate limit
}

const (
	membershipsTTL  = 5 * time.Minute
	membershipsKept = 1000 // answers
)

// membershipKey names what was asked, and with whose token, so that what was learnt
// for an ended consent, or by a reader that was dismissed, meets nobody later.
type membershipKey struct {
	connection consentKey
	reader     consentKey // zero: the connection's own token
	user       string
}

// consentKey names one consent of a connection.
type consentKey struct {
	id, epoch  string
	generation int64
}

func consentOf(c *Connection) consentKey { return consentKey{c.ID(), c.hot.Epoch, c.hot.Generation} }

type keptMemberships struct {
	list []Membership
	at   time.Time
}

// NewMemberships returns the memberships that c's connections can ask for.
func NewMemberships(c *Connections) *Memberships {
	return &Memberships{c: c, kept: map[membershipKey]keptMemberships{}, cool: map[string]time.Time{}}
}

// List returns the memberships of an Asana user (a gid; empty for the connection's
// own), one for each workspace that the connection's token reaches: for another user
// those that Asana tells. Where the own user's token may not ask, the readers of the
// workspaces are asked. Errors: InvalidRequest for a user that is no gid, NotFound for
// an unknown one, and those of [Connections.TokenOf].
func (m *Memberships) List(ctx context.Context, conn *Connection, user string) ([]Membership, error) {
	return m.list(ctx, conn, "", user, membershipsTTL)
}

// list returns memberships that are younger than ttl: those in one workspace, or in
// all where none is named. Other workspaces' readers are not asked.
func (m *Memberships) list(ctx context.Context, conn *Connection, workspace, user string, ttl time.Duration) ([]Membership, error) {
	if user != "" && !asana.IsGID(user) {
		return nil, &Error{Kind: InvalidRequest, Detail: "user is a gid, a string of digits."}
	}
	if err := m.c.hasAsana(); err != nil {
		return nil, err
	}
	switch {
	case conn.hot.Status != store.Active:
		return nil, errReconnect(conn.hot)
	case !conn.whole():
		return nil, errTorn
	}
	ctx, cancel := m.c.bound(ctx, callerTime)
	defer cancel()
	own := conn.hot.AsanaGID
	if user == "" {
		user = own
	}
	list, err := m.told(ctx, conn, membershipKey{connection: consentOf(conn), user: user}, ttl,
		func(ctx context.Context, access secret.String) ([]Membership, error) {
			return m.askWith(ctx, access, user, own)
		})
	if workspace != "" {
		list = slices.DeleteFunc(list, func(in Membership) bool { return in.Workspace.GID != workspace })
	}
	if err != nil || user != own {
		return list, err
	}
	return m.readInto(ctx, conn, list, ttl)
}

// In returns the membership of a user (empty for the connection's own) in one
// workspace. Errors: InvalidRequest for a workspace or user that is no gid, NotFound
// for one that the connection's token does not reach, and those of
// [Connections.TokenOf].
func (m *Memberships) In(ctx context.Context, conn *Connection, workspace, user string) (Membership, error) {
	if !asana.IsGID(workspace) {
		return Membership{}, &Error{Kind: InvalidRequest, Detail: "workspace is a gid, a string of digits."}
	}
	list, err := m.list(ctx, conn, workspace, user, membershipsTTL)
	switch {
	case err != nil:
		return Membership{}, err
	case len(list) == 0:
		return Membership{}, errNotFound
	}
	return list[0], nil
}

// told returns what is kept under the key, or asks with the connection's token and
// keeps the answer, of which the caller gets a copy. A token over its rate limit is not
// used before Asana said.
func (m *Memberships) told(ctx context.Context, conn *Connection, key membershipKey, ttl time.Duration, ask func(context.Context, secret.String) ([]Membership, error)) ([]Membership, error) {
	if list, ok := m.recall(key, ttl); ok {
		return list, nil
	}
	if err := m.cooling(conn.ID()); err != nil {
		return nil, err
	}
	list, err := withToken(ctx, m.c, conn, ask)
	if err = overLimit(err); err != nil {
		m.noteLimit(conn.ID(), err)
		return nil, err
	}
	m.keep(key, list)
	return slices.Clone(list), nil
}

// recall returns what is kept and younger than ttl. What is from the future, since the
// clock was set back, has no age, and is not believed.
func (m *Memberships) recall(key membershipKey, ttl time.Duration) (list []Membership, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, ok := m.kept[key]
	if age := m.c.now().Sub(kept.at); !ok || age < 0 || age >= ttl {
		return nil, false
	}
	return slices.Clone(kept.list), true
}

// cooling fails while Asana wants the requests of a connection's token to wait.
func (m *Memberships) cooling(asked string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if left := until(m.cool[asked], m.c.now(), retryAfterMax); left > 0 {
		return tryAgain(left, errRateLimit)
	}
	return nil
}

func (m *Memberships) keep(key membershipKey, list []Membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= membershipsKept {
		clear(m.kept)
	}
	m.kept[key] = keptMemberships{list, m.c.now()}
}

// noteLimit notes that Asana wants the token's requests to wait.
func (m *Memberships) noteLimit(asked string, err error) {
	var e *Error
	if !isOverLimit(err) || !errors.As(err, &e) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.cool) >= membershipsKept {
		clear(m.cool)
	}
	m.cool[asked] = m.c.now().Add(min(e.RetryAfter, retryAfterMax))
}

// askWith lists the workspaces and what the user is in each.
func (m *Memberships) askWith(ctx context.Context, access secret.String, user, own string) ([]Membership, error) {
	workspaces, err := m.c.Asana.Workspaces(ctx, access)
	if err != nil {
		return nil, withoutScope(fromParts(fmt.Errorf("listing workspaces: %w", err)))
	}
	told, err := m.c.Asana.Memberships(ctx, access, user)
	if user != own && isStatus(err, http.StatusNotFound) {
		return nil, &Error{Kind: NotFound, Err: err}
	}
	why, err := unknownBecause(err)
	if err != nil {
		return nil, fromParts(fmt.Errorf("listing memberships: %w", err))
	}
	now := m.c.now()
	list := make([]Membership, 0, len(workspaces))
	for _, w := range workspaces {
		i := slices.IndexFunc(told, func(t asana.Membership) bool { return t.Workspace.GID == w.GID })
		switch {
		case i >= 0:
			list = append(list, membershipIn(w, user, &told[i], "", now))
		case user == own || why != NotReported:
			list = append(list, membershipIn(w, user, nil, why, now))
		}
	}
	return list, nil
}

// unknownBecause turns Asana's refusal to say what a membership is into the
// reason why that is not known. Any other error stays one.
func unknownBecause(err error) (string, error) {
	var answer *asana.Error
	switch {
	case err == nil:
		return NotReported, nil
	case !errors.As(err, &answer) || answer.Status != http.StatusForbidden:
		return "", err
	case answer.Code == asana.FullPermissionsRequired:
		return FullPermissionsRequired, nil
	}
	return NotAllowed, nil
}

// isStatus reports whether Asana answered with the status.
func isStatus(err error, status int) bool {
	var answer *asana.Error
	return errors.As(err, &answer) && answer.Status == status
}

// withoutScope says what is missing where Asana said so: it is no outage.
func withoutScope(err error) error {
	var e *Error
	if isStatus(err, http.StatusForbidden) && errors.As(err, &e) {
		e.Detail = "Asana does not let this token list its workspaces: the app needs the scope workspaces:read."
	}
	return err
}

// isOverLimit reports that Asana's rate limit is why we wait.
func isOverLimit(err error) bool {
	return KindOf(err) == TryAgain && err != nil && (isStatus(err, http.StatusTooManyRequests) || errors.Is(err, errRateLimit))
}

var errRateLimit = errors.New("over Asana's rate limit")

// overLimit tells a caller to wait where Asana told us to.
func overLimit(err error) error {
	var answer *asana.Error
	if errors.As(err, &answer) && answer.Status == http.StatusTooManyRequests {
		return tryAgain(answer.RetryAfter, err)
	}
	return err
}
