package asanatest

// Switches configure the behavior of this Asana. Some make requests fail, so that you can
// test how a client handles errors. The others select one of several possible behaviors
// if Asana's public documents do not say what Asana does.
//
// Start from [DefaultSwitches], because the zero value has invalid settings. The comment of
// each field ends with the behavior of Asana that the switch stands for. SWITCHES.md and
// the page at /_offline/ show the same text.
type Switches struct {
	// Down makes every endpoint except those under /_offline/ return 503.
	//
	// Stands for: an outage of Asana.
	Down bool `json:"down" group:"Trouble"`

	// DelayMS is a delay in milliseconds. The API and the token, revocation and
	// introspection endpoints wait this long before they process a request.
	//
	// Stands for: a slow Asana.
	DelayMS int `json:"delay_ms" group:"Trouble"`

	// Status is the status that the token endpoint returns to every request, without
	// processing it. 0 turns this off; other values are 200 to 599.
	//
	// Stands for: a failure behind the token endpoint.
	Status int `json:"status" group:"Trouble" max:"599"`

	// Nonsense makes the API and the token, revocation and introspection endpoints return
	// 200 with the body "nonsense". The request has no effect.
	//
	// Stands for: a proxy or an error page between the client and Asana.
	Nonsense bool `json:"nonsense" group:"Trouble"`

	// Cut makes the API and the token, revocation and introspection endpoints close the
	// connection without a response. The request has no effect.
	//
	// Stands for: a network failure.
	Cut bool `json:"cut" group:"Trouble"`

	// RateLimited makes the API and the token, revocation and introspection endpoints
	// return 429, with the error body that Asana documents.
	//
	// Stands for: Asana's rate limits. Asana documents limits for the API but not for the
	// token endpoint.
	RateLimited bool `json:"rate_limited" group:"Trouble"`

	// RetryAfter is the value of the Retry-After header of 429 responses, in seconds.
	//
	// Stands for: the wait that Asana asks for. Asana does not document its length.
	RetryAfter int `json:"retry_after" group:"Trouble"`

	// AccessTokenSeconds is the lifetime of new access tokens, in seconds.
	//
	// Stands for: the lifetime of access tokens. Asana documents that it is typically 3600
	// seconds.
	AccessTokenSeconds int `json:"access_token_seconds" group:"Tokens" min:"1"`

	// CodeSeconds is the lifetime of authorization codes, in seconds.
	//
	// Stands for: the lifetime of codes. Asana does not document it; an Asana employee
	// once mentioned about 15 minutes.
	CodeSeconds int `json:"code_seconds" group:"Tokens" min:"1"`

	// RotateRefreshTokens makes each refresh return a new refresh token and revoke the old
	// one.
	//
	// Stands for: refresh token rotation. Asana does not document whether it rotates
	// refresh tokens; a test against the real Asana observed no rotation.
	RotateRefreshTokens bool `json:"rotate_refresh_tokens" group:"Tokens"`

	// ReuseRevokes makes the server revoke all tokens of a consent if a refresh token is
	// used that a rotation replaced. It matters only with rotate_refresh_tokens.
	//
	// Stands for: the reaction to a stolen refresh token. RFC 9700 recommends it; it is
	// not known whether Asana does it.
	ReuseRevokes bool `json:"reuse_revokes" group:"Tokens"`

	// RefreshTokenOnRefresh is the refresh_token in the response to a refresh, unless
	// refresh tokens rotate. With "absent" the response has none, with "same" it has the
	// token from the request, and with "empty" an empty string.
	//
	// Stands for: the response to a refresh. Asana documents refresh_token only for the
	// code exchange.
	RefreshTokenOnRefresh string `json:"refresh_token_on_refresh" group:"Tokens" values:"absent|same|empty"`

	// RefreshTokenIdleSeconds is the time in seconds after which an unused refresh token
	// becomes invalid. 0 means never.
	//
	// Stands for: the idle expiry of refresh tokens, which Asana does not document.
	RefreshTokenIdleSeconds int `json:"refresh_token_idle_seconds" group:"Tokens"`

	// RefuseRefresh makes every refresh fail with invalid_grant.
	//
	// Stands for: a person who deauthorized the app or lost access to Asana.
	RefuseRefresh bool `json:"refuse_refresh" group:"Tokens"`

	// RefreshEndsOldAccess makes a refresh revoke the earlier access tokens of the same
	// consent.
	//
	// Stands for: the effect of a refresh on older access tokens, which Asana does not
	// document.
	RefreshEndsOldAccess bool `json:"refresh_ends_old_access" group:"Tokens"`

	// OmitRefreshToken removes refresh_token from the response to a code exchange.
	//
	// Stands for: an unexpected response. Asana documents that the response always has a
	// refresh token.
	OmitRefreshToken bool `json:"omit_refresh_token" group:"Tokens"`

	// DataOnCode adds data, which names the person, to the response to a code exchange.
	//
	// Stands for: a documented member. One developer reports that Asana sends it only for
	// OpenID Connect scopes.
	DataOnCode bool `json:"data_on_code" group:"Tokens"`

	// DataOnRefresh adds data to the response to a refresh.
	//
	// Stands for: the response to a refresh. Asana does not document whether it contains
	// data.
	DataOnRefresh bool `json:"data_on_refresh" group:"Tokens"`

	// DataShape selects the members of data. "2025" gives id as a number, gid, name and
	// email; "2022" gives id as a string, name and email.
	//
	// Stands for: Asana's documentation, which differs between 2022 and 2025.
	DataShape string `json:"data_shape" group:"Tokens" values:"2025|2022"`

	// ScopeInTokenResponse adds scope to token responses.
	//
	// Stands for: token responses. Asana does not document whether they contain scope.
	ScopeInTokenResponse bool `json:"scope_in_token_response" group:"Tokens"`

	// TokenSize is the length of new access and refresh tokens, in bytes. 0 gives tokens
	// of 68 bytes in the form that developers have observed.
	//
	// Stands for: the maximum length of tokens, which Asana does not document.
	TokenSize int `json:"token_size" group:"Tokens" max:"16384"`

	// InvalidClientStatus is the status of invalid_client errors: 400 or 401.
	//
	// Stands for: the status of wrong client credentials. Developers report 400; RFC 6749
	// also allows 401.
	InvalidClientStatus int `json:"invalid_client_status" group:"Tokens" min:"400" max:"401"`

	// RefuseClient makes the token and revocation endpoints reject all client credentials
	// with invalid_client.
	//
	// Stands for: a client secret that was reset.
	RefuseClient bool `json:"refuse_client" group:"Tokens"`

	// RevokeWholeGrant selects what a revocation revokes. If true, it revokes all tokens
	// of the app and the person, and the consent. If false, it revokes only the refresh
	// token and the other tokens of the same consent.
	//
	// Stands for: the effect of a revocation. Asana documents both "deauthorized" and "the
	// access tokens derived from it"; it is not known which holds. The default follows the
	// first.
	RevokeWholeGrant bool `json:"revoke_whole_grant" group:"Tokens"`

	// RevokeAccessTokenError is the error code if a client tries to revoke an access
	// token: "unsupported_token_type" or "invalid_request".
	//
	// Stands for: the body of that error. Asana documents only the status 400.
	RevokeAccessTokenError string `json:"revoke_access_token_error" group:"Tokens" values:"unsupported_token_type|invalid_request"`

	// UnknownTokenStatus is the status if a client introspects an unknown token. With 200
	// the body is {"active":false}; other values are up to 599 and give an error.
	//
	// Stands for: the introspection of unknown tokens, which Asana does not document.
	UnknownTokenStatus int `json:"unknown_token_status" group:"Tokens" min:"200" max:"599"`

	// TokenCORS allows browsers of any origin to read the responses of the token and
	// revocation endpoints.
	//
	// Stands for: CORS at the token endpoint. Asana documents that token requests from
	// browsers are not supported.
	TokenCORS bool `json:"token_cors" group:"Tokens"`

	// SilentConsent skips the consent page if the browser is signed in and the person
	// authorized the app for these scopes before. The browser gets a code at once.
	//
	// Stands for: the missing consent page, which Asana does not document. A test against
	// the real Asana observed it; twice the wrong account was connected this way.
	SilentConsent bool `json:"silent_consent" group:"Consent"`

	// RequireState makes authorize requests without state fail.
	//
	// Stands for: the check of state. Asana documents state as required, but Asana's own
	// SDK did not send it.
	RequireState bool `json:"require_state" group:"Consent"`

	// DenyError is the error code in the redirect after the person clicks Deny.
	//
	// Stands for: the error of a denied request. Asana does not document it; RFC 6749
	// specifies access_denied.
	DenyError string `json:"deny_error" group:"Consent"`

	// Distribution selects which workspaces may use the apps. "any" allows all workspaces.
	// With "none" an error page says that the app is not available.
	//
	// Stands for: the distribution setting of an app. Asana documents it; a new app starts
	// with none.
	Distribution string `json:"distribution" group:"Consent" values:"any|none"`

	// DefaultWithOpenID selects whether one request may contain the scope default together
	// with openid, email or profile. "allow" permits it; "refuse" returns
	// forbidden_scopes.
	//
	// Stands for: this combination of scopes. Asana does not document it, and reports from
	// developers contradict each other.
	DefaultWithOpenID string `json:"default_with_openid" group:"Consent" values:"allow|refuse"`

	// ScopeErrorsRedirect sends forbidden_scopes errors to the redirect URI. Otherwise an
	// error page of Asana shows them.
	//
	// Stands for: the place of scope errors, on which two documents of Asana disagree.
	ScopeErrorsRedirect bool `json:"scope_errors_redirect" group:"Consent"`

	// AdditiveScopes gives new tokens the scopes of earlier consents too.
	//
	// Stands for: additive scopes. Asana documents that scopes are never additive.
	AdditiveScopes bool `json:"additive_scopes" group:"Consent"`

	// ViewOnlyMayAuthorize allows people to authorize an app if they are view only in all
	// their workspaces.
	//
	// Stands for: the rights of view-only members. Asana's help pages say "API access:
	// read-only" but also "integrations: no".
	ViewOnlyMayAuthorize bool `json:"view_only_may_authorize" group:"Consent"`

	// IssInRedirect adds iss (RFC 9207) to redirects. "" adds none, "oauth" the issuer of
	// the authorization server, "openid" the OpenID Connect issuer, and "other" an
	// unrelated issuer.
	//
	// Stands for: the iss parameter of the redirect, which Asana does not document.
	IssInRedirect string `json:"iss_in_redirect" group:"Consent" values:"|oauth|openid|other"`

	// IDTokenSeconds is the lifetime of ID tokens, in seconds.
	//
	// Stands for: the lifetime of ID tokens, which Asana does not document.
	IDTokenSeconds int `json:"id_token_seconds" group:"OpenID Connect" min:"1"`

	// IDTokenInTokenResponse adds an ID token to the response to a code exchange if the
	// scope openid was granted.
	//
	// Stands for: the ID token in the token response, which Asana does not document.
	IDTokenInTokenResponse bool `json:"id_token_in_token_response" group:"OpenID Connect"`

	// IDTokenDelivery is the part of the redirect URL that carries the parameters for the
	// response types "id_token" and "code id_token": "fragment" or "query".
	//
	// Stands for: the response mode. Asana documents only "redirect parameters"; OpenID
	// Connect specifies the fragment.
	IDTokenDelivery string `json:"id_token_delivery" group:"OpenID Connect" values:"fragment|query"`

	// NonceInIDToken copies the nonce of the authorize request to the ID token.
	//
	// Stands for: the nonce, which Asana does not mention. OpenID Connect requires it.
	NonceInIDToken bool `json:"nonce_in_id_token" group:"OpenID Connect"`

	// AtHash adds at_hash to ID tokens that are returned together with an access token.
	//
	// Stands for: the claims of ID tokens, which Asana does not document.
	AtHash bool `json:"at_hash" group:"OpenID Connect"`

	// CHash adds c_hash to ID tokens that are returned together with a code.
	//
	// Stands for: the claims of ID tokens, which Asana does not document. OpenID Connect
	// requires c_hash for "code id_token".
	CHash bool `json:"c_hash" group:"OpenID Connect"`

	// SpoilIDToken makes new ID tokens invalid in one way, which a client must detect. ""
	// spoils nothing, "unsigned" uses alg none, "hs256" signs with the client secret, and
	// each other value names what is wrong.
	//
	// Stands for: an attack, or an error of Asana.
	SpoilIDToken string `json:"spoil_id_token" group:"OpenID Connect" values:"|unsigned|hs256|wrong_key|wrong_issuer|wrong_audience|second_audience|wrong_azp|wrong_subject|no_subject|expired|future|wrong_nonce|wrong_at_hash|wrong_c_hash"`

	// OpenIDIssuer is the issuer in the OpenID Connect discovery document and in ID
	// tokens. If empty, it is the base URL followed by /api/1.0.
	//
	// Stands for: the issuer. Asana's discovery document is not public, and other projects
	// use the default as a constant.
	OpenIDIssuer string `json:"openid_issuer" group:"OpenID Connect"`

	// RootDiscovery serves the OpenID Connect discovery document also at
	// /.well-known/openid-configuration.
	//
	// Stands for: discovery at the root. Developers have observed 404 there.
	RootDiscovery bool `json:"root_discovery" group:"OpenID Connect"`

	// SubFormat is the form of the sub claim. "gid" is the gid of the user; "opaque" is
	// another stable string.
	//
	// Stands for: the sub claim, which Asana does not document.
	SubFormat string `json:"sub_format" group:"OpenID Connect" values:"gid|opaque"`

	// EmailVerified is email_verified in UserInfo responses if the scope email was
	// granted: "absent", "true" or "false".
	//
	// Stands for: the claim email_verified, which Asana does not document.
	EmailVerified string `json:"email_verified" group:"OpenID Connect" values:"absent|true|false"`

	// MembershipFullPermissionsOnly makes the membership endpoints reject tokens with
	// granular scopes.
	//
	// Stands for: the permissions of these endpoints. Developers have observed this for
	// one of the three; for the others it is an inference.
	MembershipFullPermissionsOnly bool `json:"membership_full_permissions_only" group:"API"`

	// ListInactiveMemberships makes lists contain the memberships of deactivated people,
	// with is_active false. A deactivated person can then also read the workspace.
	//
	// Stands for: deactivated members in lists. A recording of the real Asana did not
	// contain them.
	ListInactiveMemberships bool `json:"list_inactive_memberships" group:"API"`

	// HiddenRecordStatus is the status for a record that exists but that the caller may
	// not see, because they share no workspace: 403 or 404.
	//
	// Stands for: the visibility of records, which Asana does not document.
	HiddenRecordStatus int `json:"hidden_record_status" group:"API" min:"403" max:"404"`

	// ViewOnlyErrorCode is the place of the code view_only_api_access_failure if a
	// view-only member tries to write. "error" puts it in errors[0].error, "top" next to
	// errors, and "absent" nowhere.
	//
	// Stands for: the body of this error. Asana documents the code but not its place.
	ViewOnlyErrorCode string `json:"view_only_error_code" group:"API" values:"error|top|absent"`

	// BlockedWorkspace is the gid of a workspace whose admin blocked the app. Lists do not
	// contain this workspace, and requests for it return 401.
	//
	// Stands for: blocked apps. Asana describes the feature but not the responses.
	BlockedWorkspace string `json:"blocked_workspace" group:"API"`

	// ServiceAccountEmail is the email in the user record of a service account: "absent",
	// "null" or "present".
	//
	// Stands for: the user record of service accounts, which Asana does not document.
	ServiceAccountEmail string `json:"service_account_email" group:"API" values:"absent|null|present"`

	// ServiceAccountOnlyStatus is the status of endpoints for service accounts if another
	// kind of token is used: 401 to 404.
	//
	// Stands for: the error of these endpoints, which Asana does not document.
	ServiceAccountOnlyStatus int `json:"service_account_only_status" group:"API" min:"401" max:"404"`

	// WWWAuthenticate adds a WWW-Authenticate header to 401 responses of the API.
	//
	// Stands for: this header, which Asana does not document.
	WWWAuthenticate bool `json:"www_authenticate" group:"API"`
}

// DefaultSwitches returns the behavior that Asana documents. For behavior that Asana does
// not document, it returns our guess.
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
		RequireState:                  true,
		DenyError:                     "access_denied",
		Distribution:                  "any",
		DefaultWithOpenID:             "allow",
		ViewOnlyMayAuthorize:          true,
		IDTokenSeconds:                3600,
		IDTokenDelivery:               "fragment",
		NonceInIDToken:                true,
		SubFormat:                     "gid",
		EmailVerified:                 "absent",
		MembershipFullPermissionsOnly: true,
		HiddenRecordStatus:            403,
		ViewOnlyErrorCode:             "error",
		ServiceAccountEmail:           "absent",
		ServiceAccountOnlyStatus:      403,
	}
}
