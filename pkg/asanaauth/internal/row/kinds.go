package row

import "github.com/asanaauth/asanaauth/pkg/asanaauth"

// Traits are the differences between the kinds of credentials.
type Traits struct {
	// IsGrant is true for an OAuth grant. It belongs to one client id, is refreshed, and
	// can be revoked at Asana. Other credentials are handed out as they are, are checked
	// by introspection, and are only erased here.
	IsGrant bool
	// ForFrontends is true if its access tokens may be sent to a browser. A long-lived
	// token may not.
	ForFrontends bool
	// CanRead is true if such a credential may be the reader of workspaces; see package
	// membership.
	CanRead bool
	// IsImported is true if an import brings the access token itself.
	IsImported bool
}

// TraitsOf returns the traits of a kind as it is stored; an unknown kind has none.
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

// The statuses of package asanaauth, as rows store them.
const (
	Active       = string(asanaauth.Active)
	Broken       = string(asanaauth.Broken)
	Revoking     = string(asanaauth.Revoking)
	Disconnected = string(asanaauth.Disconnected)
)
