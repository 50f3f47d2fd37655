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
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
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
	// ReturnURL is empty if the browser has no attempt that it can finish or repeat, or if
	// Callback failed before it marked the attempt as used. In these cases, show an error
	// page.
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
// If the same browser has already called Callback for the attempt, Callback waits for the
// outcome of the first call, at most 5 seconds, and returns the same outcome. It returns
// LoginExpired instead if the session has ended, or if the connect code can no longer be
// redeemed.
//
// Errors without a ReturnURL: LoginExpired, TryAgain, Internal. After TryAgain, a reload of
// the page can still finish the attempt.
//
// Errors with a ReturnURL: AccessDenied, LoginExpired, LinkExpired, WrongAccount,
// Misconfigured, AsanaUnavailable, TryAgain, Internal.
func (r *Receiver) Callback(ctx context.Context, req CallbackRequest) (Outcome, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	attempt, err := r.find(ctx, req)
	if err != nil {
		return Outcome{}, err
	}
	if attempt.Taker != "" {
		return r.repeat(ctx, attempt, req)
	}
	c := callback{r: r, req: req, attempt: attempt}
	if c.ring, err = r.rows.Ring(ctx); err != nil {
		return Outcome{}, err
	}
	if err := r.requests.Ready(ctx); err != nil {
		return Outcome{}, err
	}
	if c.secrets, err = derive(req.Browser, attempt.Salt); err != nil {
		return Outcome{}, err
	}
	// From here on, ignore the caller's cancellation, because an attempt can be used only
	// once.
	ctx, cancel = r.rows.Detach(ctx)
	defer cancel()
	switch err := c.take(ctx); {
	case errors.Is(err, errTaken):
		return r.repeat(ctx, attempt, req)
	case err != nil:
		return Outcome{}, err
	}
	out, err := c.finish(ctx)
	if err != nil {
		c.recordFailure(ctx, err)
	}
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
	case attempt == nil, req.Browser.IsZero(),
		attempt.Browser != store.HashText(req.Browser.Reveal()),
		!r.rows.Now().Before(attempt.End),
		!slices.Contains(r.c.ReturnURLs, attempt.ReturnURL):
		return nil, errExpired
	}
	return attempt, nil
}

var errExpired = &asanaauth.Error{Kind: asanaauth.LoginExpired}

func (r *Receiver) checkResponse(ctx context.Context, req CallbackRequest) error {
	if req.Issuer != "" && !slices.Contains(r.asana.Issuers(), req.Issuer) {
		return untrusted(errors.New("the response names another issuer"))
	}
	if req.Error != "" {
		return r.refused(ctx, req.Error)
	}
	return nil
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
	case errors.As(err, &response) && isMisconfiguration(response.Code):
		return tokens, r.misconfigured(ctx, err)
	}
	return tokens, err
}
