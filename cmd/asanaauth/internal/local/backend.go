package local

import (
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// backendCaller is the caller in the audit lines of all backends, because all backends
// use the same key.
const backendCaller = "local"

// backendIdentity authenticates requests that contain the backend key, or whose signature
// [signatures] has checked. On AWS, API Gateway's IAM authorizer authenticates requests.
func backendIdentity(key secret.String) func(*http.Request) (caller string, ok bool) {
	return func(r *http.Request) (string, bool) {
		if r.Context().Value(signedRequest{}) != nil {
			return backendCaller, true
		}
		sent := bearerToken(r.Header)
		return backendCaller, !sent.IsZero() && sent.Equal(key)
	}
}

// bearerToken returns a Bearer token (RFC 6750 section 2.1). If the request has more than
// one Authorization header, bearerToken returns the zero String.
func bearerToken(h http.Header) secret.String {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return secret.String{}
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return secret.String{}
	}
	return secret.New(strings.TrimSpace(rest))
}

func isBackend(r *http.Request) bool {
	return r.URL.Path == "/links" || r.URL.Path == "/connections" || strings.HasPrefix(r.URL.Path, "/connections/")
}

// minCredential is the minimum length of the backend key and of the backend secret.
const minCredential = 16

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"

// keyFault returns what is wrong with a backend key, or "". A key has only characters that
// are allowed both in a Bearer token (RFC 6750 section 2.1) and in the access key ID of a
// SigV4 signature. For example, a slash would end the access key ID.
func keyFault(key string) string {
	switch {
	case strings.Trim(key, unreserved) != "":
		return "has characters other than A-Z, a-z, 0-9, -, _, . and ~"
	case len(key) < minCredential:
		return "has fewer than 16 characters"
	}
	return ""
}

// secretFault returns what is wrong with a backend secret, or "". A secret may also have
// the characters of an AWS secret access key.
func secretFault(secret string) string {
	switch {
	case strings.Trim(secret, unreserved+"/+=") != "":
		return "has characters other than A-Z, a-z, 0-9, -, _, ., ~, /, + and ="
	case len(secret) < minCredential:
		return "has fewer than 16 characters"
	}
	return ""
}
