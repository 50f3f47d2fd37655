package login

import (
	"context"
	"errors"
	"log/slog"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/consent"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// outcomeConnected is the Outcome of an attempt that succeeded. The Outcome of any other
// finished attempt is the kind of its error.
const outcomeConnected = "connected"

// trip is the callback that uses an attempt.
type trip struct {
	r       *Receiver
	req     CallbackRequest
	attempt *store.Attempt // after take, the row that take wrote
	ring    *seal.Ring
	secrets secrets
}

// errTaken means that a different callback uses the attempt, or that the attempt's outcome
// is already recorded.
var errTaken = &asanaauth.Error{Kind: asanaauth.LoginExpired, Err: errors.New("another callback uses the attempt")}

// take marks the attempt as used by this callback. If two callbacks do so at once, one
// gets errTaken.
func (t *trip) take(ctx context.Context) error {
	taker, err := t.r.rows.RandomID()
	if err != nil {
		return err
	}
	taken := *t.attempt
	taken.Taker = taker
	err = t.r.rows.Consume(ctx, "the attempt", t.attempt, &taken, errTaken)
	t.attempt = &taken
	return err
}

// finish exchanges Asana's code, and saves the connection or holds the consent. The
// Outcome has a ReturnURL even if finish returns an error.
func (t *trip) finish(ctx context.Context) (Outcome, error) {
	out := outcomeOf(t.attempt)
	got, err := t.redeem(ctx)
	if err != nil {
		return out, err
	}
	if !t.attempt.Link.IsZero() {
		out.ConnectCode, err = t.hold(ctx, got)
		return out, err
	}
	if out.Session, err = t.signIn(ctx, got); err == nil {
		out.SessionTTL = t.r.c.SessionTTL
	}
	return out, err
}

// outcomeOf returns an Outcome that contains only the ReturnURL and the AppState.
func outcomeOf(attempt *store.Attempt) Outcome {
	return Outcome{ReturnURL: attempt.ReturnURL, AppState: attempt.AppState}
}

func (t *trip) redeem(ctx context.Context) (consent.Consent, error) {
	if err := t.r.checkResponse(ctx, t.req); err != nil {
		return consent.Consent{}, err
	}
	id := identifier{r: t.r, nonce: t.secrets.nonce.Reveal(), code: t.req.Code, scopes: t.attempt.Scopes}
	if err := id.fromFragment(ctx, t.req.IDToken); err != nil {
		return consent.Consent{}, err
	}
	tokens, err := t.r.exchange(ctx, t.attempt, t.req.Code, t.secrets.verifier)
	if err != nil {
		return consent.Consent{}, err
	}
	user, err := id.fromTokens(ctx, tokens)
	if err != nil {
		return consent.Consent{}, err
	}
	return consent.Consent{
		Kind: asanaauth.OAuth, ClientID: t.r.asana.ClientID(), Tokens: tokens, User: user,
		Scopes: t.attempt.Scopes, Issued: t.r.rows.Now(),
	}, nil
}

// signIn saves the connection, a new session and the attempt's outcome in one
// transaction, which also ends the session that the browser had before. The result is the
// value of the session's cookie.
func (t *trip) signIn(ctx context.Context, got consent.Consent) (secret.String, error) {
	got.Owner = row.SignInOwner(got.User.GID)
	cookie := cookieOf(got.ID(), t.secrets)
	var ended *store.Hot
	w := consent.Write{
		Rows: t.r.rows, Ring: t.ring, Consent: got, Beside: t.attempt.Key(),
		Also: func(tx *row.Tx, hot *store.Hot) (err error) {
			if !t.attempt.Session.IsZero() {
				if ended, err = session.EndEarlier(ctx, t.r.rows.Table, tx, t.attempt.Session); err != nil {
					return err
				}
			}
			begun, err := session.Begin(t.r.rows, t.ring, hot, cookie, t.r.c.SessionTTL, t.r.c.SessionIdleTTL)
			if err != nil {
				return err
			}
			tx.Put(begun)
			return t.record(tx, outcomeConnected, hot.Connection)
		},
	}
	done, err := w.Do(ctx)
	if err != nil {
		return secret.String{}, err
	}
	done.Audit(ctx, row.AuditConnected, session.CallerOf(cookie))
	session.AuditEnded(ctx, t.r.rows.Table, ended, session.CallerOf(cookie))
	return cookie, nil
}

// cookieOf returns the value of the session's cookie.
func cookieOf(connection string, s secrets) secret.String {
	return secret.New(connection + "." + s.session.Reveal())
}

// hold stores the consent and the attempt's outcome in one transaction. The result is the
// connect code.
func (t *trip) hold(ctx context.Context, got consent.Consent) (secret.String, error) {
	return link.Hold{
		Rows: t.r.rows, Ring: t.ring, Link: t.attempt.Link, Code: t.secrets.code, Consent: got,
		Beside: t.attempt.Key(),
		Also:   func(tx *row.Tx) error { return t.record(tx, outcomeConnected, "") },
	}.Do(ctx)
}

// record writes the attempt's outcome. It returns errTaken unless the attempt is still in
// the state in which take left it. DynamoDB may already have deleted the row of an attempt
// that expired during the callback.
func (t *trip) record(tx *row.Tx, outcome, connection string) error {
	there := row.Get[*store.Attempt](tx.Rows(), t.attempt.Key())
	if there != nil && (there.Taker != t.attempt.Taker || there.Outcome != "") {
		return errTaken
	}
	next := *t.attempt
	next.Outcome, next.Connection = outcome, connection
	tx.Put(&next)
	return nil
}

// recordFailure writes the kind of an error as the attempt's outcome. If the write fails,
// the outcome stays unknown, and a repeated callback returns TryAgain.
func (t *trip) recordFailure(ctx context.Context, failure error) {
	ctx, cancel := t.r.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	key := t.attempt.Key()
	err := t.r.rows.Update(ctx, row.Update{
		What: "the attempt", Keys: []store.Key{key}, Known: store.Rows{key: t.attempt},
		Edit: func(_ context.Context, tx *row.Tx) error {
			return t.record(tx, string(asanaauth.KindOf(failure)), "")
		},
	})
	if err != nil {
		t.r.rows.Warn(ctx, "outcome of the attempt not saved", slog.Any("err", err))
	}
}
