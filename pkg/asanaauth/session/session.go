// Package session opens and ends browser sessions, and makes and redeems session codes.
// An app's own backend redeems a session code to find out who is signed in. Package login
// begins sessions, and package httpapi sets their cookies.
//
// A session belongs to one connection, and stores the epoch that the connection had when
// the session started. A disconnect, [Sessions.SignOutEverywhere] and
// [connection.Connections.EndSessions] change the connection's epoch. A new epoch ends all
// of the connection's sessions. The session's row contains a sealed proof. If an attacker
// forges the row or changes one of its values, the proof cannot be opened, and
// [Sessions.Open] rejects the session.
package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Config configures [Sessions] and a [Redeemer]. The packages that a program uses can
// share one Store and one Keyring.
type Config struct {
	Store store.Store      // required
	Keys  *keyring.Keyring // required
	Clock asanaauth.Clock  // nil: asanaauth.SystemClock
	Rand  io.Reader        // nil: crypto/rand.Reader
	Log   *slog.Logger     // for audit lines and alarms; nil: nothing is logged
}

func (c Config) rows() (*row.Rows, error) {
	return row.New(row.Config{Store: c.Store, Keys: c.Keys, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
}

// Sessions opens and ends browser sessions. The methods of Sessions are safe for
// concurrent use.
type Sessions struct{ rows *row.Rows }

// New returns a Sessions, or an error that names every missing field of c.
func New(c Config) (*Sessions, error) {
	rows, err := c.rows()
	if err != nil {
		return nil, err
	}
	return &Sessions{rows}, nil
}

// Session is an opened session and its connection. A Session does not show later changes,
// so open the session again for each request. A Session is not safe for concurrent use.
type Session struct {
	conn *connection.Connection
	row  *store.Session
}

// Connection returns the session's connection. For a connection from a session, package
// token never returns a long-lived token. If the session ends during a refresh, package
// token returns an error and no token.
func (s *Session) Connection() *connection.Connection { return s.conn }

// CallerOf returns the name that audit lines use for a session: "session:" and the first
// 8 hexadecimal digits of the cookie's SHA-256 hash. cookie is the value of the session's
// cookie.
func CallerOf(cookie secret.String) string { return callerOf(store.HashText(cookie.Reveal())) }

func callerOf(cookie store.Hash) string { return "session:" + cookie.String()[:8] }

// idleExtendInterval is the minimum time between two extensions of a session's idle
// timeout.
const idleExtendInterval = time.Hour

// Open opens the session of a browser. cookie is the value of the session's cookie. Open
// reads the session's row and the connection's rows with one request to the table. The
// session is valid only if the rows match the cookie and the session's proof can be
// opened. Open also extends the session's idle timeout, at most once an hour.
//
// Errors: Unauthenticated if the session is not valid; TryAgain; Internal.
func (s *Sessions) Open(ctx context.Context, cookie secret.String) (*Session, error) {
	opened, err := openCookie(ctx, s.rows, cookie)
	if err != nil {
		return nil, err
	}
	s.extendIdleEnd(ctx, opened)
	return opened, nil
}

// Check returns nil if the session of a cookie is valid. Package login calls Check if a
// browser repeats the callback that began the session. Errors: the errors of
// [Sessions.Open].
func Check(ctx context.Context, rows *row.Rows, cookie secret.String) error {
	_, err := openCookie(ctx, rows, cookie)
	return err
}

// connectionIn returns the ID of the connection that a cookie's value names. ok is false
// if the value does not have the form of a session's cookie.
func connectionIn(cookie secret.String) (id string, ok bool) {
	id, rest, ok := strings.Cut(cookie.Reveal(), ".")
	return id, ok && rest != "" && store.ValidConnectionID(id)
}

func openCookie(ctx context.Context, rows *row.Rows, cookie secret.String) (*Session, error) {
	id, ok := connectionIn(cookie)
	if !ok {
		return nil, row.ErrUnauthenticated
	}
	return open(ctx, rows, id, store.HashText(cookie.Reveal()))
}

// maxReads limits how many times open reads the rows. open repeats the read if the hot
// row and the cold row are inconsistent. The rows can be inconsistent because a read of
// several rows is not atomic: it can return one row from before a write and another row
// from after the write.
const maxReads = 3

func open(ctx context.Context, rows *row.Rows, id string, cookie store.Hash) (*Session, error) {
	sessionKey, hotKey, coldKey := store.SessionKey(cookie), store.HotKey(id), store.ColdKey(id)
	for range maxReads {
		got, err := rows.Read(ctx, "the session", sessionKey, hotKey, coldKey)
		if err != nil {
			return nil, err
		}
		session, hot := row.Get[*store.Session](got, sessionKey), row.Get[*store.Hot](got, hotKey)
		if session == nil || hot == nil || row.CheckAuthentic(ctx, rows.Table, hot) != nil || !agree(session, hot, id, rows.Now()) {
			return nil, row.ErrUnauthenticated
		}
		cold := row.Get[*store.Cold](got, coldKey)
		if cold == nil || cold.Generation != hot.Generation {
			continue
		}
		ring, err := rows.Ring(ctx)
		if err != nil {
			return nil, err
		}
		if err := checkProof(ctx, rows, ring, hot, proofLabel(session, hot), session.Proof); err != nil {
			return nil, err
		}
		o := row.Opened{Hot: hot, Cold: cold, Ring: ring, Caller: callerOf(cookie), Session: true}
		return &Session{conn: row.Wrap(o), row: session}, nil
	}
	return nil, row.ErrInconsistentRead
}

// agree reports whether a session's row matches the hot row of the connection id and the
// session is still valid at the time now.
func agree(session *store.Session, hot *store.Hot, id string, now time.Time) bool {
	return session.Connection == id && row.IDMatches(hot) &&
		session.Epoch != "" && session.Epoch == hot.Epoch &&
		now.Before(session.End) && now.Before(session.IdleEnd)
}

// Every session's proof has the same plaintext. Only the labels of the proofs differ (see
// proofLabel).
const proofText = "session"

// proofLabel returns the label of a session's proof. The label contains every value in
// the session's row, so the proof in a forged or copied row cannot be opened.
func proofLabel(s *store.Session, hot *store.Hot) seal.Label {
	return seal.Label{
		Row:   s.Key().String(),
		Owner: string(hot.Owner[:]),
		Field: "proof",
		Facts: []string{
			s.Connection, s.Epoch, row.TimeFact(s.Start), row.TimeFact(s.End),
			strconv.FormatInt(s.IdleTTL.Milliseconds(), 10), row.TimeFact(s.IdleEnd),
		},
	}
}

// checkProof opens a proof. It returns Unauthenticated if the proof cannot be opened,
// because such a proof was not sealed by this installation for this row.
func checkProof(ctx context.Context, rows *row.Rows, ring *seal.Ring, hot *store.Hot, l seal.Label, proof secret.Sealed) error {
	_, err := rows.OpenField(ctx, ring, hot.Connection, l, proof)
	if errors.Is(err, seal.ErrOpen) {
		return row.ErrUnauthenticated
	}
	return err
}

func setProof(rows *row.Rows, ring *seal.Ring, s *store.Session, hot *store.Hot) (err error) {
	s.Proof, err = rows.SealField(ring, proofLabel(s, hot), secret.New(proofText))
	return err
}

// Begin returns the row of a new session. The session ends after ttl, or after idleTTL
// without use. Package login calls Begin, and writes the row in the transaction that
// saves the connection.
func Begin(rows *row.Rows, ring *seal.Ring, hot *store.Hot, cookie secret.String, ttl, idleTTL time.Duration) (*store.Session, error) {
	now := rows.Now()
	end := now.Add(ttl)
	s := &store.Session{
		Cookie:     store.HashText(cookie.Reveal()),
		Connection: hot.Connection,
		Epoch:      hot.Epoch,
		Start:      now,
		End:        end,
		IdleTTL:    idleTTL,
		IdleEnd:    earlier(now.Add(idleTTL), end),
	}
	return s, setProof(rows, ring, s, hot)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// extendIdleEnd extends the session's idle timeout, but never beyond the session's end. If
// the write fails, the next request extends the timeout.
func (s *Sessions) extendIdleEnd(ctx context.Context, opened *Session) {
	now := s.rows.Now()
	moved := earlier(now.Add(opened.row.IdleTTL), opened.row.End)
	lastMove := opened.row.IdleEnd.Add(-opened.row.IdleTTL)
	if !moved.After(opened.row.IdleEnd) || now.Sub(lastMove) < idleExtendInterval {
		return
	}
	next := *opened.row
	next.IdleEnd = moved
	o := row.Unwrap(opened.conn)
	if setProof(s.rows, o.Ring, &next, o.Hot) != nil {
		return
	}
	if s.rows.Replace(ctx, opened.row, &next) == nil {
		opened.row = &next
	}
}

// Profile is what a frontend may know about its session and the person who is signed in.
type Profile struct {
	Connection string        // the connection's ID
	AsanaUser  string        // the person's gid
	Name       secret.String // zero if Asana did not report it
	Email      secret.String // zero if Asana did not report it
	Picture    secret.String // a URL; zero if Asana did not report it
	// Scope contains the granted scopes, separated by spaces. If Asana did not report the
	// granted scopes, Scope contains the requested scopes.
	Scope     string
	Status    asanaauth.Status // the connection's status, which may be Broken
	ExpiresAt time.Time        // when the session ends, even if the browser keeps using it
}

// Profile returns the profile of a session, without a request to Asana. Errors: TryAgain,
// Internal.
func (s *Sessions) Profile(ctx context.Context, opened *Session) (Profile, error) {
	p, err := s.rows.OpenPerson(ctx, opened.conn, row.FieldName, row.FieldEmail, row.FieldPicture)
	if err != nil {
		return Profile{}, err
	}
	o := row.Unwrap(opened.conn)
	return Profile{
		Connection: o.Hot.Connection,
		AsanaUser:  o.Hot.AsanaGID,
		Name:       p.Name,
		Email:      p.Email,
		Picture:    p.Picture,
		Scope:      row.ScopeOf(o.Cold),
		Status:     asanaauth.Status(o.Hot.Status),
		ExpiresAt:  opened.row.End,
	}, nil
}
