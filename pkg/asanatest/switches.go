package asanatest

// Switches change what this Asana does: they make the faults that a client must
// handle, and choose between the possible behaviours of Asana if no public
// document settles which it is. Start from [DefaultSwitches]; the zero value is
// not useful.
//
// SWITCHES.md and the page at /_offline/ are made from the comments of the
// fields. The last paragraph of each says which unknown of Asana the switch
// stands for.
type Switches struct {
	// Down makes every endpoint but /_offline/ answer 503.
	//
	// Stands for: an outage.
	Down bool `json:"down" group:"Trouble"`

	// DelayMS is how many milliseconds the token, revoke and introspection endpoints and the API wait before they look at a request.
	//
	// Stands for: a slow Asana.
	DelayMS int `json:"delay_ms" group:"Trouble"`

	// Status is, unless 0, the status of every answer of the token endpoint, which then does nothing.
	//
	// Stands for: trouble behind the token endpoint.
	Status int `json:"status" group:"Trouble" max:"599"`

	// Nonsense makes the token, revoke and introspection endpoints and the API answer 200 with a body that means nothing, and do nothing.
	//
	// Stands for: a proxy or an error page in between.
	Nonsense bool `json:"nonsense" group:"Trouble"`

	// Cut closes the connection of requests to the token, revoke and introspection endpoints and the API without an answer and without effect.
	//
	// Stands for: a broken network.
	Cut bool `json:"cut" group:"Trouble"`

	// RateLimited makes the token, revoke and introspection endpoints and the API answer 429 with the documented body.
	//
	// Stands for: Asana documents limits for the API, none for the token endpoint.
	RateLimited bool `json:"rate_limited" group:"Trouble"`

	// RetryAfter is the value of Retry-After on a 429, in seconds.
	//
	// Stands for: the wait is not documented.
	RetryAfter int `json:"retry_after" group:"Trouble"`

	// AccessTokenSeconds is how long a new access token lives.
	//
	// Stands for: documented as typically 3600.
	AccessTokenSeconds int `json:"access_token_seconds" group:"Tokens" min:"1"`

	// CodeSeconds is how long an authorization code lives.
	//
	// Stands for: not documented; somebody at Asana once said about 15 minutes.
	CodeSeconds int `json:"code_seconds" group:"Tokens" min:"1"`

	// RotateRefreshTokens makes each refresh answer with a new refresh token and end the old one.
	//
	// Stands for: not documented; one live test saw no rotation.
	RotateRefreshTokens bool `json:"rotate_refresh_tokens" group:"Tokens"`

	// ReuseRevokes makes the use of a refresh token that was rotated away end all that came from the same consent.
	//
	// Stands for: what Asana would do is not known; RFC 9700 recommends it.
	ReuseRevokes bool `json:"reuse_revokes" group:"Tokens"`

	// RefreshTokenOnRefresh is what an answer to a refresh holds when tokens are not rotated: "absent" no refresh_token, "same" the one that was sent, "empty" an empty string.
	//
	// Stands for: the documents describe refresh_token for the code exchange only.
	RefreshTokenOnRefresh string `json:"refresh_token_on_refresh" group:"Tokens" values:"absent|same|empty"`

	// RefreshTokenIdleSeconds ends, unless 0, a refresh token that was not used for so long.
	//
	// Stands for: idle expiry is not documented.
	RefreshTokenIdleSeconds int `json:"refresh_token_idle_seconds" group:"Tokens"`

	// RefuseRefresh makes every refresh answer invalid_grant.
	//
	// Stands for: a person who deauthorised the app, or lost access.
	RefuseRefresh bool `json:"refuse_refresh" group:"Tokens"`

	// RefreshEndsOldAccess ends the earlier access tokens of a consent when it is refreshed.
	//
	// Stands for: whether earlier access tokens live on is not documented.
	RefreshEndsOldAccess bool `json:"refresh_ends_old_access" group:"Tokens"`

	// OmitRefreshToken leaves refresh_token out of the answer to a code exchange.
	//
	// Stands for: a hostile or changed answer; Asana documents one always.
	OmitRefreshToken bool `json:"omit_refresh_token" group:"Tokens"`

	// DataOnCode puts data (who authorised) into the answer to a code exchange.
	//
	// Stands for: documented, but some say that it needs OpenID Connect scopes.
	DataOnCode bool `json:"data_on_code" group:"Tokens"`

	// DataOnRefresh puts data into the answer to a refresh too.
	//
	// Stands for: not documented.
	DataOnRefresh bool `json:"data_on_refresh" group:"Tokens"`

	// DataShape is "2025" for data with a numeric id, gid, name and email, "2022" for the older shape: id as a string and no gid.
	//
	// Stands for: the documents of 2022 and of 2025 disagree.
	DataShape string `json:"data_shape" group:"Tokens" values:"2025|2022"`

	// ScopeInTokenResponse puts scope into token answers.
	//
	// Stands for: not documented.
	ScopeInTokenResponse bool `json:"scope_in_token_response" group:"Tokens"`

	// TokenSize is, unless 0, the length in bytes of new access and refresh tokens; 0 gives the shape seen in the wild, 68 bytes.
	//
	// Stands for: Asana states no maximum length.
	TokenSize int `json:"token_size" group:"Tokens" max:"16384"`

	// InvalidClientStatus is the status of invalid_client, 400 or 401.
	//
	// Stands for: reports say 400, RFC 6749 allows 401.
	InvalidClientStatus int `json:"invalid_client_status" group:"Tokens" min:"400" max:"401"`

	// RefuseClient makes every client authentication fail with invalid_client.
	//
	// Stands for: a client secret that was reset.
	RefuseClient bool `json:"refuse_client" group:"Tokens"`

	// RevokeWholeGrant makes a revocation end all tokens of that app and person and forget the consent; else only the refresh token and what came from the same consent.
	//
	// Stands for: the documents say "deauthorised" and "the access tokens derived from it": which of the two is not known. The default takes the first word.
	RevokeWholeGrant bool `json:"revoke_whole_grant" group:"Tokens"`

	// RevokeAccessTokenError is the error code when an access token is revoked: "unsupported_token_type" or "invalid_request".
	//
	// Stands for: documented as 400 without a body.
	RevokeAccessTokenError string `json:"revoke_access_token_error" group:"Tokens" values:"unsupported_token_type|invalid_request"`

	// UnknownTokenStatus is the status of introspecting an unknown token: 200 with {"active":false}, or an error status.
	//
	// Stands for: not documented.
	UnknownTokenStatus int `json:"unknown_token_status" group:"Tokens" min:"200" max:"599"`

	// TokenCORS lets browsers of any origin read the token and revoke endpoints.
	//
	// Stands for: documented as not supported from browsers.
	TokenCORS bool `json:"token_cors" group:"Tokens"`

	// SilentConsent sends a person who already authorised the app straight back with a code, when the browser is signed in.
	//
	// Stands for: not documented; seen live, it twice connected the wrong account.
	SilentConsent bool `json:"silent_consent" group:"Consent"`

	// RequireState refuses an authorize request without state.
	//
	// Stands for: documented as required, but Asana's own SDK never sent it.
	RequireState bool `json:"require_state" group:"Consent"`

	// DenyError is the error code that Deny redirects with.
	//
	// Stands for: not documented; RFC 6749 says access_denied.
	DenyError string `json:"deny_error" group:"Consent"`

	// Distribution is "any" for an app that all workspaces may use, "none" for one whose list of workspaces is empty: the page then says that the app is not available.
	//
	// Stands for: documented; a new app starts with none.
	Distribution string `json:"distribution" group:"Consent" values:"any|none"`

	// DefaultWithOpenID is "allow" when one request may ask for default together with openid, email and profile, "refuse" when that is forbidden_scopes.
	//
	// Stands for: no document settles it, reports go both ways.
	DefaultWithOpenID string `json:"default_with_openid" group:"Consent" values:"allow|refuse"`

	// ScopeErrorsRedirect sends forbidden_scopes to the redirect URI in place of showing it on Asana's page.
	//
	// Stands for: two documents disagree.
	ScopeErrorsRedirect bool `json:"scope_errors_redirect" group:"Consent"`

	// AdditiveScopes gives a new token the scopes of earlier consents as well.
	//
	// Stands for: documented as never additive.
	AdditiveScopes bool `json:"additive_scopes" group:"Consent"`

	// ViewOnlyMayAuthorize lets people authorise an app who are view only wherever they are.
	//
	// Stands for: the help pages say "API access: read-only" and "integrations: no".
	ViewOnlyMayAuthorize bool `json:"view_only_may_authorize" group:"Consent"`

	// IssInRedirect adds iss (RFC 9207) to redirects: "" none, "oauth" the authorization server's issuer, "openid" the OpenID issuer, "other" a stranger's.
	//
	// Stands for: not documented.
	IssInRedirect string `json:"iss_in_redirect" group:"Consent" values:"|oauth|openid|other"`

	// IDTokenSeconds is how long an ID token lives.
	//
	// Stands for: not documented.
	IDTokenSeconds int `json:"id_token_seconds" group:"OpenID Connect" min:"1"`

	// IDTokenInTokenResponse puts an ID token into the answer to a code exchange when openid was granted.
	//
	// Stands for: not documented.
	IDTokenInTokenResponse bool `json:"id_token_in_token_response" group:"OpenID Connect"`

	// IDTokenDelivery is where "id_token" and "code id_token" answer: "fragment" or "query".
	//
	// Stands for: the documents only say "redirect parameters"; OpenID Connect says fragment.
	IDTokenDelivery string `json:"id_token_delivery" group:"OpenID Connect" values:"fragment|query"`

	// NonceInIDToken puts the nonce of the authorize request into ID tokens.
	//
	// Stands for: Asana never mentions nonce; OpenID Connect requires it.
	NonceInIDToken bool `json:"nonce_in_id_token" group:"OpenID Connect"`

	// AtHash puts at_hash into ID tokens that come with an access token.
	//
	// Stands for: the claims are not documented.
	AtHash bool `json:"at_hash" group:"OpenID Connect"`

	// CHash puts c_hash into ID tokens that come with a code.
	//
	// Stands for: the claims are not documented; OpenID Connect requires it for "code id_token".
	CHash bool `json:"c_hash" group:"OpenID Connect"`

	// SpoilIDToken breaks new ID tokens in one way, so that a client can be seen to refuse them: "" none, "unsigned" alg none, "hs256" signed with the client secret, or what the other names say.
	//
	// Stands for: an attacker, or a bug at Asana.
	SpoilIDToken string `json:"spoil_id_token" group:"OpenID Connect" values:"|unsigned|hs256|wrong_key|wrong_issuer|wrong_audience|second_audience|wrong_azp|wrong_subject|no_subject|expired|future|wrong_nonce|wrong_at_hash|wrong_c_hash"`

	// OpenIDIssuer is, unless empty, the issuer in OpenID discovery and ID tokens; empty is the base URL followed by /api/1.0.
	//
	// Stands for: the discovery document is not public; others hard-coded the default.
	OpenIDIssuer string `json:"openid_issuer" group:"OpenID Connect"`

	// RootDiscovery serves OpenID discovery at the root too.
	//
	// Stands for: seen to be 404.
	RootDiscovery bool `json:"root_discovery" group:"OpenID Connect"`

	// SubFormat is "gid" where sub is the user's gid, "opaque" where it is something else.
	//
	// Stands for: not documented.
	SubFormat string `json:"sub_format" group:"OpenID Connect" values:"gid|opaque"`

	// EmailVerified is what UserInfo says in email_verified when the email scope was granted: "absent", "true" or "false".
	//
	// Stands for: not documented.
	EmailVerified string `json:"email_verified" group:"OpenID Connect" values:"absent|true|false"`

	// MembershipFullPermissionsOnly refuses the membership endpoints to tokens with granular scopes.
	//
	// Stands for: seen live for one of the three endpoints, inferred for the others.
	MembershipFullPermissionsOnly bool `json:"membership_full_permissions_only" group:"API"`

	// ListInactiveMemberships lists memberships of deactivated people too, with is_active false, and lets the person see that workspace.
	//
	// Stands for: in a live recording they were absent.
	ListInactiveMemberships bool `json:"list_inactive_memberships" group:"API"`

	// HiddenRecordStatus is the status of a record that exists but that the caller shares no workspace with, 403 or 404.
	//
	// Stands for: who may read whose record is not documented.
	HiddenRecordStatus int `json:"hidden_record_status" group:"API" min:"403" max:"404"`

	// ViewOnlyErrorCode is where the code view_only_api_access_failure sits in the 403 of a view only member's write: "error" in errors[0].error, "top" beside errors, "absent" nowhere.
	//
	// Stands for: the code is documented, its place is not.
	ViewOnlyErrorCode string `json:"view_only_error_code" group:"API" values:"error|top|absent"`

	// BlockedWorkspace is the gid of a workspace whose admin blocked the app: it is absent from lists, and calls into it are 401.
	//
	// Stands for: documented in words, the answers are not.
	BlockedWorkspace string `json:"blocked_workspace" group:"API"`

	// ServiceAccountEmail is the email in the user record of a service account: "absent", "null" or "present".
	//
	// Stands for: not documented.
	ServiceAccountEmail string `json:"service_account_email" group:"API" values:"absent|null|present"`

	// ServiceAccountOnlyStatus is the status of an endpoint for service accounts when somebody else asks, 401, 402, 403 or 404.
	//
	// Stands for: not documented.
	ServiceAccountOnlyStatus int `json:"service_account_only_status" group:"API" min:"401" max:"404"`

	// WWWAuthenticate adds a WWW-Authenticate header to 401 answers of the API.
	//
	// Stands for: not documented.
	WWWAuthenticate bool `json:"www_authenticate" group:"API"`
}

// DefaultSwitches returns what Asana documents or, if it documents nothing, our
// guess.
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
