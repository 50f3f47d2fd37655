package asanaauth

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Details is what a backend may know about a connection. It has no token. A field is zero
// if it is unknown.
//
// A tombstone is a disconnected connection, of which only the id and the kind are kept.
// Of a tombstone, ID, Kind, Owner, Status and UpdatedAt are set.
type Details struct {
	ID             string
	Kind           Kind
	Owner          string // of a tombstone: the name that the caller used, if any
	Status         Status
	StatusReason   string   // ReasonInvalidGrant, ReasonLostToken, ReasonInactive, or empty
	AttributedTo   Identity // the Asana user to whom Asana attributes every action
	ScopeRequested string   // space-separated
	ScopeGranted   string   // space-separated; empty if Asana did not report it
	ReaderOf       []string // gids of the workspaces of which it is the reader; see package membership
	CreatedAt      time.Time
	UpdatedAt      time.Time // of the last consent, import or disconnect
	LastRefreshed  time.Time
	BrokenAt       time.Time
	ExpiresAt      time.Time // of the access token; zero if Asana gave no expiry
}

// Identity is an Asana user: a person, a bot or a service account.
type Identity struct {
	GID   string
	Name  secret.String // zero if Asana did not report it
	Email secret.String // zero if Asana did not report it
}
