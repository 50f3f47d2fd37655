package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// FinishRequest is what a browser brings back from Asana.
type FinishRequest struct {
	State   string        // of the answer's URL
	Browser secret.String // of the attempt's cookie
	Code    secret.String
	IDToken secret.String // from the fragment, with "code id_token"
	Issuer  string        // "iss" (RFC 9207), where Asana sent it
	Error   string        // "error" (RFC 6749 section 4.1.2.1)
}

// Finished is a trip that has ended.
type Finished struct {
	// ReturnURL is where the browser goes, also where the trip ended with an
	// error: empty as long as the attempt was not taken, when the person has
	// to be told on a page of ours.
	ReturnURL string
	AppState  string
	// Session is the cookie's value of the new session.
	Session    secret.String
	SessionTTL time.Duration // that the cookie lives
	// ConnectCode is what the backend redeems, where the trip began with a link. It
	// begins no session.
	ConnectCode secret.String
}

// Finish ends a trip: it takes the attempt, redeems the code, makes sure who
// the person is, and keeps the connection and a new session in one write; or,
// where the trip began with a link, holds what Asana answered until the backend
// redeems the connect code.
//
// Errors: LoginExpired and TryAgain before the attempt is taken; after it
// AccessDenied, LoginExpired, LinkExpired, WrongAccount, Misconfigured,
// AsanaUnavailable, TryAgain, Internal, with the ReturnURL to bring them to.
func (l *Login) Finish(ctx context.Context, r FinishRequest) (Finished, error) {
	ctx, cancel := l.bound(ctx, callerTime)
	defer cancel()
	attempt, err := l.find(ctx, r)
	if err != nil {
		return Finished{}, err
	}
	ring, err := l.Keys.Ring(ctx)
	if err != nil {
		return Finished{}, err
	}
	if err := l.Secrets.Ready(ctx); err != nil {
		return Finished{}, err
	}
	if err := l.take(ctx, attempt); err != nil {
		return Finished{}, err
	}
	// From here on a person who closes the window does not count: the code works
	// once, and what it brings is kept.
	ctx, cancel = l.detached(ctx)
	defer cancel()
	finished := Finished{ReturnURL: attempt.ReturnURL, AppState: attempt.AppState, SessionTTL: l.o.SessionTTL}
	if err := l.believe(r); err != nil {
		return finished, err
	}
	consent, err := l.redeem(ctx, attempt, r)
	if err != nil {
		return finished, err
	}
	if attempt.Link.IsZero() {
		finished.Session, err = l.keep(ctx, ring, consent)
	} else {
		finished.ConnectCode, err = l.hold(ctx, ring, attempt.Link, consent)
	}
	return finished, err
}

// find reads the attempt and checks all that an attempt must fulfil. One error
// for all: nobody learns whether a state exists.
func (l *Login) find(ctx context.Context, r FinishRequest) (*store.Attempt, error) {
	key := store.AttemptKey(store.HashText(r.State))
	rows, err := l.Store.Read(ctx, key)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading the attempt: %w", err))
	}
	attempt, _ := rows[key].(*store.Attempt)
	switch {
	case attempt == nil, attempt.Taken, r.Browser.IsZero(),
		attempt.Browser != store.HashText(r.Browser.Reveal()),
		!l.now().Before(attempt.End),
		!slices.Contains(l.o.ReturnURLs, attempt.ReturnURL):
		return nil, &Error{Kind: LoginExpired}
	}
	return attempt, nil
}

// take turns the attempt into a spent marker. The condition is the row as it
// was found, so of two takers one is refused.
func (l *Login) take(ctx context.Context, attempt *store.Attempt) error {
	writer, err := l.drawName()
	if err != nil {
		return err
	}
	spent := &store.Attempt{
		State: attempt.State, Browser: attempt.Browser,
		Created: attempt.Created, End: attempt.End, Taken: true,
	}
	return l.spend(ctx, store.Put(spent, attempt.Rev, writer), LoginExpired)
}

// believe judges the answer itself, before anything is done with its code.
func (l *Login) believe(r FinishRequest) error {
	if r.Issuer != "" && !slices.Contains(l.Asana.Issuers(), r.Issuer) {
		return &Error{Kind: AsanaUnavailable, Err: errors.New("the answer names another issuer")}
	}
	switch r.Error {
	case "":
		return nil
	case "access_denied":
		return &Error{Kind: AccessDenied}
	}
	return &Error{Kind: AsanaUnavailable, Err: errors.New("asana answered the authorization with an error")}
}

// redeem exchanges the code, once, and makes sure of the identity.
func (l *Login) redeem(ctx context.Context, attempt *store.Attempt, r FinishRequest) (consent, error) {
	verifier, nonce, err := derive(r.Browser, attempt.Salt)
	if err != nil {
		return consent{}, err
	}
	id := identifier{l: l, nonce: nonce, code: r.Code, scopes: attempt.Scopes}
	if err := id.fromFragment(ctx, r.IDToken); err != nil {
		return consent{}, err
	}
	tokens, err := l.exchange(ctx, attempt, r.Code, verifier)
	if err != nil {
		return consent{}, err
	}
	user, err := id.fromTokens(ctx, tokens)
	if err != nil {
		return consent{}, err
	}
	return consent{kind: store.OAuth, tokens: tokens, user: user, scopes: attempt.Scopes, issued: l.now()}, nil
}

func (l *Login) exchange(ctx context.Context, attempt *store.Attempt, code, verifier secret.String) (asana.Tokens, error) {
	ctx, cancel := l.bound(ctx, requestTime)
	defer cancel()
	var tokens asana.Tokens
	err := l.Secrets.send(ctx, func(clientSecret secret.String) (err error) {
		tokens, err = l.Asana.Exchange(ctx, clientSecret, code, verifier, attempt.RedirectURI)
		return err
	})
	var refused *asana.Error
	switch {
	case err == nil && tokens.Refresh.IsZero():
		return tokens, &Error{Kind: AsanaUnavailable, Err: errors.New("exchanging the code: no refresh token in the answer")}
	case err == nil:
		return tokens, nil
	case errors.Is(err, errSecretRejected):
		l.alarm(ctx, alarmSecretRejected, "", err)
		return tokens, &Error{Kind: Misconfigured, Err: err}
	case errors.As(err, &refused) && refused.Code == asana.InvalidGrant:
		return tokens, &Error{Kind: LoginExpired, Err: err}
	}
	return tokens, fromParts(fmt.Errorf("exchanging the code: %w", err))
}

// keep writes the connection of a person who signs in and a new session, in one
// transaction, over whatever stands there, and returns the session's cookie value.
func (l *Login) keep(ctx context.Context, ring *seal.Ring, c consent) (secret.String, error) {
	c.owner = signInOwner(c.user.GID)
	random, err := draw(l.Rand, 32)
	if err != nil {
		return secret.String{}, err
	}
	id := store.ConnectionID(store.HashText(c.owner), c.user.GID, c.kind)
	cookie := secret.New(id + "." + token(random))
	w := consentWrite{p: &l.Parts, ring: ring, consent: c}
	w.beside = func(_ context.Context, hot *store.Hot, writer string) (store.Change, error) {
		session, err := l.newSession(ring, hot, cookie)
		if err != nil {
			return store.Change{}, err
		}
		return store.Put(session, store.Absent, writer), nil
	}
	if err := w.keep(ctx); err != nil {
		return secret.String{}, err
	}
	w.kept(ctx, auditConnected, callerOf(cookie))
	return cookie, nil
}

func (l *Login) newSession(ring *seal.Ring, hot *store.Hot, cookie secret.String) (*store.Session, error) {
	now := l.now()
	end := now.Add(l.o.SessionTTL)
	s := &store.Session{
		Cookie:     store.HashText(cookie.Reveal()),
		Connection: hot.Connection,
		Epoch:      hot.Epoch,
		Start:      now,
		End:        end,
		IdleTTL:    l.o.SessionIdleTTL,
		IdleEnd:    earlier(now.Add(l.o.SessionIdleTTL), end),
	}
	return s, prove(&l.Parts, ring, s, hot)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
