package row

import "github.com/asanaauth/asanaauth/pkg/asanaauth"

// Traits describes how one kind of credential differs from the others.
type Traits struct {
	// IsGrant is true for an OAuth grant. An OAuth grant belongs to one client ID, is
	// refreshed, and can be revoked at Asana. All other credentials are never refreshed,
	// are checked by introspection, and cannot be revoked at Asana.
	IsGrant bool
	// ForFrontends is true if access tokens of this kind may be sent to a browser.
	// Long-lived tokens must not be sent to a browser.
	ForFrontends bool
	// CanRead is true if the credential's connection may be the reader of workspaces.
	// Package membership explains readers.
	CanRead bool
	// IsImported is true if the credential is an access token that a backend imports.
	IsImported bool
}

// TraitsOf returns the traits of a kind of credential. All traits are false if kind,
// which comes from a row, is unknown.
func TraitsOf(kind string) Traits {
	switch asanaauth.Kind(kind) {
	case asanaauth.OAuth:
		return Traits{IsGrant: true, ForFrontends: true}
	case asanaauth.PersonalAccessToken:
		return Traits{IsImported: true}
	case asanaauth.ServiceAccount:
		return Traits{IsImported: true, CanRead: true}
	}
	return Traits{}
}

// The statuses of a connection, as the strings that rows contain.
const (
	Active       = string(asanaauth.Active)
	Broken       = string(asanaauth.Broken)
	Revoking     = string(asanaauth.Revoking)
	Disconnected = string(asanaauth.Disconnected)
)
