package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Session is a browser's proven session and the connection that it opens, as
// they were read. It is good for one request, and not for concurrent use.
type Session struct {
	Connection
	row *store.Session
}

// Caller names the session in audit lines: "session:" and 8 hexadecimal digits.
func (s *Session) Caller() string { return s.caller }

func callerOf(cookie secret.String) string  { return callerOfHash(store.HashText(cookie.Reveal())) }
func callerOfHash(cookie store.Hash) string { return "session:" + cookie.String()[:8] }

// Profile is what a frontend may know of its session.
type Profile struct {
	Connection string
	AsanaUser  string        // gid
	Name       secret.String // zero where Asana did not tell
	Email      secret.String
	Picture    secret.String // a URL
	Scope      string        // granted, where Asana said it, else asked for
	Status     store.Status
	ExpiresAt  time.Time // the session's absolute end
}

var errUnauthenticated = &Error{Kind: Unauthenticated}

// Session opens the session of a cookie's value. Session, hot and cold row
// come in one read; they and the cookie must all agree, and the session's
// proof must open, before anything else of the rows is believed.
//
// The idle end is moved along, at most hourly. Errors: Unauthenticated for
// whatever is wrong with the session, TryAgain.
func (c *Connections) Session(ctx context.Context, cookie secret.String) (*Session, error) {
	id, rest, ok := strings.Cut(cookie.Reveal(), ".")
	if !ok || rest == "" || !store.ValidConnectionID(id) {
		return nil, errUnauthenticated
	}
	s, err := c.readSession(ctx, id, store.HashText(cookie.Reveal()))
	if err != nil {
		return nil, err
	}
	if s.ring, err = c.Keys.Ring(ctx); err != nil {
		return nil, err
	}
	if err := c.proven(ctx, s, proofLabel(s.row, s.hot), s.row.Proof); err != nil {
		return nil, err
	}
	c.moveIdleEnd(ctx, s)
	return s, nil
}

// proven opens a proof. A row whose proof does not open was not written by us.
func (c *Connections) proven(ctx context.Context, s *Session, l seal.Label, proof secret.Sealed) error {
	_, err := c.Keys.open(ctx, s.ring, l, proof)
	if errors.Is(err, seal.ErrOpen) {
		c.alarm(ctx, alarmUnseal, s.ID(), err)
		return errUnauthenticated
	}
	return fromParts(err)
}

// readSession reads the three rows. A batch read is no snapshot: hot and cold
// row of different consents are read again.
func (c *Connections) readSession(ctx context.Context, id string, cookie store.Hash) (*Session, error) {
	sessionKey, hotKey, coldKey := store.SessionKey(cookie), store.HotKey(id), store.ColdKey(id)
	for range 3 {
		rows, err := c.Store.Read(ctx, sessionKey, hotKey, coldKey)
		if err != nil {
			return nil, fromParts(fmt.Errorf("reading the session: %w", err))
		}
		row, _ := rows[sessionKey].(*store.Session)
		hot, _ := rows[hotKey].(*store.Hot)
		cold, _ := rows[coldKey].(*store.Cold)
		if !c.sessionHolds(id, row, hot) {
			return nil, errUnauthenticated
		}
		if cold != nil && cold.Generation == hot.Generation {
			return &Session{Connection{hot: hot, cold: cold, caller: callerOfHash(cookie), bound: true}, row}, nil
		}
	}
	return nil, errTorn
}

func (c *Connections) sessionHolds(id string, row *store.Session, hot *store.Hot) bool {
	now := c.now()
	return row != nil && hot != nil &&
		row.Connection == id && named(hot) &&
		row.Epoch != "" && row.Epoch == hot.Epoch &&
		now.Before(row.End) && now.Before(row.IdleEnd)
}

// named works a connection's id out anew, from what its row says.
func named(hot *store.Hot) bool {
	return asana.IsGID(hot.AsanaGID) && store.ConnectionID(hot.Owner, hot.AsanaGID, hot.Kind) == hot.Connection
}

// moveIdleEnd lets a session in use live on, to its absolute end at most. It is
// moved when the last move is an hour old, and not when an hour is to be gained:
// near the absolute end there is none. Whoever loses here has lost nothing: the
// next request moves it.
func (c *Connections) moveIdleEnd(ctx context.Context, s *Session) {
	now := c.now()
	moved := earlier(now.Add(s.row.IdleTTL), s.row.End)
	lastMove := s.row.IdleEnd.Add(-s.row.IdleTTL)
	if !moved.After(s.row.IdleEnd) || now.Sub(lastMove) < idleMove {
		return
	}
	writer, err := c.drawName()
	if err != nil {
		return
	}
	row := *s.row
	row.IdleEnd = moved
	if prove(&c.Parts, s.ring, &row, s.hot) != nil {
		return
	}
	if c.Store.Write(ctx, store.Put(&row, s.row.Rev, writer)) == nil {
		s.row = &row
	}
}

// Profile returns what a frontend may know of its session. Errors: TryAgain,
// Internal.
func (c *Connections) Profile(ctx context.Context, s *Session) (Profile, error) {
	p := Profile{
		Connection: s.hot.Connection,
		AsanaUser:  s.hot.AsanaGID,
		Scope:      scopeOf(s.cold),
		Status:     s.hot.Status,
		ExpiresAt:  s.row.End,
	}
	err := c.openTexts(ctx, &s.Connection,
		sealedText{"name", s.cold.Name, &p.Name},
		sealedText{"email", s.cold.Email, &p.Email},
		sealedText{"picture", s.cold.Picture, &p.Picture})
	if err != nil {
		return Profile{}, err
	}
	return p, nil
}

func scopeOf(cold *store.Cold) string {
	if cold.ScopeGranted != "" {
		return cold.ScopeGranted
	}
	return cold.ScopeRequested
}

// SignOut ends the session of this browser; the connection stays. Errors:
// TryAgain.
func (c *Connections) SignOut(ctx context.Context, s *Session) error {
	key, rev := s.row.Key(), s.row.Rev
	for {
		err := c.Store.Write(ctx, store.Delete(key, rev))
		var moved *store.Conflict
		if !errors.As(err, &moved) {
			return fromParts(err)
		}
		row, _ := moved.Rows[key].(*store.Session)
		if row == nil {
			return nil
		}
		rev = row.Rev
	}
}

// open opens a sealed field of a connection. One that does not open was not
// written by us.
func (c *Connections) open(ctx context.Context, ring *seal.Ring, id string, l seal.Label, s secret.Sealed) (secret.String, error) {
	text, err := c.Keys.open(ctx, ring, l, s)
	if errors.Is(err, seal.ErrOpen) {
		c.alarm(ctx, alarmUnseal, id, err)
		return secret.String{}, &Error{Kind: Internal, Err: fmt.Errorf("opening %s: %w", l.Field, err)}
	}
	return text, fromParts(err)
}
