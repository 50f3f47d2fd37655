package asanaauth

// Kind is the kind of a connection's credential. Asana documents three
// (https://developers.asana.com/docs/authentication).
type Kind string

// The kinds of credentials.
const (
	OAuth               Kind = "oauth"
	PersonalAccessToken Kind = "personal_access_token"
	ServiceAccount      Kind = "service_account"
)

// Status is the state of a connection.
type Status string

// The states of a connection.
const (
	Active       Status = "active"
	Broken       Status = "broken"       // Asana rejects the credential; the person must connect again
	Revoking     Status = "revoking"     // disconnected here, not yet revoked at Asana
	Disconnected Status = "disconnected" // a tombstone: only the id and the kind are kept, for 30 days
)

// The reasons of the status [Broken].
const (
	ReasonInvalidGrant = "invalid-grant"      // Asana rejected the refresh token
	ReasonLostToken    = "lost-rotated-token" // Asana rejected the refresh token; it had probably rotated it, and the new one was lost
	ReasonInactive     = "inactive"           // introspection (RFC 7662) reports that a long-lived token is not active
)
