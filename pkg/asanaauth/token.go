package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// TokenRequest says what a caller wants of a token.
type TokenRequest struct {
	// MinTTL is the time that the token must have left, up to half of its
	// life. Zero asks for one that lives; see [DefaultMinTTL].
	MinTTL time.Duration
	// Refused is the SHA-256 of an access token that Asana answered with 401.
	// Where it is the connection's, it is handed out to nobody any more and
	// refreshed at once, at most every 30 seconds.
	Refused *store.Hash
}

// DefaultMinTTL is the MinTTL of callers that name none.
const DefaultMinTTL = 300 * time.Second

// Token is an access token, for one person (or bot) at Asana.
type Token struct {
	Access secret.String
	// ExpiresIn is the time left when it was read; zero where Asana told no end of
	// a long-lived token.
	ExpiresIn time.Duration
	Scope     string // granted, where Asana said it, else asked for; empty where neither is known
}

// Token returns an access token of the session's connection, refreshed if it
// has to be. It waits for another caller's refresh rather than asking Asana a
// second time, and for 25 seconds at most.
//
// Errors: NotAllowedForKind (a long-lived token is not for a frontend),
// ReconnectRequired, TryAgain, AsanaUnavailable, Misconfigured, Internal.
func (c *Connections) Token(ctx context.Context, s *Session, r TokenRequest) (Token, error) {
	if s.hot.Kind != store.OAuth {
		return Token{}, &Error{Kind: NotAllowedForKind}
	}
	return c.TokenOf(ctx, &s.Connection, r)
}

// TokenOf is Token for a backend, and for credentials of every kind. A personal
// access token and a service account's are handed out as they are; one that is
// reported refused is introspected, and breaks the connection where Asana says that
// it is not active.
//
// Errors: ReconnectRequired, TryAgain, AsanaUnavailable, Misconfigured, Internal.
func (c *Connections) TokenOf(ctx context.Context, conn *Connection, r TokenRequest) (Token, error) {
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	access, err := c.fresh(ctx, conn, r)
	if err != nil {
		return Token{}, err
	}
	c.audit(ctx, auditReleased, conn.caller, conn.hot)
	t := Token{Access: access, Scope: scopeOf(conn.cold)}
	if !conn.hot.Expires.IsZero() {
		t.ExpiresIn = max(0, conn.hot.Expires.Sub(c.now()))
	}
	return t, nil
}

// fresh returns the opened access token that serves the request: that of the
// connection's row, or of the refreshed one, which then is the connection's.
func (c *Connections) fresh(ctx context.Context, conn *Connection, r TokenRequest) (secret.String, error) {
	if !conn.whole() {
		return secret.String{}, errTorn
	}
	if conn.hot.Kind != store.OAuth {
		return c.longLived(ctx, conn, r)
	}
	if err := c.canAsk(); err != nil {
		return secret.String{}, err
	}
	held, err := c.openAccess(ctx, conn.hot, conn.ring)
	if err != nil {
		return secret.String{}, err
	}
	w := want{minTTL: r.MinTTL}
	if r.Refused != nil && store.HashText(held.Reveal()) == *r.Refused {
		w.refusedGrant = conn.hot.Grant
	}
	if w.servedBy(conn.hot, c.now()) {
		return held, nil
	}
	hot, err := c.joined(ctx, conn.hot, w, conn.caller)
	if err != nil {
		return secret.String{}, err
	}
	access, err := c.openAccess(ctx, hot, conn.ring)
	if err != nil {
		return secret.String{}, err
	}
	if conn.bound && hot.Epoch != conn.hot.Epoch {
		return secret.String{}, errUnauthenticated // ended, and begun anew, while we waited
	}
	conn.hot = hot
	return access, nil
}

// openAccess opens the access token of an active connection. The rules call it
// before they believe a row: what somebody else wrote does not open.
func (c *Connections) openAccess(ctx context.Context, hot *store.Hot, ring *seal.Ring) (secret.String, error) {
	if hot.Status != store.Active || !named(hot) {
		return secret.String{}, errReconnect(hot)
	}
	return c.open(ctx, ring, hot.Connection, hotLabel(hot, fieldAccess), hot.Access)
}

func errReconnect(hot *store.Hot) error {
	return &Error{Kind: ReconnectRequired, Err: errors.New("the connection is " + string(hot.Status))}
}

// want is what a caller needs of a row.
type want struct {
	minTTL       time.Duration
	refusedGrant int64 // of the token that the caller reports refused; 0 for none
}

// servedBy is where it is decided whether a token is refreshed: it is unless
// the row's access token has the caller's MinTTL left (and the second that may
// pass until the answer), or half of its life where that is less, and nobody
// reported it refused.
func (w want) servedBy(hot *store.Hot, now time.Time) bool {
	life := hot.Expires.Sub(hot.Issued)
	need := min(max(w.minTTL, living)+time.Second, life/2)
	return w.believes(hot, now) && hot.Expires.Sub(now) >= need
}

// livesIn reports whether the row's token, though it should be refreshed,
// still serves a caller that cannot have it refreshed now.
func (w want) livesIn(hot *store.Hot, now time.Time) bool {
	return w.believes(hot, now) && hot.Expires.Sub(now) > living
}

// believes reports whether the row's token may be handed out at all: not of a
// connection that ended, not a refused one, and not one from the future, whose
// times say nothing.
func (w want) believes(hot *store.Hot, now time.Time) bool {
	return hot.Status == store.Active && !w.refused(hot) && !hot.Issued.After(now.Add(clockSkew))
}

// reports reports whether the caller is the first to say that the row's token
// is refused.
func (w want) reports(hot *store.Hot) bool {
	return hot.Grant == w.refusedGrant && hot.Grant != hot.RefusedGrant
}

func (w want) refused(hot *store.Hot) bool {
	return hot.Grant == hot.RefusedGrant || hot.Grant == w.refusedGrant
}

// joined lets callers of one process that nothing else can serve wait for one
// refresh together. Each keeps its own deadline, and its own MinTTL: one that
// the common refresh does not serve goes on by itself.
func (c *Connections) joined(ctx context.Context, hot *store.Hot, w want, caller string) (*store.Hot, error) {
	if c.o.Alone || w.livesIn(hot, c.now()) {
		return c.refresh(ctx, hot, w, caller)
	}
	key := fmt.Sprint(hot.Connection, " ", hot.Epoch, " ", hot.Grant)
	result := make(chan singleflight.Result, 1)
	c.flights.Go(func() {
		got, err, _ := c.flight.Do(key, func() (any, error) {
			ctx, cancel := c.bound(context.WithoutCancel(ctx), callerTime)
			defer cancel()
			return c.refresh(ctx, hot, w, caller)
		})
		result <- singleflight.Result{Val: got, Err: err}
	})
	select {
	case <-ctx.Done():
		return nil, tryAgain(0, ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		got := r.Val.(*store.Hot)
		if w.servedBy(got, c.now()) || w.livesIn(got, c.now()) {
			return got, nil
		}
		return c.refresh(ctx, got, w, caller)
	}
}

// withToken calls Asana with the connection's token, fresh by the rules. One that is
// refused all the same is reported as such, and what came of it tried once.
func withToken[T any](ctx context.Context, c *Connections, conn *Connection, call func(context.Context, secret.String) (T, error)) (T, error) {
	r := TokenRequest{MinTTL: DefaultMinTTL}
	for again := true; ; again = false {
		var none T
		if err := c.hasAsana(); err != nil {
			return none, err
		}
		access, err := c.fresh(ctx, conn, r)
		if err != nil {
			return none, err
		}
		bounded, cancel := c.bound(ctx, 2*requestTime)
		got, err := call(bounded, access)
		cancel()
		if !again || !isStatus(err, http.StatusUnauthorized) {
			return got, err
		}
		hash := store.HashText(access.Reveal())
		r.Refused = &hash
	}
}
