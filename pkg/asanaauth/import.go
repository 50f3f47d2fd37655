package asanaauth

import (
	"context"
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
	if err != nil || done.Already {
		return done, err
	}
	if r.RefreshToken.IsZero() {
		return c.importLongLived(ctx, ring, r, caller)
	}
	return c.importGrant(ctx, ring, r, caller)
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
	if done, err := c.importedBefore(ctx, r, ring); err != nil || done.Already {
		return done.Already, err
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
	case !printable(r.credential().Reveal()):
		return &Error{Kind: InvalidRequest, Detail: "A token is 1 to 8192 printable ASCII characters."}
	}
	return nil
}

// credential is what the import brings.
func (r ImportRequest) credential() secret.String {
	if r.RefreshToken.IsZero() {
		return r.Token
	}
	return r.RefreshToken
}

// printable reports whether a token fits into a header and a form unchanged (RFC 6749
// appendix A.12 and A.17).
func printable(token string) bool {
	for _, b := range []byte(token) {
		if b <= 0x20 || b > 0x7e {
			return false
		}
	}
	return len(token) <= 8<<10
}

// importedBefore finds the owner's living connection that this very credential made.
func (c *Connections) importedBefore(ctx context.Context, r ImportRequest, ring *seal.Ring) (Imported, error) {
	kind, hash := r.Kind, store.HashText(r.credential().Reveal())
	if !r.RefreshToken.IsZero() {
		kind = store.OAuth
	}
	l := listing{c: c, owner: r.Owner, ring: ring}
	for !l.done {
		page, err := l.next(ctx)
		if err != nil {
			return Imported{}, err
		}
		for _, conn := range page {
			if conn.hot.Kind == kind && conn.hot.Status == store.Active && conn.whole() && conn.cold.Imported == hash {
				d, err := c.Describe(ctx, conn)
				return Imported{Details: d, Already: err == nil}, err
			}
		}
	}
	return Imported{}, nil
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
	told, err := c.tokenInfo(ctx, token)
	switch {
	case err != nil:
		return told, asana.User{}, err
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
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	user, err := c.Asana.Me(ctx, access)
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusForbidden) {
		return user, rejected(rejectedIdentity, "Asana takes this token, but does not say whose it is: its permissions are limited.", err)
	}
	if err != nil {
		return user, overLimit(fromParts(fmt.Errorf("asking whose token it is: %w", err)))
	}
	return user, nil
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
