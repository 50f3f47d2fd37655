package asanaauth

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Details describes a connection. Details never contains a token. If the value of a field
// is unknown, the field is zero.
//
// For a disconnected connection, only ID, Kind, Owner, Status and UpdatedAt are set.
type Details struct {
	ID             string // "con_" and 32 characters from a-z and 2-7; not a secret
	Kind           Kind
	Owner          string // for a disconnected connection, the owner's name that the caller passed, if any
	Status         Status
	StatusReason   string    // if Status is Broken: ReasonInvalidGrant, ReasonLostToken or ReasonInactive
	AttributedTo   Identity  // the Asana user to whom Asana attributes every action with the credential
	ScopeRequested string    // space-separated; empty for an import
	ScopeGranted   string    // space-separated; empty if Asana did not report it
	ReaderOf       []string  // gids of the workspaces that this connection is the reader of; see package membership
	CreatedAt      time.Time // when the person first consented, or the credential was first imported
	UpdatedAt      time.Time // when the last consent, import, change of ReaderOf, or disconnect happened
	LastRefreshed  time.Time // when the current access token was issued; zero for a long-lived token
	BrokenAt       time.Time // when Asana rejected the credential; zero if Status is Active
	ExpiresAt      time.Time // when the access token expires; zero if Asana gave no expiry
}

// Identity is an Asana user: a person, a bot or a service account.
type Identity struct {
	GID   string        // digits; it never changes, so use it as the key of a user
	Name  secret.String // zero if Asana did not report it; Reveal returns the text
	Email secret.String // zero if Asana did not report it; a user can change it
}
