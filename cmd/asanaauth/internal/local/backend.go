package local

import (
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// backendCaller is the caller in audit lines. All backends share one key, so they share
// this name.
const backendCaller = "local"

// backendIdentity returns a function that authenticates requests by the backend key. It
// replaces API Gateway's IAM authorizer.
func backendIdentity(key secret.String) func(*http.Request) (caller string, ok bool) {
	return func(r *http.Request) (string, bool) {
		sent := keyOf(r.Header)
		return backendCaller, !sent.IsZero() && sent.Equal(key)
	}
}

// keyOf returns the backend key of a request: its Bearer token (RFC 6750 section 2.1), or
// the access key id of its SigV4 signature. The signature itself is not checked, so a
// client for AWS works with any secret. keyOf returns the zero String if the request has
// no key or several Authorization headers.
func keyOf(h http.Header) secret.String {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return secret.String{}
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return secret.New(strings.TrimSpace(rest))
	case scheme == "AWS4-HMAC-SHA256":
		return accessKeyID(rest)
	}
	return secret.String{}
}

// accessKeyID returns the KEY of "Credential=KEY/20261231/eu-central-1/execute-api/aws4_request,
// SignedHeaders=…, Signature=…".
func accessKeyID(parts string) secret.String {
	for part := range strings.SplitSeq(parts, ",") {
		if scope, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
			key, _, _ := strings.Cut(scope, "/")
			return secret.New(key)
		}
	}
	return secret.String{}
}

// isBackend reports whether the path of r is a backend route.
func isBackend(r *http.Request) bool {
	return r.URL.Path == "/links" || r.URL.Path == "/connections" || strings.HasPrefix(r.URL.Path, "/connections/")
}
