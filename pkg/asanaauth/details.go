package asanaauth

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Details describes a connection to a backend. It never has a token. A field is zero if its
// value is unknown.
//
// Of a disconnected connection, only ID, Kind, Owner, Status and UpdatedAt are set.
type Details struct {
	ID             string // "con_" and 32 of a-z2-7; not a secret
	Kind           Kind
	Owner          string // of a disconnected connection: the name that the caller gave, if any
	Status         Status
	StatusReason   string    // if Status is Broken: ReasonInvalidGrant, ReasonLostToken or ReasonInactive
	AttributedTo   Identity  // the Asana user to whom Asana attributes every action
	ScopeRequested string    // space-separated; empty for an import
	ScopeGranted   string    // space-separated; empty if Asana did not report it
	ReaderOf       []string  // gids of the workspaces of which it is the reader; see package membership
	CreatedAt      time.Time // of the first consent or import
	UpdatedAt      time.Time // of the last consent, import, change of ReaderOf, or disconnect
	LastRefreshed  time.Time // when the current access token was issued; zero for a long-lived token
	BrokenAt       time.Time // when Asana rejected the credential; zero if Status is Active
	ExpiresAt      time.Time // of the access token; zero if Asana gave no expiry
}

// Identity is an Asana user: a person, a bot or a service account.
type Identity struct {
	GID   string        // digits; stable, so key users by it
	Name  secret.String // zero if Asana did not report it; read it with Reveal
	Email secret.String // zero if Asana did not report it; it can change
}
