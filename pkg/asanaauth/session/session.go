// Package session opens and ends the sessions of browsers that are signed in. It also
// makes and redeems session codes, with which an app's own backend learns who is signed
// in. Package login begins sessions, and package httpapi sets their cookies.
//
// A session belongs to one connection, and to the epoch of the connection at the session's
// start. Disconnecting sets a new epoch, which ends all sessions of the connection. The
// session's row has a sealed proof, which is bound to the row's contents and must open
// before a token is opened. The proof of a forged row does not open.
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

// Config configures [Sessions] and a [Redeemer]. All packages of a program can share its
// values.
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

// Sessions opens and ends the sessions of browsers. It is safe for concurrent use.
type Sessions struct{ rows *row.Rows }

// New returns Sessions. The error reports every missing field.
func New(c Config) (*Sessions, error) {
	rows, err := c.rows()
	if err != nil {
		return nil, err
	}
	return &Sessions{rows}, nil
}

// Session is an opened session and its connection, as they were read. Open one for each
// request. It is not safe for concurrent use.
type Session struct {
	conn *connection.Connection
	row  *store.Session
}

// Connection returns the session's connection. Package token returns no long-lived token
// for it. It also returns no token if it finds during a refresh that the session has ended.
func (s *Session) Connection() *connection.Connection { return s.conn }

// CallerOf returns the name in audit lines of the session with that cookie value:
// "session:" and 8 hexadecimal digits.
func CallerOf(cookie secret.String) string { return callerOf(store.HashText(cookie.Reveal())) }

func callerOf(cookie store.Hash) string { return "session:" + cookie.String()[:8] }

// idleMoveInterval is the least time between two moves of the idle end.
const idleMoveInterval = time.Hour

// Open opens the session whose cookie has the value cookie. It reads the session's row and
// the connection's rows at once. They and the cookie must agree, and the session's proof
// must open, before anything else in the rows is trusted. Open also moves the session's
// idle end, at most once an hour.
//
// Errors: Unauthenticated if the session is not valid; TryAgain; Internal.
func (s *Sessions) Open(ctx context.Context, cookie secret.String) (*Session, error) {
	id, rest, ok := strings.Cut(cookie.Reveal(), ".")
	if !ok || rest == "" || !store.ValidConnectionID(id) {
		return nil, row.ErrUnauthenticated
	}
	opened, err := open(ctx, s.rows, id, store.HashText(cookie.Reveal()))
	if err != nil {
		return nil, err
	}
	s.moveIdleEnd(ctx, opened)
	return opened, nil
}

// maxReads limits how often the rows are read until the hot and the cold row belong
// together. A read of several rows is not a snapshot.
const maxReads = 3

// open reads and checks the rows of a session, and opens its proof.
func open(ctx context.Context, rows *row.Rows, id string, cookie store.Hash) (*Session, error) {
	sessionKey, hotKey, coldKey := store.SessionKey(cookie), store.HotKey(id), store.ColdKey(id)
	for range maxReads {
		got, err := rows.Read(ctx, "the session", sessionKey, hotKey, coldKey)
		if err != nil {
			return nil, err
		}
		session, hot := row.Get[*store.Session](got, sessionKey), row.Get[*store.Hot](got, hotKey)
		if session == nil || hot == nil || !agree(session, hot, id, rows.Now()) {
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

// agree reports whether a session's row and its connection's hot row belong together, and
// the session has not expired.
func agree(session *store.Session, hot *store.Hot, id string, now time.Time) bool {
	return session.Connection == id && row.IDMatches(hot) &&
		session.Epoch != "" && session.Epoch == hot.Epoch &&
		now.Before(session.End) && now.Before(session.IdleEnd)
}

// proofText is the text of a session's proof. The label binds it to the row's contents.
const proofText = "session"

// proofLabel has all contents of a session's row. If an attacker wrote or copied the row,
// its proof does not open.
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

// checkProof opens a proof. If it does not open, the row was not written by this
// installation, and checkProof returns Unauthenticated.
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

// Begin returns the row of a new session that ends after ttl, or after idleTTL without use.
// Package login calls it, and writes the row together with the connection.
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

// moveIdleEnd extends a session that is used, but not beyond its absolute end. If the write
// fails, the next request extends it.
func (s *Sessions) moveIdleEnd(ctx context.Context, opened *Session) {
	now := s.rows.Now()
	moved := earlier(now.Add(opened.row.IdleTTL), opened.row.End)
	lastMove := opened.row.IdleEnd.Add(-opened.row.IdleTTL)
	if !moved.After(opened.row.IdleEnd) || now.Sub(lastMove) < idleMoveInterval {
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

// Profile is what a frontend may know about its session.
type Profile struct {
	Connection string           // the connection's id
	AsanaUser  string           // the person's gid
	Name       secret.String    // zero if Asana did not report it
	Email      secret.String    // zero if Asana did not report it
	Picture    secret.String    // a URL; zero if Asana did not report it
	Scope      string           // space-separated: the granted scope, or the requested one if Asana did not report it
	Status     asanaauth.Status // of the connection, which may be broken
	ExpiresAt  time.Time        // when the session ends, even if it is used
}

// Profile returns what a frontend may know about its session. It does not ask Asana.
// Errors: TryAgain, Internal.
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

// SignOut ends the session of this browser. It does not change the connection. Errors:
// TryAgain, Internal.
func (s *Sessions) SignOut(ctx context.Context, opened *Session) error {
	ctx, cancel := s.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	key := opened.row.Key()
	return s.rows.Update(ctx, row.Update{
		What: "the session", Keys: []store.Key{key}, Known: store.Rows{key: opened.row},
		Edit: func(_ context.Context, tx *row.Tx) error {
			tx.Delete(key)
			return nil
		},
	})
}

// Disconnect disconnects the session's connection, which ends all of its sessions. The rows
// of other sessions are kept until they expire, but are no longer valid.
//
// Errors: those of [connection.Connections.Disconnect].
func (s *Sessions) Disconnect(ctx context.Context, opened *Session, conns *connection.Connections) (connection.Disconnection, error) {
	ctx, cancel := s.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	d, err := conns.Disconnect(ctx, opened.conn)
	if err != nil {
		return d, err
	}
	if err := s.SignOut(ctx, opened); err != nil {
		s.rows.Warn(ctx, "session row not deleted", slog.Any("err", err))
	}
	return d, nil
}
