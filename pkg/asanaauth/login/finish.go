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

// callback is the call of Callback that uses an attempt.
type callback struct {
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
func (c *callback) take(ctx context.Context) error {
	taker, err := c.r.rows.RandomID()
	if err != nil {
		return err
	}
	taken := *c.attempt
	taken.Taker = taker
	err = c.r.rows.Consume(ctx, "the attempt", c.attempt, &taken, errTaken)
	c.attempt = &taken
	return err
}

// finish exchanges Asana's code, and saves the connection or holds the consent. The
// Outcome has a ReturnURL even if finish returns an error.
func (c *callback) finish(ctx context.Context) (Outcome, error) {
	out := outcomeOf(c.attempt)
	got, err := c.redeem(ctx)
	if err != nil {
		return out, err
	}
	if !c.attempt.Link.IsZero() {
		out.ConnectCode, err = c.hold(ctx, got)
		return out, err
	}
	if out.Session, err = c.signIn(ctx, got); err == nil {
		out.SessionTTL = c.r.c.SessionTTL
	}
	return out, err
}

// outcomeOf returns an Outcome that contains only the ReturnURL and the AppState.
func outcomeOf(attempt *store.Attempt) Outcome {
	return Outcome{ReturnURL: attempt.ReturnURL, AppState: attempt.AppState}
}

func (c *callback) redeem(ctx context.Context) (consent.Consent, error) {
	if err := c.r.checkResponse(ctx, c.req); err != nil {
		return consent.Consent{}, err
	}
	id := identifier{r: c.r, nonce: c.secrets.nonce.Reveal(), code: c.req.Code, scopes: c.attempt.Scopes}
	if err := id.fromFragment(ctx, c.req.IDToken); err != nil {
		return consent.Consent{}, err
	}
	tokens, err := c.r.exchange(ctx, c.attempt, c.req.Code, c.secrets.verifier)
	if err != nil {
		return consent.Consent{}, err
	}
	user, err := id.fromTokens(ctx, tokens)
	if err != nil {
		return consent.Consent{}, err
	}
	return consent.Consent{
		Kind: asanaauth.OAuth, ClientID: c.r.asana.ClientID(), Tokens: tokens, User: user,
		Scopes: c.attempt.Scopes, Issued: c.r.rows.Now(),
	}, nil
}

// signIn saves the connection, a new session and the attempt's outcome in one
// transaction, which also ends the session that the browser had before. The result is the
// value of the session's cookie.
func (c *callback) signIn(ctx context.Context, got consent.Consent) (secret.String, error) {
	got.Owner = row.SignInOwner(got.User.GID)
	cookie := cookieOf(got.ID(), c.secrets)
	var ended *store.Hot
	w := consent.Write{
		Rows: c.r.rows, Ring: c.ring, Consent: got, Beside: c.attempt.Key(),
		Also: func(tx *row.Tx, hot *store.Hot) (err error) {
			if !c.attempt.Session.IsZero() {
				if ended, err = session.EndEarlier(ctx, tx, c.attempt.Session, c.r.rows.Now()); err != nil {
					return err
				}
			}
			begun, err := session.Begin(c.r.rows, c.ring, hot, cookie, c.r.c.SessionTTL, c.r.c.SessionIdleTTL)
			if err != nil {
				return err
			}
			tx.Put(begun)
			return c.record(tx, outcomeConnected, hot.Connection)
		},
	}
	done, err := w.Do(ctx)
	if err != nil {
		return secret.String{}, err
	}
	done.Audit(ctx, row.AuditConnected, session.CallerOf(cookie))
	if ended != nil {
		c.r.rows.Audit(ctx, row.AuditSignedOut, session.CallerOf(cookie), ended)
	}
	return cookie, nil
}

// cookieOf returns the value of the session's cookie.
func cookieOf(connection string, s secrets) secret.String {
	return secret.New(connection + "." + s.session.Reveal())
}

// hold stores the consent and the attempt's outcome in one transaction. The result is the
// connect code.
func (c *callback) hold(ctx context.Context, got consent.Consent) (secret.String, error) {
	return link.Hold{
		Rows: c.r.rows, Ring: c.ring, Link: c.attempt.Link, Code: c.secrets.code, Consent: got,
		Beside: c.attempt.Key(),
		Also:   func(tx *row.Tx) error { return c.record(tx, outcomeConnected, "") },
	}.Do(ctx)
}

// record writes the attempt's outcome. It returns errTaken unless the attempt is still in
// the state in which take left it. DynamoDB may already have deleted the row of an attempt
// that expired during the callback.
func (c *callback) record(tx *row.Tx, outcome, connection string) error {
	there := row.Get[*store.Attempt](tx.Rows(), c.attempt.Key())
	if there != nil && (there.Taker != c.attempt.Taker || there.Outcome != "") {
		return errTaken
	}
	next := *c.attempt
	next.Outcome, next.Connection = outcome, connection
	tx.Put(&next)
	return nil
}

// recordFailure writes the kind of an error as the attempt's outcome. If the write fails,
// the outcome stays unknown, and a repeated callback returns TryAgain.
func (c *callback) recordFailure(ctx context.Context, failure error) {
	ctx, cancel := c.r.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	key := c.attempt.Key()
	err := c.r.rows.Update(ctx, row.Update{
		What: "the attempt", Keys: []store.Key{key}, Known: store.Rows{key: c.attempt},
		Edit: func(_ context.Context, tx *row.Tx) error {
			return c.record(tx, string(asanaauth.KindOf(failure)), "")
		},
	})
	if err != nil {
		c.r.rows.Warn(ctx, "outcome of the attempt not saved", slog.Any("err", err))
	}
}
