package login

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/consent"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// ReceiverConfig configures a [Receiver]. The packages that a program uses can share one
// Store, one Keyring, one asana.Client and one Secrets.
type ReceiverConfig struct {
	Store        store.Store           // required
	Keys         *keyring.Keyring      // required
	Asana        *asana.Client         // required
	Secrets      *clientsecret.Secrets // required
	ReturnURLs   []string              // compared as exact strings; the first is the default; required
	ResponseType string                // ResponseCode (or empty) or ResponseCodeIDToken

	SessionTTL     time.Duration // how long a session lasts from its start; required
	SessionIdleTTL time.Duration // how long an unused session lasts; required

	Clock asanaauth.Clock // nil: asanaauth.SystemClock
	Rand  io.Reader       // nil: crypto/rand.Reader
	Log   *slog.Logger    // for audit lines and alarms; nil: nothing is logged
}

// Receiver finishes attempts: it handles Asana's responses. The methods of Receiver are
// safe for concurrent use.
type Receiver struct {
	rows     *row.Rows
	requests *requests.Requests
	asana    *asana.Client
	c        ReceiverConfig
}

// NewReceiver returns a Receiver, or an error that names every missing or wrong
// field of c.
func NewReceiver(c ReceiverConfig) (*Receiver, error) {
	rows, err := row.New(row.Config{Store: c.Store, Keys: c.Keys, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	err = errors.Join(err, row.Missing(c.Asana == nil, "Asana"), row.Missing(c.Secrets == nil, "Secrets"),
		row.Missing(len(c.ReturnURLs) == 0, "ReturnURLs"), checkResponseType(c.ResponseType),
		row.Missing(c.SessionTTL <= 0, "SessionTTL"), row.Missing(c.SessionIdleTTL <= 0, "SessionIdleTTL"))
	if err != nil {
		return nil, err
	}
	reqs, err := requests.New(requests.Config{Rows: rows, Asana: c.Asana, Secrets: c.Secrets})
	c.ReturnURLs = slices.Clone(c.ReturnURLs)
	return &Receiver{rows, reqs, c.Asana, c}, err
}

// Home returns the default return URL, for a browser that has no valid attempt.
func (r *Receiver) Home() string { return r.c.ReturnURLs[0] }

// UsesFragment reports whether Asana sends its response in the fragment of the redirect
// URI. If so, the page at /callback must post the response back to the server.
func (r *Receiver) UsesFragment() bool { return r.c.ResponseType == ResponseCodeIDToken }

// CallbackRequest contains the parameters of Asana's response and the value of the
// attempt's cookie.
type CallbackRequest struct {
	State   string        // "state" (RFC 6749 section 4.1.2)
	Browser secret.String // the value of the attempt's cookie
	Code    secret.String // "code" (RFC 6749 section 4.1.2)
	IDToken secret.String // "id_token" in the fragment; only with ResponseCodeIDToken
	Issuer  string        // "iss" (RFC 9207), if Asana sent it
	Error   string        // "error" (RFC 6749 section 4.1.2.1)
}

// Outcome is the result of [Receiver.Callback].
type Outcome struct {
	// ReturnURL is the URL to redirect the browser to, even if Callback returns an error.
	// ReturnURL is empty if Callback failed before it marked the attempt as used. In that
	// case, show an error page.
	ReturnURL string
	AppState  string // the AppState in the AuthorizeRequest
	// Session is the value of the new session's cookie, and SessionTTL is the session's
	// lifetime.
	Session    secret.String
	SessionTTL time.Duration
	// ConnectCode is the code that the backend must redeem if the attempt began with a
	// link. If ConnectCode is set, Session is zero.
	ConnectCode secret.String
}

// Callback finishes an attempt: it marks the attempt as used, exchanges Asana's code for
// tokens, and identifies the person. For a sign-in, Callback then saves the connection
// and a new session in one transaction. If the attempt began with a link, Callback stores
// the consent instead, until the backend redeems the connect code. Callback takes at most
// 25 seconds.
//
// Errors before the attempt is marked as used: LoginExpired, TryAgain, Internal.
//
// Errors after the attempt is marked as used: AccessDenied, LoginExpired, LinkExpired,
// WrongAccount, Misconfigured, AsanaUnavailable, TryAgain, Internal. The Outcome then has
// a ReturnURL.
func (r *Receiver) Callback(ctx context.Context, req CallbackRequest) (Outcome, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	attempt, err := r.find(ctx, req)
	if err != nil {
		return Outcome{}, err
	}
	ring, err := r.rows.Ring(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if err := r.requests.Ready(ctx); err != nil {
		return Outcome{}, err
	}
	if err := r.take(ctx, attempt); err != nil {
		return Outcome{}, err
	}
	// From here on, ignore the caller's cancellation, because the attempt is marked as
	// used and cannot be repeated.
	ctx, cancel = r.rows.Detach(ctx)
	defer cancel()
	out := Outcome{ReturnURL: attempt.ReturnURL, AppState: attempt.AppState}
	got, err := r.redeem(ctx, attempt, req)
	if err != nil {
		return out, err
	}
	if !attempt.Link.IsZero() {
		out.ConnectCode, err = link.Hold(ctx, r.rows, ring, attempt.Link, got)
		return out, err
	}
	out.SessionTTL = r.c.SessionTTL
	out.Session, err = r.signIn(ctx, ring, got)
	return out, err
}

// find returns the same error for every invalid attempt, so that a caller cannot find out
// whether the attempt exists.
func (r *Receiver) find(ctx context.Context, req CallbackRequest) (*store.Attempt, error) {
	key := store.AttemptKey(store.HashText(req.State))
	rows, err := r.rows.Read(ctx, "the attempt", key)
	if err != nil {
		return nil, err
	}
	attempt := row.Get[*store.Attempt](rows, key)
	switch {
	case attempt == nil, attempt.Taken, req.Browser.IsZero(),
		attempt.Browser != store.HashText(req.Browser.Reveal()),
		!r.rows.Now().Before(attempt.End),
		!slices.Contains(r.c.ReturnURLs, attempt.ReturnURL):
		return nil, errExpired
	}
	return attempt, nil
}

var errExpired = &asanaauth.Error{Kind: asanaauth.LoginExpired}

// take marks the attempt as used. If two callers do so at once, one gets LoginExpired.
func (r *Receiver) take(ctx context.Context, attempt *store.Attempt) error {
	spent := &store.Attempt{State: attempt.State, Browser: attempt.Browser, End: attempt.End, Taken: true}
	return r.rows.Consume(ctx, "the attempt", attempt, spent, errExpired)
}

func (r *Receiver) redeem(ctx context.Context, attempt *store.Attempt, req CallbackRequest) (consent.Consent, error) {
	if err := r.checkResponse(req); err != nil {
		return consent.Consent{}, err
	}
	verifier, nonce, err := derive(req.Browser, attempt.Salt)
	if err != nil {
		return consent.Consent{}, err
	}
	id := identifier{r: r, nonce: nonce, code: req.Code, scopes: attempt.Scopes}
	if err := id.fromFragment(ctx, req.IDToken); err != nil {
		return consent.Consent{}, err
	}
	tokens, err := r.exchange(ctx, attempt, req.Code, verifier)
	if err != nil {
		return consent.Consent{}, err
	}
	user, err := id.fromTokens(ctx, tokens)
	if err != nil {
		return consent.Consent{}, err
	}
	return consent.Consent{
		Kind: asanaauth.OAuth, ClientID: r.asana.ClientID(), Tokens: tokens, User: user,
		Scopes: attempt.Scopes, Issued: r.rows.Now(),
	}, nil
}

func (r *Receiver) checkResponse(req CallbackRequest) error {
	if req.Issuer != "" && !slices.Contains(r.asana.Issuers(), req.Issuer) {
		return untrusted(errors.New("the response names another issuer"))
	}
	switch req.Error {
	case "":
		return nil
	case "access_denied":
		return &asanaauth.Error{Kind: asanaauth.AccessDenied}
	}
	return untrusted(errors.New("asana responded to the authorization with an error"))
}

func untrusted(err error) error {
	return &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Err: err}
}

func (r *Receiver) exchange(ctx context.Context, attempt *store.Attempt, code, verifier secret.String) (asana.Tokens, error) {
	tokens, err := r.requests.Exchange(ctx, code, verifier, attempt.RedirectURI)
	var response *asana.Error
	switch {
	case err == nil && tokens.Refresh.IsZero():
		return tokens, untrusted(errors.New("exchanging the code: no refresh token in the response"))
	case err == nil, asanaauth.KindOf(err) == asanaauth.Misconfigured:
		return tokens, err
	case errors.As(err, &response) && response.Code == asana.InvalidGrant:
		return tokens, &asanaauth.Error{Kind: asanaauth.LoginExpired, Err: err}
	}
	return tokens, err
}

// signIn saves the connection and a new session in one transaction. The result is the
// value of the session's cookie.
func (r *Receiver) signIn(ctx context.Context, ring *seal.Ring, got consent.Consent) (secret.String, error) {
	got.Owner = row.SignInOwner(got.User.GID)
	token, err := r.rows.RandomToken()
	if err != nil {
		return secret.String{}, err
	}
	cookie := secret.New(got.ID() + "." + token)
	w := consent.Write{
		Rows: r.rows, Ring: ring, Consent: got,
		Also: func(_ *row.Tx, hot *store.Hot) (store.Row, error) {
			return session.Begin(r.rows, ring, hot, cookie, r.c.SessionTTL, r.c.SessionIdleTTL)
		},
	}
	done, err := w.Do(ctx)
	if err != nil {
		return secret.String{}, err
	}
	done.Audit(ctx, row.AuditConnected, session.CallerOf(cookie))
	return cookie, nil
}
