package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// ImportRequest is a credential that was held elsewhere until now: either a
// long-lived Token and its Kind, or the RefreshToken of an OAuth grant.
type ImportRequest struct {
	Owner string // not one of sign-in
	// Token is a personal access token or a service account's. Which of the two it
	// is, is the caller's word: Asana offers no check.
	Token        secret.String
	Kind         store.Kind    // PersonalAccessToken or ServiceAccount
	RefreshToken secret.String // issued to our own client id
	Replace      bool          // an active connection; with RefreshToken
}

// Imported is the connection that an import made.
type Imported struct {
	Details
	// Already says that this very credential was imported before and lives: Asana
	// was not asked, and nothing was written. So an import can be run again.
	Already bool
}

// The reasons of TokenRejected, as the contract names them.
const (
	rejectedInactive = "inactive"
	rejectedOAuth    = "oauth-token"
	rejectedIdentity = "identity-refused"
)

func rejected(reason, detail string, err error) error {
	return &Error{Kind: TokenRejected, Reason: reason, Detail: detail, Err: err}
}

// Import keeps a credential that Asana has verified: a long-lived token by
// introspection (RFC 7662), a refresh token by one refresh, and each by the identity
// that it stands for, which is in the answer. What is refused is not kept.
//
// Where Asana rotates, a refresh token that was imported is worth nothing elsewhere
// any more, and one import of it at a time is to be under way.
//
// Errors: InvalidRequest; TokenRejected, with a Reason; AlreadyConnected;
// AsanaUnavailable, Misconfigured, TryAgain, Internal.
func (c *Connections) Import(ctx context.Context, r ImportRequest, caller string) (Imported, error) {
	if err := r.check(); err != nil {
		return Imported{}, err
	}
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	// All that will be needed, before a token is sent that may work only once.
	ring, err := c.Keys.Ring(ctx)
	if err != nil {
		return Imported{}, err
	}
	done, err := c.importedBefore(ctx, r, ring)
	if err != nil || done != nil {
		return Imported{Details: deref(done), Already: done != nil}, err
	}
	if r.RefreshToken.IsZero() {
		return c.importLongLived(ctx, ring, r, caller)
	}
	return c.importGrant(ctx, ring, r, caller)
}

func deref(d *Details) Details {
	if d == nil {
		return Details{}
	}
	return *d
}

// CheckImport is a dry run of [Connections.Import]: it introspects alone, since a
// refresh could rotate the token, and keeps nothing. already says that this very
// credential was imported before and lives. What a refresh alone would show (a
// client secret that Asana refuses) is not found. Errors: as of Import.
func (c *Connections) CheckImport(ctx context.Context, r ImportRequest) (already bool, err error) {
	if err := r.check(); err != nil {
		return false, err
	}
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	ring, err := c.Keys.Ring(ctx)
	if err != nil {
		return false, err
	}
	if done, err := c.importedBefore(ctx, r, ring); err != nil || done != nil {
		return done != nil, err
	}
	if r.RefreshToken.IsZero() {
		_, _, err = c.verify(ctx, r.Token)
		return false, err
	}
	return false, c.verifyGrant(ctx, r.RefreshToken)
}

// check judges the request itself.
func (r ImportRequest) check() error {
	if err := checkNewOwner(r.Owner); err != nil {
		return err
	}
	switch {
	case r.Token.IsZero() == r.RefreshToken.IsZero():
		return &Error{Kind: InvalidRequest, Detail: "An import has a token or a refresh_token."}
	case !r.Token.IsZero() && r.Kind != store.PersonalAccessToken && r.Kind != store.ServiceAccount:
		return &Error{Kind: InvalidRequest, Detail: "kind is personal_access_token or service_account."}
	case !r.credential().printable():
		return &Error{Kind: InvalidRequest, Detail: "A token is 1 to 8192 printable ASCII characters."}
	}
	return nil
}

func (r ImportRequest) credential() credential {
	if r.RefreshToken.IsZero() {
		return credential{r.Token}
	}
	return credential{r.RefreshToken}
}

// credential is what an import brings.
type credential struct{ secret.String }

// printable reports whether it fits into a header and a form unchanged (RFC 6749
// appendix A.12 and A.17).
func (c credential) printable() bool {
	text := c.Reveal()
	for _, b := range []byte(text) {
		if b <= 0x20 || b > 0x7e {
			return false
		}
	}
	return len(text) <= 8<<10
}

// importedBefore finds the owner's living connection that this very credential made.
func (c *Connections) importedBefore(ctx context.Context, r ImportRequest, ring *seal.Ring) (*Details, error) {
	kind, hash := r.Kind, store.HashText(r.credential().Reveal())
	if !r.RefreshToken.IsZero() {
		kind = store.OAuth
	}
	l := listing{c: c, ref: Ref{Owner: r.Owner}, ring: ring}
	for {
		page, err := l.next(ctx)
		if err != nil || page == nil {
			return nil, err
		}
		for _, conn := range page {
			if conn.hot.Kind == kind && conn.hot.Status == store.Active && conn.whole() && conn.cold.Imported == hash {
				d, err := c.Describe(ctx, conn)
				return &d, err
			}
		}
	}
}

// importLongLived keeps a personal access token or a service account's token. One
// that is there is replaced: that is how a token is changed.
func (c *Connections) importLongLived(ctx context.Context, ring *seal.Ring, r ImportRequest, caller string) (Imported, error) {
	told, user, err := c.verify(ctx, r.Token)
	if err != nil {
		return Imported{}, err
	}
	tokens := asana.Tokens{Access: r.Token, Scope: told.Scope}
	if !told.Expires.IsZero() {
		if tokens.ExpiresIn = told.Expires.Sub(c.now()); tokens.ExpiresIn <= 0 {
			return Imported{}, rejected(rejectedInactive, "The token's time is over.", nil)
		}
	}
	return c.keepImport(ctx, ring, consent{kind: r.Kind, tokens: tokens, user: user}, r, caller)
}

// verify asks Asana what a long-lived token is, and then whose.
func (c *Connections) verify(ctx context.Context, token secret.String) (asana.Introspection, asana.User, error) {
	if err := c.canIntrospect(); err != nil {
		return asana.Introspection{}, asana.User{}, err
	}
	ctx, cancel := c.bound(ctx, 2*requestTime)
	defer cancel()
	told, err := c.Asana.Introspect(ctx, token)
	switch {
	case err != nil:
		return told, asana.User{}, overLimit(fromParts(fmt.Errorf("introspecting: %w", err)))
	case !told.Active:
		return told, asana.User{}, rejected(rejectedInactive, "Asana says that this token is not active.", nil)
	case told.ClientID != "" || told.TokenType == "refresh":
		return told, asana.User{}, rejected(rejectedOAuth, "This is a token that Asana issued to an app, and no long-lived one.", nil)
	}
	user, err := c.identify(ctx, token)
	return told, user, err
}

// identify asks Asana whose token it is.
func (c *Connections) identify(ctx context.Context, access secret.String) (asana.User, error) {
	user, err := c.Asana.Me(ctx, access)
	var answer *asana.Error
	if errors.As(err, &answer) && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden) {
		return user, rejected(rejectedIdentity, "Asana takes this token, but does not say whose it is: its permissions are limited.", err)
	}
	if err != nil {
		return user, overLimit(fromParts(fmt.Errorf("asking whose token it is: %w", err)))
	}
	return user, nil
}

// verifyGrant introspects a refresh token, which changes nothing at Asana.
func (c *Connections) verifyGrant(ctx context.Context, refresh secret.String) error {
	if err := c.canIntrospect(); err != nil {
		return err
	}
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	told, err := c.Asana.Introspect(ctx, refresh)
	switch {
	case err != nil:
		return overLimit(fromParts(fmt.Errorf("introspecting: %w", err)))
	case !told.Active:
		return errNoGrant(nil)
	case told.ClientID != "" && told.ClientID != c.Asana.ClientID():
		return errNoGrant(errors.New("the grant was issued to another client id"))
	}
	return nil
}

func errNoGrant(err error) error {
	return rejected(rejectedInactive, "Asana does not take this refresh token from this app.", err)
}

// importGrant keeps an OAuth grant. Nobody knows whose it is before it is refreshed.
func (c *Connections) importGrant(ctx context.Context, ring *seal.Ring, r ImportRequest, caller string) (Imported, error) {
	if err := c.canAsk(); err != nil {
		return Imported{}, err
	}
	if err := c.Secrets.Ready(ctx); err != nil {
		return Imported{}, err
	}
	if c.left(ctx) < requestTime+requestTime+saveReserve {
		return Imported{}, tryAgain(0, errors.New("no time left to ask Asana"))
	}
	// From here on a caller who goes away does not count: the token may rotate.
	ctx, cancel := c.detached(ctx)
	defer cancel()
	tokens, err := c.refreshOnce(ctx, r.RefreshToken)
	if err != nil {
		return Imported{}, err
	}
	got, err := c.keepGrant(ctx, ring, tokens, r, caller)
	if err != nil && rotated(tokens, r.RefreshToken) {
		c.alarm(ctx, alarmUnsaved, "", err)
	}
	return got, err
}

func rotated(t asana.Tokens, sent secret.String) bool {
	return !t.Refresh.IsZero() && !t.Refresh.Equal(sent)
}

func (c *Connections) refreshOnce(ctx context.Context, refresh secret.String) (asana.Tokens, error) {
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	var tokens asana.Tokens
	err := c.Secrets.send(ctx, func(clientSecret secret.String) (err error) {
		tokens, err = c.Asana.Refresh(ctx, clientSecret, refresh)
		return err
	})
	var answer *asana.Error
	switch {
	case errors.Is(err, errSecretRejected):
		c.alarm(ctx, alarmSecretRejected, "", err)
		return tokens, &Error{Kind: Misconfigured, Err: err}
	case errors.As(err, &answer) && answer.Code == asana.InvalidGrant:
		return tokens, errNoGrant(err)
	case err != nil:
		return tokens, overLimit(fromParts(fmt.Errorf("refreshing: %w", err)))
	}
	return tokens, nil
}

func (c *Connections) keepGrant(ctx context.Context, ring *seal.Ring, tokens asana.Tokens, r ImportRequest, caller string) (Imported, error) {
	issued := c.now()
	ask, cancel := c.bound(ctx, requestTime)
	defer cancel()
	user, err := c.identify(ask, tokens.Access)
	if err != nil {
		return Imported{}, err
	}
	if told := tokens.User.GID; told != "" && told != user.GID {
		return Imported{}, &Error{Kind: AsanaUnavailable, Err: errDisagree}
	}
	if tokens.Refresh.IsZero() {
		tokens.Refresh = r.RefreshToken
	}
	return c.keepImport(ctx, ring, consent{kind: store.OAuth, tokens: tokens, user: user, issued: issued}, r, caller)
}

func (c *Connections) keepImport(ctx context.Context, ring *seal.Ring, got consent, r ImportRequest, caller string) (Imported, error) {
	got.owner, got.imported = r.Owner, store.HashText(r.credential().Reveal())
	w := consentWrite{p: &c.Parts, ring: ring, consent: got}
	if got.kind == store.OAuth && !r.Replace {
		w.replaces = func(before *store.Hot) error {
			if before.Status == store.Active {
				return &Error{Kind: AlreadyConnected}
			}
			return nil
		}
	}
	if err := w.keep(ctx); err != nil {
		return Imported{}, err
	}
	w.kept(ctx, auditImported, caller)
	return Imported{Details: w.details()}, nil
}
