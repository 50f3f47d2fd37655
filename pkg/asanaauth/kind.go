package asanaauth

// Kind is the kind of a connection's credential. Asana documents three kinds
// (https://developers.asana.com/docs/authentication).
type Kind string

// The kinds of credentials.
const (
	// OAuth is an OAuth grant: a refresh token, and access tokens that expire after an
	// hour. A sign-in, a link, or the import of a refresh token makes an OAuth
	// connection.
	OAuth Kind = "oauth"
	// PersonalAccessToken is a token that a person made in Asana's developer console. The
	// token acts as that person. A personal access token can only be imported.
	PersonalAccessToken Kind = "personal_access_token"
	// ServiceAccount is the token of a service account. An administrator of an Asana
	// organization makes the account and its token. The token can only be imported. Only
	// the connection of a service account can be the reader of a workspace; see package
	// membership.
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
	// Revoking means that the connection was disconnected here, but its grant is not yet
	// revoked at Asana. To finish, disconnect the connection again.
	Revoking Status = "revoking"
	// Disconnected means that the connection was erased. A tombstone with the
	// connection's ID and kind stays in the table for 30 days.
	Disconnected Status = "disconnected"
)

// The reasons why a connection is [Broken].
const (
	// ReasonInvalidGrant means that Asana rejected the refresh token (invalid_grant, RFC
	// 6749 section 5.2). The usual cause is that the person removed the app in Asana's
	// settings.
	ReasonInvalidGrant = "invalid-grant"
	// ReasonLostToken means that Asana rejected the refresh token. Asana had probably
	// rotated this token, and the response with the new token was lost.
	ReasonLostToken = "lost-rotated-token"
	// ReasonInactive means that Asana's introspection endpoint (RFC 7662) reports a
	// long-lived token as not active.
	ReasonInactive = "inactive"
)
