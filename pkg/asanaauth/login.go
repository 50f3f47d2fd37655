package asanaauth

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// LoginOptions are the settings of [Login].
type LoginOptions struct {
	RedirectURI    string        // registered at Asana: PUBLIC_URL + "/callback"
	ReturnURLs     []string      // exact; the first is the default
	Scopes         string        // space-separated, what the app is registered for; Begin alone needs them
	ResponseType   string        // "code" (or empty), or "code id_token"
	LinksOnly      bool          // nobody begins without a link
	SessionTTL     time.Duration // absolute; Finish needs it
	SessionIdleTTL time.Duration // idle; Finish needs it
}

// Login takes people to Asana's consent screen and back. Safe for concurrent use.
type Login struct {
	Parts
	o LoginOptions
}

// NewLogin returns a Login. It fails where an option is missing that every
// use needs, and where an ID token is wanted that the scopes do not bring.
func NewLogin(p Parts, o LoginOptions) (*Login, error) {
	if p.Store == nil || p.Asana == nil || o.RedirectURI == "" || len(o.ReturnURLs) == 0 {
		return nil, errors.New("asanaauth: a login needs a store, Asana, a redirect URI and a return URL")
	}
	l := &Login{p.withDefaults(), o}
	if l.UsesFragment() && o.Scopes != "" && !asksFor(o.Scopes, "openid") {
		return nil, errors.New("asanaauth: the response type code id_token (ASANA_RESPONSE_TYPE) needs the scope openid (ASANA_SCOPES)")
	}
	return l, nil
}

// Home is the default return URL: where people are sent who have no attempt.
func (l *Login) Home() string { return l.o.ReturnURLs[0] }

// UsesFragment reports whether Asana answers in the fragment of the redirect URI,
// which a page of ours has to post back.
func (l *Login) UsesFragment() bool { return l.o.ResponseType == "code id_token" }

// BeginRequest is what an app asks when it sends a person to us. All of it is
// optional.
type BeginRequest struct {
	ReturnTo string // one of ReturnURLs
	AppState string // 1 to 256 of A-Za-z0-9_-, given back on every redirect
	Link     string // an invitation by the app's backend
}

// Begun is a trip that has begun.
type Begun struct {
	URL     string        // where the browser goes: Asana's consent screen
	Attempt string        // AttemptName of the state, which names the cookie
	Browser secret.String // the cookie's value: without it nobody finishes
}

// Begin begins a trip to Asana. It keeps a row that neither finishes the trip
// nor tells who is on it: verifier and nonce are derived from the browser's
// secret and the row's salt together (RFC 7636, OpenID Connect Core 3.1.2.1).
//
// Errors: InvalidRequest, LinkExpired, TryAgain.
func (l *Login) Begin(ctx context.Context, r BeginRequest) (Begun, error) {
	if r.AppState != "" && !validAppState(r.AppState) {
		return Begun{}, &Error{Kind: InvalidRequest, Detail: "app_state is 1 to 256 of A-Z, a-z, 0-9, _ and -."}
	}
	t, err := l.whereTo(ctx, r)
	if err != nil {
		return Begun{}, err
	}
	return l.begin(ctx, t)
}

// trip is what an attempt is for.
type trip struct {
	link      store.Hash // zero where it began without one
	returnURL string
	appState  string
	scopes    string
}

// whereTo finds out what a trip is for: what its link says, or signing in.
func (l *Login) whereTo(ctx context.Context, r BeginRequest) (trip, error) {
	if r.Link != "" {
		link, err := l.follow(ctx, r)
		if err != nil {
			return trip{}, err
		}
		return trip{link.Token, link.ReturnURL, r.AppState, link.Scopes}, nil
	}
	if r.ReturnTo == "" {
		r.ReturnTo = l.o.ReturnURLs[0]
	}
	switch {
	case !slices.Contains(l.o.ReturnURLs, r.ReturnTo):
		return trip{}, errReturnTo
	case l.o.LinksOnly:
		return trip{}, &Error{Kind: InvalidRequest, Detail: "A link is needed to connect."}
	}
	return trip{returnURL: r.ReturnTo, appState: r.AppState, scopes: l.o.Scopes}, nil
}

func (l *Login) begin(ctx context.Context, t trip) (Begun, error) {
	random, err := draw(l.Rand, 3*32)
	if err != nil {
		return Begun{}, err
	}
	state, browser, salt := token(random[:32]), secret.New(token(random[32:64])), random[64:]
	writer, err := l.drawName()
	if err != nil {
		return Begun{}, err
	}
	verifier, nonce, err := derive(browser, salt)
	if err != nil {
		return Begun{}, err
	}
	now := l.now()
	attempt := &store.Attempt{
		State:       store.HashText(state),
		Browser:     store.HashText(browser.Reveal()),
		Salt:        salt,
		ReturnURL:   t.returnURL,
		AppState:    t.appState,
		Scopes:      t.scopes,
		RedirectURI: l.o.RedirectURI,
		Link:        t.link,
		Created:     now,
		End:         now.Add(attemptTTL),
	}
	if err := l.Store.Write(ctx, store.Put(attempt, store.Absent, writer)); err != nil {
		return Begun{}, fromParts(fmt.Errorf("keeping the attempt: %w", err))
	}
	a := asana.Authorization{
		State: state, Verifier: verifier, RedirectURI: l.o.RedirectURI,
		Scopes: t.scopes, ResponseType: l.o.ResponseType,
	}
	if asksFor(t.scopes, "openid") {
		a.Nonce = nonce
	}
	return Begun{URL: l.Asana.AuthorizeURL(a), Attempt: AttemptName(state), Browser: browser}, nil
}

// AttemptName is the part of an attempt's cookie name that tells which attempt
// it is: 16 hexadecimal digits of the state's SHA-256.
func AttemptName(state string) string { return store.HashText(state).String()[:16] }

// derive gives the PKCE verifier and the nonce of an attempt.
func derive(browser secret.String, salt []byte) (verifier secret.String, nonce string, err error) {
	v, err := hkdf.Key(sha256.New, []byte(browser.Reveal()), salt, "asanaauth pkce verifier", 32)
	if err != nil {
		return secret.String{}, "", fmt.Errorf("deriving the verifier: %w", err)
	}
	n, err := hkdf.Key(sha256.New, []byte(browser.Reveal()), salt, "asanaauth nonce", 32)
	if err != nil {
		return secret.String{}, "", fmt.Errorf("deriving the nonce: %w", err)
	}
	return secret.New(token(v)), token(n), nil
}

// token writes random bytes as base64url without padding (RFC 4648 section 5).
func token(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func validAppState(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	return len(s) <= 256 && strings.Trim(s, allowed) == ""
}

func asksFor(scopes, scope string) bool { return slices.Contains(strings.Fields(scopes), scope) }
