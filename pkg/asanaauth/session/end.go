package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// SignOut ends the session of one browser, and leaves the connection unchanged. cookie is
// the value of the session's cookie. If the session does not exist or has ended, SignOut
// does nothing. SignOut needs no data keys, so it works even if KMS is unavailable.
//
// Errors: TryAgain, Internal.
func (s *Sessions) SignOut(ctx context.Context, cookie secret.String) error {
	id, ok := connectionIn(cookie)
	if !ok {
		return nil
	}
	ctx, cancel := s.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	hash := store.HashText(cookie.Reveal())
	var ended *store.Hot
	err := s.rows.Update(ctx, row.Update{
		What: "the session", Keys: []store.Key{store.SessionKey(hash), store.HotKey(id)},
		Edit: func(_ context.Context, tx *row.Tx) error {
			ended = end(tx, hash, s.rows.Now())
			return nil
		},
	})
	if err == nil && ended != nil {
		s.rows.Audit(ctx, row.AuditSignedOut, callerOf(hash), ended)
	}
	return err
}

// end deletes a session's row, and returns the connection's hot row if the session was
// still valid. tx must already have read the rows of the session and of its connection.
func end(tx *row.Tx, cookie store.Hash, now time.Time) (ended *store.Hot) {
	key := store.SessionKey(cookie)
	found := row.Get[*store.Session](tx.Rows(), key)
	if found == nil {
		return nil
	}
	tx.Delete(key)
	hot := row.Get[*store.Hot](tx.Rows(), store.HotKey(found.Connection))
	if hot == nil || !agree(found, hot, hot.Connection, now) {
		return nil
	}
	return hot
}

// EndEarlier deletes a session's row in tx, and returns the connection's hot row if the
// session was still valid. Package login calls EndEarlier if a browser that already has a
// session signs in again. The new cookie replaces the cookie of the earlier session, so
// the browser could not end that session later. Errors: TryAgain, Internal.
func EndEarlier(ctx context.Context, tx *row.Tx, cookie store.Hash, now time.Time) (ended *store.Hot, err error) {
	key := store.SessionKey(cookie)
	if err := tx.Read(ctx, "the browser's earlier session", key); err != nil {
		return nil, err
	}
	found := row.Get[*store.Session](tx.Rows(), key)
	if found == nil {
		return nil, nil
	}
	if hot := store.HotKey(found.Connection); tx.Row(hot) == nil {
		if err := tx.Read(ctx, "the connection of the browser's earlier session", hot); err != nil {
			return nil, err
		}
	}
	return end(tx, cookie, now), nil
}

// SignOutEverywhere ends all sessions of a session's connection, in all browsers, and
// leaves the connection itself unchanged. cookie is the value of the session's cookie. If
// this session does not exist or has ended, SignOutEverywhere does nothing.
//
// Errors: TryAgain, Internal.
func (s *Sessions) SignOutEverywhere(ctx context.Context, cookie secret.String) error {
	opened, err := openCookie(ctx, s.rows, cookie)
	if err == nil {
		err = row.EndSessions(ctx, s.rows.Table, opened.conn)
	}
	switch asanaauth.KindOf(err) {
	case asanaauth.Unauthenticated, asanaauth.NotFound:
		return nil
	}
	return err
}

// Disconnect disconnects the session's connection, which ends all of the connection's
// sessions. The rows of the other sessions stay in the table until they expire.
//
// Errors: the errors of [connection.Connections.Disconnect].
func (s *Sessions) Disconnect(ctx context.Context, opened *Session, conns *connection.Connections) (connection.Disconnection, error) {
	ctx, cancel := s.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	d, err := conns.Disconnect(ctx, opened.conn)
	if err != nil {
		return d, err
	}
	if err := s.deleteRow(ctx, opened.row); err != nil {
		s.rows.Warn(ctx, "session row not deleted", slog.Any("err", err))
	}
	return d, nil
}

// deleteRow deletes the row of a session that the connection's new epoch has ended.
func (s *Sessions) deleteRow(ctx context.Context, r *store.Session) error {
	ctx, cancel := s.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	key := r.Key()
	return s.rows.Update(ctx, row.Update{
		What: "the session", Keys: []store.Key{key}, Known: store.Rows{key: r},
		Edit: func(_ context.Context, tx *row.Tx) error {
			tx.Delete(key)
			return nil
		},
	})
}
