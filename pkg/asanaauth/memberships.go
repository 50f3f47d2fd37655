package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
}

const (
	membershipsTTL  = 5 * time.Minute
	membershipsKept = 1000 // connections
)

// membershipKey names what was asked, so that what was learnt for an ended
// consent meets nobody later.
type membershipKey struct {
	connection, epoch string
	generation        int64
}

type keptMemberships struct {
	list []Membership
	at   time.Time
}

// NewMemberships returns the memberships that c's connections can ask for.
func NewMemberships(c *Connections) *Memberships {
	return &Memberships{c: c, kept: map[membershipKey]keptMemberships{}}
}

// List returns the memberships of the session's person, one for each workspace
// that the person's token reaches. Errors: those of [Connections.Token].
func (m *Memberships) List(ctx context.Context, s *Connection, user string) ([]Membership, error) {
	ctx, cancel := m.c.bound(ctx, callerTime)
	defer cancel()
	if err := m.c.canAsk(); err != nil {
		return nil, err
	}
	switch {
	case s.hot.Kind != store.OAuth:
		return nil, &Error{Kind: NotAllowedForKind}
	case s.hot.Status != store.Active:
		return nil, errReconnect(s.hot)
	}
	key := membershipKey{s.hot.Connection, s.hot.Epoch, s.hot.Generation}
	if list, ok := m.recall(key); ok {
		return list, nil
	}
	list, err := m.ask(ctx, s)
	if err != nil {
		return nil, err
	}
	m.keep(key, list)
	return list, nil
}

// In returns the membership of the session's person in one workspace. Errors:
// InvalidRequest for a workspace that is no gid, NotFound for one that the
// person's token does not reach, and those of [Connections.Token].
func (m *Memberships) In(ctx context.Context, s *Connection, workspace, user string) (Membership, error) {
	if !asana.IsGID(workspace) {
		return Membership{}, &Error{Kind: InvalidRequest, Detail: "workspace is a gid, a string of digits."}
	}
	list, err := m.List(ctx, s, user)
	if err != nil {
		return Membership{}, err
	}
	for _, membership := range list {
		if membership.Workspace.GID == workspace {
			return membership, nil
		}
	}
	return Membership{}, &Error{Kind: NotFound}
}

func (m *Memberships) recall(key membershipKey) ([]Membership, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, ok := m.kept[key]
	if !ok || m.c.now().Sub(kept.at) >= membershipsTTL {
		return nil, false
	}
	return kept.list, true
}

func (m *Memberships) keep(key membershipKey, list []Membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= membershipsKept {
		clear(m.kept)
	}
	m.kept[key] = keptMemberships{list, m.c.now()}
}

// ask asks Asana, with a token that is fresh by the rules. One that Asana
// refuses all the same is reported as such, and its successor tried once.
func (m *Memberships) ask(ctx context.Context, s *Connection) ([]Membership, error) {
	r := TokenRequest{MinTTL: DefaultMinTTL}
	for again := true; ; again = false {
		access, err := m.c.fresh(ctx, s, r)
		if err != nil {
			return nil, err
		}
		list, err := m.askWith(ctx, access, s.hot.AsanaGID)
		var answer *asana.Error
		if again && errors.As(err, &answer) && answer.Status == http.StatusUnauthorized {
			hash := store.HashText(access.Reveal())
			r.Refused = &hash
			continue
		}
		return list, overLimit(err)
	}
}

// askWith lists the workspaces and what the person is in each.
func (m *Memberships) askWith(ctx context.Context, access secret.String, userGID string) ([]Membership, error) {
	ctx, cancel := m.c.bound(ctx, 2*requestTime)
	defer cancel()
	workspaces, err := m.c.Asana.Workspaces(ctx, access)
	if err != nil {
		return nil, withoutScope(fromParts(fmt.Errorf("listing workspaces: %w", err)))
	}
	told, err := m.c.Asana.Memberships(ctx, access, userGID)
	why, err := unknownBecause(err)
	if err != nil {
		return nil, fromParts(fmt.Errorf("listing memberships: %w", err))
	}
	now := m.c.now()
	list := make([]Membership, 0, len(workspaces))
	for _, w := range workspaces {
		var in *asana.Membership
		for i := range told {
			if told[i].Workspace.GID == w.GID {
				in = &told[i]
			}
		}
		list = append(list, membershipIn(w, userGID, in, why, now))
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

// withoutScope says what is missing where Asana said so: it is no outage.
func withoutScope(err error) error {
	var answer *asana.Error
	var e *Error
	if errors.As(err, &answer) && answer.Status == http.StatusForbidden && errors.As(err, &e) {
		e.Detail = "Asana does not let this token list its workspaces: the app needs the scope workspaces:read."
	}
	return err
}

// overLimit tells a caller to wait where Asana told us to.
func overLimit(err error) error {
	var answer *asana.Error
	if errors.As(err, &answer) && answer.Status == http.StatusTooManyRequests {
		return tryAgain(answer.RetryAfter, err)
	}
	return err
}
