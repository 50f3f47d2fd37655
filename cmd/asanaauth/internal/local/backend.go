package local

import (
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// backendCaller is the caller in the audit lines of all backends, because all backends
// use the same key.
const backendCaller = "local"

// backendIdentity authenticates requests with the backend key. On AWS, API Gateway's IAM
// authorizer authenticates these requests.
func backendIdentity(key secret.String) func(*http.Request) (caller string, ok bool) {
	return func(r *http.Request) (string, bool) {
		sent := keyOf(r.Header)
		return backendCaller, !sent.IsZero() && sent.Equal(key)
	}
}

// keyOf returns the backend key, which is a Bearer token (RFC 6750 section 2.1) or the
// access key ID of a SigV4 signature. The signature is not checked, so an AWS client can
// use any secret access key. If the request has more than one Authorization header, keyOf
// returns the zero String.
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

// accessKeyID returns KEY if parts is
// "Credential=KEY/20261231/eu-central-1/execute-api/aws4_request, SignedHeaders=…,
// Signature=…".
func accessKeyID(parts string) secret.String {
	for part := range strings.SplitSeq(parts, ",") {
		if scope, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
			key, _, _ := strings.Cut(scope, "/")
			return secret.New(key)
		}
	}
	return secret.String{}
}

func isBackend(r *http.Request) bool {
	return r.URL.Path == "/links" || r.URL.Path == "/connections" || strings.HasPrefix(r.URL.Path, "/connections/")
}
