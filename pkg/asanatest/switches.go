package asanatest

// Switches configures the behavior of an [Asana]. Some switches make requests fail, so
// that you can test how a client handles errors. The other switches select one of several
// possible behaviors in cases that Asana does not document.
//
// Start with [DefaultSwitches], because the zero value is not valid. The last paragraph
// of each field's comment says what is known about the real Asana. SWITCHES.md and the
// page at /_offline/ contain the same texts.
type Switches struct {
	// Down makes every endpoint except those under /_offline/ return 503.
	//
	// Real Asana: an outage can make all of Asana unavailable.
	Down bool `json:"down" group:"Trouble"`

	// DelayMS is the time in milliseconds for which the API and the token, revocation and
	// introspection endpoints wait before they process a request.
	//
	// Real Asana: Asana can be slow.
	DelayMS int `json:"delay_ms" group:"Trouble"`

	// Status is the status with which the token endpoint responds to every request. The
	// token requests have no effect. Allowed values are 200 to 599, and 0 turns the
	// switch off.
	//
	// Real Asana: a server behind the token endpoint can fail.
	Status int `json:"status" group:"Trouble" max:"599"`

	// Nonsense makes the API and the token, revocation and introspection endpoints
	// return 200 with the body "nonsense". The requests have no effect.
	//
	// Real Asana: a proxy between the client and Asana can return an error page.
	Nonsense bool `json:"nonsense" group:"Trouble"`

	// Cut makes the API and the token, revocation and introspection endpoints close
	// the network connection without a response. The requests have no effect.
	//
	// Real Asana: a network failure can prevent a response.
	Cut bool `json:"cut" group:"Trouble"`

	// RateLimited makes the API and the token, revocation and introspection endpoints
	// return 429. The response contains the error message that Asana documents.
	//
	// Real Asana: Asana documents rate limits for the API but not for the token
	// endpoint.
	RateLimited bool `json:"rate_limited" group:"Trouble"`

	// RetryAfter is the value of the Retry-After header in 429 responses, in seconds.
	//
	// Real Asana: Asana does not document how long a client has to wait after a 429
	// response.
	RetryAfter int `json:"retry_after" group:"Trouble"`

	// AccessTokenSeconds is the lifetime of new access tokens, in seconds.
	//
	// Real Asana: Asana documents that access tokens typically expire after 3600
	// seconds.
	AccessTokenSeconds int `json:"access_token_seconds" group:"Tokens" min:"1"`

	// CodeSeconds is the lifetime of authorization codes, in seconds.
	//
	// Real Asana: Asana does not document the lifetime of codes. An Asana employee once
	// mentioned about 15 minutes.
	CodeSeconds int `json:"code_seconds" group:"Tokens" min:"1"`

	// RotateRefreshTokens makes each refresh return a new refresh token and revoke the
	// old one.
	//
	// Real Asana: Asana does not document whether a refresh returns a new refresh token.
	// In a test, the real Asana returned no new refresh token.
	RotateRefreshTokens bool `json:"rotate_refresh_tokens" group:"Tokens"`

	// ReuseRevokes makes the server revoke tokens if a client uses a refresh token that
	// an earlier refresh replaced. The server then revokes all tokens that came from the
	// same authorization. The switch has no effect unless rotate_refresh_tokens is set.
	//
	// Real Asana: RFC 9700 recommends such a revocation, because the refresh token may
	// have been stolen. It is not known whether Asana follows the recommendation.
	ReuseRevokes bool `json:"reuse_revokes" group:"Tokens"`

	// RefreshTokenOnRefresh selects the content of the field refresh_token in the
	// response to a refresh. With "absent", the response does not contain the field. With
	// "same", the field contains the refresh token from the request. With "empty", the
	// field contains an empty string. The switch has no effect if rotate_refresh_tokens
	// is set.
	//
	// Real Asana: Asana documents the field refresh_token only for the response to a code
	// exchange.
	RefreshTokenOnRefresh string `json:"refresh_token_on_refresh" group:"Tokens" values:"absent|same|empty"`

	// RefreshTokenIdleSeconds is the time in seconds after which an unused refresh token
	// becomes invalid. If the value is 0, unused refresh tokens stay valid.
	//
	// Real Asana: Asana does not document whether unused refresh tokens become invalid.
	RefreshTokenIdleSeconds int `json:"refresh_token_idle_seconds" group:"Tokens"`

	// RefuseRefresh makes every refresh fail with invalid_grant.
	//
	// Real Asana: a refresh fails with invalid_grant if the person deauthorized the app
	// or lost access to Asana.
	RefuseRefresh bool `json:"refuse_refresh" group:"Tokens"`

	// RefreshEndsOldAccess makes a refresh revoke the earlier access tokens of the
	// same authorization.
	//
	// Real Asana: Asana does not document whether a refresh affects older access tokens.
	RefreshEndsOldAccess bool `json:"refresh_ends_old_access" group:"Tokens"`

	// OmitRefreshToken removes the field refresh_token from the response to a code
	// exchange.
	//
	// Real Asana: Asana documents that the response to a code exchange always contains a
	// refresh token.
	OmitRefreshToken bool `json:"omit_refresh_token" group:"Tokens"`

	// DataOnCode adds the field "data", which identifies the person, to the response
	// to a code exchange.
	//
	// Real Asana: Asana documents that the response to a code exchange contains the field
	// "data". One developer reports that Asana sends the field "data" only if the app
	// requested OpenID Connect scopes.
	DataOnCode bool `json:"data_on_code" group:"Tokens"`

	// DataOnRefresh adds the field "data" to the response to a refresh.
	//
	// Real Asana: Asana does not document whether the response to a refresh contains
	// "data".
	DataOnRefresh bool `json:"data_on_refresh" group:"Tokens"`

	// DataShape selects the content of the field "data". With "2025", "data" contains
	// id (a number), gid, name and email. With "2022", "data" contains id (a string),
	// name and email.
	//
	// Real Asana: Asana's documentation described the content of "data" differently in
	// 2022 and in 2025.
	DataShape string `json:"data_shape" group:"Tokens" values:"2025|2022"`

	// ScopeInTokenResponse adds the field "scope" to the responses of the token
	// endpoint.
	//
	// Real Asana: Asana does not document whether token responses contain "scope".
	ScopeInTokenResponse bool `json:"scope_in_token_response" group:"Tokens"`

	// TokenSize is the length of new access and refresh tokens, in bytes. If the value is
	// 0, tokens are 68 bytes long and have the form of the real tokens that developers
	// have observed.
	//
	// Real Asana: Asana does not document the maximum length of tokens.
	TokenSize int `json:"token_size" group:"Tokens" max:"16384"`

	// InvalidClientStatus is the status of invalid_client errors: 400 or 401.
	//
	// Real Asana: developers report status 400 for wrong client credentials. RFC 6749
	// also allows status 401.
	InvalidClientStatus int `json:"invalid_client_status" group:"Tokens" min:"400" max:"401"`

	// RefuseClient makes the token and revocation endpoints reject all client
	// credentials with invalid_client.
	//
	// Real Asana: after someone has reset the client secret of an app, Asana rejects
	// the old secret.
	RefuseClient bool `json:"refuse_client" group:"Tokens"`

	// RevokeWholeGrant selects the effect of a request to the revocation endpoint. If
	// true, the request removes the person's consent and revokes all tokens that the
	// app has for the person. If false, the request revokes only the tokens of one
	// authorization: the refresh token in the request, and the other tokens that came
	// from the same code.
	//
	// Real Asana: Asana's documentation contains two statements about the effect of
	// revoking a refresh token. One statement says that the app is "deauthorized". The
	// other statement says that "the access tokens derived from it" are revoked, where
	// "it" is the refresh token. It is not known which statement is correct. The default
	// follows the first statement.
	RevokeWholeGrant bool `json:"revoke_whole_grant" group:"Tokens"`

	// RefuseRevocation makes the revocation endpoint refuse to revoke refresh tokens. With
	// "403" or "404", the response has this status. Every other value is the error code in
	// a response with status 400. With "", the endpoint revokes refresh tokens.
	//
	// Real Asana: Asana does not document when the revocation endpoint refuses a refresh
	// token. RFC 7009 allows such errors.
	RefuseRevocation string `json:"refuse_revocation" group:"Tokens" values:"|invalid_request|invalid_grant|unsupported_token_type|403|404"`

	// RevokeAccessTokenError is the error code in the response if a client tries to
	// revoke an access token: "unsupported_token_type" or "invalid_request".
	//
	// Real Asana: Asana documents that the response has status 400, but does not document
	// the body.
	RevokeAccessTokenError string `json:"revoke_access_token_error" group:"Tokens" values:"unsupported_token_type|invalid_request"`

	// UnknownTokenStatus is the status of the response if a client introspects an
	// unknown token. With 200, the body is {"active":false}. With 201 to 599, the body
	// contains an error.
	//
	// Real Asana: Asana does not document how the introspection endpoint responds to
	// unknown tokens.
	UnknownTokenStatus int `json:"unknown_token_status" group:"Tokens" min:"200" max:"599"`

	// TokenCORS allows web pages of any origin to read the responses of the token and
	// revocation endpoints.
	//
	// Real Asana: Asana documents that token requests from browsers are not supported.
	TokenCORS bool `json:"token_cors" group:"Tokens"`

	// SilentConsent skips the consent page if the browser is signed in and the person has
	// already authorized the app for the requested scopes. The server then redirects the
	// browser to the app immediately.
	//
	// Real Asana: Asana does not document when the consent page is skipped. In a test,
	// the real Asana skipped the consent page. The person saw no page that showed the
	// Asana account, and so connected the wrong account. This happened twice.
	SilentConsent bool `json:"silent_consent" group:"Consent"`

	// RequireState makes authorize requests fail if they do not contain the parameter
	// "state".
	//
	// Real Asana: Asana documents that "state" is required, but Asana's own SDK did not
	// send "state".
	RequireState bool `json:"require_state" group:"Consent"`

	// DenyError is the error code in the redirect after the person clicks Deny.
	//
	// Real Asana: Asana does not document the error code after Deny. RFC 6749 specifies
	// access_denied.
	DenyError string `json:"deny_error" group:"Consent"`

	// Distribution selects which workspaces may use the apps. With "any", all workspaces
	// may use the apps. With "none", an error page says that the app is not available.
	//
	// Real Asana: each app has a setting that selects which workspaces may use the app.
	// For a new app, no workspace is selected.
	Distribution string `json:"distribution" group:"Consent" values:"any|none"`

	// DefaultWithOpenID selects whether a request may combine the scope "default" with
	// the scopes "openid", "email" or "profile". With "allow", the server permits this
	// combination. With "refuse", the server rejects the request with the error
	// forbidden_scopes.
	//
	// Real Asana: Asana does not document whether a request may combine these scopes.
	// Developers have reported contradictory observations.
	DefaultWithOpenID string `json:"default_with_openid" group:"Consent" values:"allow|refuse"`

	// ScopeErrorsRedirect makes the server report a forbidden_scopes error to the app, in
	// a redirect. If false, the server shows the error on a page.
	//
	// Real Asana: two pages of Asana's documentation contradict each other about how
	// Asana reports forbidden_scopes errors.
	ScopeErrorsRedirect bool `json:"scope_errors_redirect" group:"Consent"`

	// AdditiveScopes adds the scopes of earlier consents to new tokens.
	//
	// Real Asana: Asana documents that scopes are never additive.
	AdditiveScopes bool `json:"additive_scopes" group:"Consent"`

	// ViewOnlyMayAuthorize allows people to authorize an app even if they are view only
	// in all their workspaces.
	//
	// Real Asana: Asana's help pages say about view-only members both "API access:
	// read-only" and "integrations: no". The two statements leave open whether a
	// view-only member can authorize an app.
	ViewOnlyMayAuthorize bool `json:"view_only_may_authorize" group:"Consent"`

	// IssInRedirect adds the parameter "iss" (RFC 9207) to redirects. With "oauth", the
	// parameter contains the issuer of the authorization server. With "openid", the
	// parameter contains the OpenID Connect issuer. With "other", the parameter contains
	// an unrelated issuer. With "", redirects do not contain the parameter.
	//
	// Real Asana: Asana does not document whether redirects contain the parameter "iss".
	IssInRedirect string `json:"iss_in_redirect" group:"Consent" values:"|oauth|openid|other"`

	// IDTokenSeconds is the lifetime of ID tokens, in seconds.
	//
	// Real Asana: Asana does not document the lifetime of ID tokens.
	IDTokenSeconds int `json:"id_token_seconds" group:"OpenID Connect" min:"1"`

	// IDTokenInTokenResponse adds an ID token to the response to a code exchange if
	// the scope "openid" was granted.
	//
	// Real Asana: Asana does not document whether the response to a code exchange
	// contains an ID token. OpenID Connect requires it, and many of its clients fail
	// without it.
	IDTokenInTokenResponse bool `json:"id_token_in_token_response" group:"OpenID Connect"`

	// IDTokenDelivery selects the part of the redirect URL that contains the
	// parameters if the response type is "id_token" or "code id_token". The part is
	// the "fragment" or the "query".
	//
	// Real Asana: Asana's documentation mentions "redirect parameters" but does not say
	// in which part of the URL these parameters are. OpenID Connect specifies the
	// fragment.
	IDTokenDelivery string `json:"id_token_delivery" group:"OpenID Connect" values:"fragment|query"`

	// NonceInIDToken copies the nonce from the authorize request to the ID token.
	//
	// Real Asana: Asana's documentation does not mention the nonce. OpenID Connect
	// requires that the ID token contains the nonce.
	NonceInIDToken bool `json:"nonce_in_id_token" group:"OpenID Connect"`

	// KeySetMediaType is the media type of the key set that verifies ID tokens.
	//
	// Real Asana: Asana does not document the media type. RFC 7517 registers
	// application/jwk-set+json, and many providers send application/json.
	KeySetMediaType string `json:"key_set_media_type" group:"OpenID Connect" values:"application/json|application/jwk-set+json"`

	// AtHash adds the claim at_hash to an ID token if the response also contains an
	// access token.
	//
	// Real Asana: Asana does not document the claims in ID tokens. In OpenID Connect,
	// at_hash is optional in the token response, and clients verify it if it is present.
	AtHash bool `json:"at_hash" group:"OpenID Connect"`

	// CHash adds the claim c_hash to an ID token if the redirect also contains a code.
	//
	// Real Asana: Asana does not document the claims in ID tokens. OpenID Connect
	// requires c_hash for the response type "code id_token".
	CHash bool `json:"c_hash" group:"OpenID Connect"`

	// SpoilIDToken makes new ID tokens invalid in one way, so that you can test whether a
	// client rejects invalid ID tokens. With "unsigned", the ID token has no signature.
	// With "hs256", the ID token is signed with the client secret. Every other value
	// names the defect of the ID token, such as "expired". With "", ID tokens are valid.
	//
	// Real Asana: an attacker could send an invalid ID token, or Asana could issue one
	// by mistake.
	SpoilIDToken string `json:"spoil_id_token" group:"OpenID Connect" values:"|unsigned|hs256|wrong_key|wrong_issuer|wrong_audience|second_audience|wrong_azp|wrong_subject|no_subject|expired|future|wrong_nonce|wrong_at_hash|wrong_c_hash"`

	// OpenIDIssuer is the issuer in the OpenID Connect discovery document and in ID
	// tokens. If the value is empty, the issuer is the base URL followed by /api/1.0.
	//
	// Real Asana: Asana's discovery document is not public. The source code of other
	// projects contains the issuer https://app.asana.com/api/1.0.
	OpenIDIssuer string `json:"openid_issuer" group:"OpenID Connect"`

	// RootDiscovery makes the OpenID Connect discovery document also available at
	// /.well-known/openid-configuration.
	//
	// Real Asana: developers have observed status 404 at
	// /.well-known/openid-configuration.
	RootDiscovery bool `json:"root_discovery" group:"OpenID Connect"`

	// SubFormat is the form of the claim "sub". With "gid", the claim contains the gid of
	// the user. With "opaque", the claim contains a string that is not the gid, and that
	// never changes for the same user.
	//
	// Real Asana: Asana does not document what the claim "sub" contains.
	SubFormat string `json:"sub_format" group:"OpenID Connect" values:"gid|opaque"`

	// EmailVerified selects the value of the claim email_verified in UserInfo responses:
	// "true" or "false". With "absent", or if the scope "email" was not granted, the
	// response does not contain the claim.
	//
	// Real Asana: Asana does not document whether UserInfo responses contain
	// email_verified.
	EmailVerified string `json:"email_verified" group:"OpenID Connect" values:"absent|true|false"`

	// MembershipFullPermissionsOnly makes the membership endpoints reject tokens with
	// granular scopes.
	//
	// Real Asana: developers have observed that one of the three membership endpoints
	// rejects tokens with granular scopes. We assume that the other two endpoints also
	// reject such tokens.
	MembershipFullPermissionsOnly bool `json:"membership_full_permissions_only" group:"API"`

	// MembershipStatus is the status with which the membership endpoints refuse every
	// request. Allowed values are 400 to 499, and 0 turns the switch off.
	//
	// Real Asana: Asana documents that a response can have status 402 if a workspace does
	// not pay for a feature. It also documents status 451. It does not document which
	// endpoints respond with these statuses.
	MembershipStatus int `json:"membership_status" group:"API" max:"499"`

	// OddMembership selects a defect of the first entry in the list of a user's
	// memberships. With "null", the entry is null. With "no_workspace", the entry has no
	// workspace. With "wrong_flags", the flags are strings and numbers. With
	// "other_user", the entry belongs to a different user. With "", the list has no
	// defect.
	//
	// Real Asana: Asana documents the type of each field. A client should not fail if one
	// entry of a list is different.
	OddMembership string `json:"odd_membership" group:"API" values:"|null|no_workspace|wrong_flags|other_user"`

	// ListInactiveMemberships adds the memberships of deactivated people to lists of
	// memberships. The switch also allows deactivated people to read the workspace.
	//
	// Real Asana: in a recorded response, the list did not contain memberships of
	// deactivated people.
	ListInactiveMemberships bool `json:"list_inactive_memberships" group:"API"`

	// HiddenRecordStatus is the status, 403 or 404, of the response to a request for a
	// record that exists but that the caller may not see.
	//
	// Real Asana: Asana does not document this status.
	HiddenRecordStatus int `json:"hidden_record_status" group:"API" min:"403" max:"404"`

	// ViewOnlyErrorCode selects the place of the code view_only_api_access_failure in
	// the error response to a write by a view-only member. With "error", the code is
	// in errors[0].error. With "top", the code is in the field "error" of the whole
	// response. With "absent", the response does not contain the code.
	//
	// Real Asana: Asana documents the code view_only_api_access_failure, but not its
	// place in the response.
	ViewOnlyErrorCode string `json:"view_only_error_code" group:"API" values:"error|top|absent"`

	// BlockedWorkspace is the gid of a workspace whose admin has blocked the app. Lists
	// do not contain this workspace, and a request for the workspace gets a response with
	// status 401.
	//
	// Real Asana: Asana documents that admins can block apps, but not which responses a
	// blocked app gets.
	BlockedWorkspace string `json:"blocked_workspace" group:"API"`

	// ServiceAccountEmail selects the content of the field "email" in the user record of
	// a service account. With "absent", the record does not contain the field. With
	// "null", the value is null. With "present", the value is an email address.
	//
	// Real Asana: Asana does not document the user records of service accounts.
	ServiceAccountEmail string `json:"service_account_email" group:"API" values:"absent|null|present"`

	// ServiceAccountOnlyStatus is the status, 401 to 404, of the response if an endpoint
	// requires the token of a service account but the request contains a different kind
	// of token.
	//
	// Real Asana: Asana does not document the status of this error response.
	ServiceAccountOnlyStatus int `json:"service_account_only_status" group:"API" min:"401" max:"404"`

	// WWWAuthenticate adds a WWW-Authenticate header to 401 responses of the API.
	//
	// Real Asana: Asana does not document whether 401 responses contain a
	// WWW-Authenticate header.
	WWWAuthenticate bool `json:"www_authenticate" group:"API"`
}

// DefaultSwitches returns the switches for the behavior that Asana documents. If the
// documentation leaves a behavior open, or if Asana's own clients contradict it, the
// default accepts the clients that people use. For example, a request needs no state, and
// ID tokens contain at_hash and c_hash. Otherwise, the default is our best guess.
func DefaultSwitches() Switches {
	return Switches{
		RetryAfter:                    30,
		AccessTokenSeconds:            3600,
		CodeSeconds:                   600,
		RefreshTokenOnRefresh:         "absent",
		DataOnCode:                    true,
		DataShape:                     "2025",
		InvalidClientStatus:           400,
		RevokeWholeGrant:              true,
		RevokeAccessTokenError:        "unsupported_token_type",
		UnknownTokenStatus:            200,
		SilentConsent:                 true,
		DenyError:                     "access_denied",
		Distribution:                  "any",
		DefaultWithOpenID:             "allow",
		ViewOnlyMayAuthorize:          true,
		IDTokenSeconds:                3600,
		IDTokenInTokenResponse:        true,
		IDTokenDelivery:               "fragment",
		NonceInIDToken:                true,
		KeySetMediaType:               "application/json",
		AtHash:                        true,
		CHash:                         true,
		SubFormat:                     "gid",
		EmailVerified:                 "absent",
		MembershipFullPermissionsOnly: true,
		HiddenRecordStatus:            403,
		ViewOnlyErrorCode:             "error",
		ServiceAccountEmail:           "absent",
		ServiceAccountOnlyStatus:      403,
	}
}
