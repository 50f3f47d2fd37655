package connection

import (
	"context"
	"errors"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/consent"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// ImportRequest contains a credential that was stored outside this deployment before, for
// example in an app's own database. Set either Token and Kind for a long-lived token, or
// RefreshToken for an OAuth grant.
type ImportRequest struct {
	// Owner is the connection's owner: 1 to 256 bytes of UTF-8 without control
	// characters. Owner must not begin with "asana:", because the owner of a connection
	// that a sign-in creates begins with "asana:".
	Owner string
	// Token is a personal access token or a service account's token, of 1 to 8192
	// printable ASCII characters. Kind is not verified, because Asana does not report
	// whether a token belongs to a person or to a service account.
	Token        secret.String
	Kind         asanaauth.Kind // PersonalAccessToken or ServiceAccount
	RefreshToken secret.String  // a refresh token that Asana issued to this deployment's client ID
	Replace      bool           // whether RefreshToken may replace an active connection
}

// Imported is the result of [Connections.Import].
type Imported struct {
	asanaauth.Details
	// Already is true if the owner already had an active connection with the same
	// credential. Import then sent no request to Asana and wrote nothing. Therefore, a
	// caller can safely repeat an import.
	Already bool
}

// The values of Reason in a TokenRejected error.
const (
	rejectedInactive = "inactive"
	rejectedOAuth    = "oauth-token"
	rejectedIdentity = "identity-refused"
)

func rejected(reason, detail string, err error) error {
	return &asanaauth.Error{Kind: asanaauth.TokenRejected, Reason: reason, Detail: detail, Err: err}
}

// Import saves a credential after Asana has verified it. For a long-lived token, Import
// sends an introspection request (RFC 7662). For a refresh token, Import sends one
// refresh request. In both cases, Import then requests the credential's user from Asana
// (GET /users/me). A credential that Asana rejects is not saved.
//
// If Asana rotates refresh tokens, an imported refresh token no longer works elsewhere.
// Do not import the same refresh token twice at the same time.
//
// Errors: InvalidRequest if r is not valid; TokenRejected, with a Reason, if Asana does
// not accept the credential or does not report its user; AlreadyConnected if the import
// would replace an active OAuth connection and r.Replace is false; AsanaUnavailable,
// Misconfigured, TryAgain, Internal.
func (c *Connections) Import(ctx context.Context, r ImportRequest) (Imported, error) {
	if err := r.check(); err != nil {
		return Imported{}, err
	}
	ctx, cancel := c.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	done, err := c.importedBefore(ctx, r)
	if err != nil || done.Already {
		return done, err
	}
	// Get the keyring before the refresh. If Asana rotates the token, the new token can
	// be saved only with the keyring.
	ring, err := c.rows.Ring(ctx)
	if err != nil {
		return Imported{}, err
	}
	if r.RefreshToken.IsZero() {
		return c.importLongLived(ctx, ring, r)
	}
	return c.importGrant(ctx, ring, r)
}

// CheckImport is a dry run of [Connections.Import] that saves nothing. CheckImport
// returns true if the owner already has an active connection with the same credential. If
// the owner has no such connection, CheckImport introspects the credential. For a
// long-lived token, CheckImport also asks Asana for the token's user (GET /users/me).
//
// CheckImport does not send a refresh request, because Asana could then rotate the
// refresh token. Therefore, CheckImport does not find a problem that only a refresh
// reveals, such as a client secret that Asana rejects.
//
// Errors: the errors of Import, except AlreadyConnected and Misconfigured.
func (c *Connections) CheckImport(ctx context.Context, r ImportRequest) (already bool, err error) {
	if err := r.check(); err != nil {
		return false, err
	}
	ctx, cancel := c.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	if done, err := c.importedBefore(ctx, r); err != nil || done.Already {
		return done.Already, err
	}
	if r.RefreshToken.IsZero() {
		_, _, err = c.verify(ctx, r.Token)
		return false, err
	}
	return false, c.verifyGrant(ctx, r.RefreshToken)
}

func (r ImportRequest) check() error {
	if err := row.CheckNewOwner(r.Owner); err != nil {
		return err
	}
	switch {
	case r.Token.IsZero() == r.RefreshToken.IsZero():
		return row.InvalidRequest("Give either token or refresh_token.")
	case !r.Token.IsZero() && !row.TraitsOf(string(r.Kind)).IsImported:
		return row.InvalidRequest("kind must be personal_access_token or service_account.")
	case !isPrintable(r.credential().Reveal()):
		name := "token"
		if r.Token.IsZero() {
			name = "refresh_token"
		}
		return row.InvalidRequest(name + " must be 1 to 8192 printable ASCII characters without spaces.")
	}
	return nil
}

func (r ImportRequest) credential() secret.String {
	if r.RefreshToken.IsZero() {
		return r.Token
	}
	return r.RefreshToken
}

// hash returns the hash that identifies the credential among the owner's imports.
func (r ImportRequest) hash() store.Hash {
	return store.ImportHash(store.HashText(r.Owner), r.credential().Reveal())
}

func (r ImportRequest) kind() asanaauth.Kind {
	if r.RefreshToken.IsZero() {
		return r.Kind
	}
	return asanaauth.OAuth
}

// isPrintable reports whether a token has at most 8192 characters, and only characters
// that RFC 6749 allows (appendix A.12 and A.17).
func isPrintable(token string) bool {
	for _, b := range []byte(token) {
		if b <= 0x20 || b > 0x7e {
			return false
		}
	}
	return len(token) <= 8<<10
}

// importedBefore returns the owner's active connection that was imported with the same
// credential, or the zero value if no such connection exists. It reads one row, and the
// connection if that row exists.
func (c *Connections) importedBefore(ctx context.Context, r ImportRequest) (Imported, error) {
	key := store.ImportKey(r.hash())
	rows, err := c.rows.Read(ctx, "the import", key)
	if err != nil {
		return Imported{}, err
	}
	pointer := row.Get[*store.ImportPointer](rows, key)
	if pointer == nil {
		return Imported{}, nil
	}
	conn, err := c.rows.Open(ctx, pointer.Connection, r.Owner, asanaauth.CallerOf(ctx))
	switch {
	case asanaauth.KindOf(err) == asanaauth.NotFound:
		return Imported{}, nil
	case err != nil:
		return Imported{}, err
	}
	// The connection may have ended since then, or may have another credential or kind.
	o := row.Unwrap(conn)
	if conn.Kind() != r.kind() || o.Hot.Status != row.Active || !o.IsConsistent() || o.Cold.Imported != r.hash() {
		return Imported{}, nil
	}
	d, err := c.rows.Describe(ctx, conn)
	if err != nil || d.Owner != r.Owner { // the owner is missing, so nothing proves that Imported is genuine
		return Imported{}, err
	}
	return Imported{Details: d, Already: true}, nil
}

// importLongLived ignores Replace, because an import is the only way to replace a
// long-lived token.
func (c *Connections) importLongLived(ctx context.Context, ring *seal.Ring, r ImportRequest) (Imported, error) {
	info, user, err := c.verify(ctx, r.Token)
	if err != nil {
		return Imported{}, err
	}
	tokens := asana.Tokens{Access: r.Token, Scope: info.Scope}
	if !info.Expires.IsZero() {
		if tokens.ExpiresIn = info.Expires.Sub(c.rows.Now()); tokens.ExpiresIn <= 0 {
			return Imported{}, rejected(rejectedInactive, "This token has expired. Import a new one.", nil)
		}
	}
	return c.saveImport(ctx, ring, consent.Consent{Kind: r.Kind, Tokens: tokens, User: user}, r)
}

func (c *Connections) verify(ctx context.Context, token secret.String) (asana.Introspection, asana.User, error) {
	info, err := c.requests.Introspect(ctx, token)
	switch {
	case isRefused(err):
		return info, asana.User{}, c.checkUnknown(ctx, token, err)
	case err != nil:
		return info, asana.User{}, err
	case !info.Active:
		return info, asana.User{}, rejectedToken(nil)
	case info.ClientID != "" || info.TokenType == "refresh":
		return info, asana.User{}, rejected(rejectedOAuth, "Asana issued this token to an OAuth app. Import a personal access token or a service account's token.", nil)
	}
	user, err := c.identify(ctx, token)
	return info, user, err
}

// checkUnknown returns the error for a token that Asana refused to introspect, with
// refusal. Asana does not document its response for an unknown token. Therefore,
// checkUnknown requests the token's user: after a 401 response, the token is rejected. If
// Asana accepts the token, checkUnknown returns refusal, because nothing shows that the
// token does not belong to an OAuth app.
func (c *Connections) checkUnknown(ctx context.Context, token secret.String, refusal error) error {
	if _, err := c.requests.Me(ctx, token); requests.IsStatus(err, http.StatusUnauthorized) {
		return rejectedToken(refusal)
	}
	return refusal
}

func rejectedToken(err error) error {
	return rejected(rejectedInactive, "Asana reports that this token is not active. Import another one.", err)
}

func (c *Connections) identify(ctx context.Context, access secret.String) (asana.User, error) {
	user, err := c.requests.Me(ctx, access)
	if isRefused(err) {
		return user, rejected(rejectedIdentity, "Asana accepts this token but does not allow it to read its own user. Import a token with more permissions.", err)
	}
	return user, err
}

// isRefused reports whether Asana refused the request for good. A 401 response counts,
// too, because Import has no newer token with which to repeat the request.
func isRefused(err error) bool {
	return requests.IsRefusal(err) || requests.IsStatus(err, http.StatusUnauthorized)
}

func (c *Connections) saveImport(ctx context.Context, ring *seal.Ring, got consent.Consent, r ImportRequest) (Imported, error) {
	got.Owner, got.Imported = r.Owner, r.hash()
	w := consent.Write{Rows: c.rows, Ring: ring, Consent: got}
	if row.TraitsOf(string(got.Kind)).IsGrant && !r.Replace {
		w.MayReplace = func(before *store.Hot) error {
			if before.Status == row.Active {
				return &asanaauth.Error{Kind: asanaauth.AlreadyConnected}
			}
			return nil
		}
	}
	done, err := w.Do(ctx)
	if err != nil {
		return Imported{}, err
	}
	done.Audit(ctx, row.AuditImported, asanaauth.CallerOf(ctx))
	return Imported{Details: done.Details()}, nil
}

// verifyGrant checks a refresh token by introspection, and not with a refresh request,
// because Asana could then rotate the refresh token.
func (c *Connections) verifyGrant(ctx context.Context, refresh secret.String) error {
	info, err := c.requests.Introspect(ctx, refresh)
	switch {
	case err != nil:
		return err
	case !info.Active:
		return rejectedGrant(nil)
	case info.ClientID != "" && info.ClientID != c.clientID:
		return rejectedGrant(errors.New("the grant was issued to a different client ID"))
	}
	return nil
}

func rejectedGrant(err error) error {
	return rejected(rejectedInactive, "Asana rejected this refresh token for this client ID. Ask the person to connect again.", err)
}
