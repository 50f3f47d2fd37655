package asanaauth

// Kind is the kind of a connection's credential: one of the three that Asana documents
// (https://developers.asana.com/docs/authentication).
type Kind string

// The kinds of credentials.
const (
	// OAuth is an OAuth grant: a refresh token, and access tokens that last an hour.
	// It is made by a sign-in, a link or an import.
	OAuth Kind = "oauth"
	// PersonalAccessToken is a token that a person made in Asana's developer console. It
	// acts as that person. It is imported.
	PersonalAccessToken Kind = "personal_access_token"
	// ServiceAccount is the token of a service account, which an administrator made for an
	// Asana organization. It is imported. Only such a connection can be the reader of
	// workspaces; see package membership.
	ServiceAccount Kind = "service_account"
)

// Status is the state of a connection. Only an [Active] connection has access tokens.
type Status string

// The states of a connection.
const (
	// Active means that the credential worked when it was last used.
	Active Status = "active"
	// Broken means that Asana rejects the credential. The person must connect again, or a
	// new credential must be imported.
	Broken Status = "broken"
	// Revoking means that the connection was disconnected here and is not yet revoked at
	// Asana. Disconnect it again to finish.
	Revoking Status = "revoking"
	// Disconnected means that the connection was erased. A tombstone with its id and kind
	// is kept for 30 days.
	Disconnected Status = "disconnected"
)

// The reasons of the status [Broken].
const (
	// ReasonInvalidGrant means that Asana rejected the refresh token (invalid_grant, RFC
	// 6749 section 5.2). Most often the person removed the app in Asana's settings.
	ReasonInvalidGrant = "invalid-grant"
	// ReasonLostToken means that Asana rejected the refresh token, and had probably rotated
	// it: the response with the new one was lost.
	ReasonLostToken = "lost-rotated-token"
	// ReasonInactive means that Asana reports a long-lived token as not active
	// (introspection, RFC 7662).
	ReasonInactive = "inactive"
)
