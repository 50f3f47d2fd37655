package local

import (
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// backendCaller is whom audit lines name: here everybody who has the key is one.
const backendCaller = "local"

// backendIdentity takes who shows the key for a backend, in place of API
// Gateway's IAM authorizer.
func backendIdentity(key secret.String) func(*http.Request) (caller string, ok bool) {
	return func(r *http.Request) (string, bool) {
		shown := shownKey(r.Header)
		return backendCaller, !shown.IsZero() && shown.Equal(key)
	}
}

// shownKey is the key that a request shows: a Bearer token (RFC 6750 section
// 2.1), or the access key id of a SigV4 signature, which is not checked, so that
// a client made for AWS runs here with any secret. Zero where there is none, or
// more than one.
func shownKey(h http.Header) secret.String {
	shown := h.Values("Authorization")
	if len(shown) != 1 {
		return secret.String{}
	}
	scheme, rest, _ := strings.Cut(shown[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return secret.New(strings.TrimSpace(rest))
	case scheme == "AWS4-HMAC-SHA256":
		return accessKeyID(rest)
	}
	return secret.String{}
}

// accessKeyID reads "Credential=KEY/20261231/eu-central-1/execute-api/aws4_request,
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

// isBackend tells the requests of backends from those of browsers.
func isBackend(r *http.Request) bool {
	return r.URL.Path == "/links" || r.URL.Path == "/connections" || strings.HasPrefix(r.URL.Path, "/connections/")
}
