package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	sigV4        = "AWS4-HMAC-SHA256"
	sigV4Service = "execute-api"
	// maxClockSkew and maxSignedBody are limits of API Gateway.
	maxClockSkew  = 5 * time.Minute
	maxSignedBody = 10 << 20
)

// signatures checks requests that are signed with SigV4, as API Gateway's IAM authorizer
// does on AWS. It rejects a request with an invalid signature, and passes all other
// requests to next. Source:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type signatures struct {
	next        http.Handler
	key, secret secret.String // access key ID and secret access key
	log         *slog.Logger
}

// signedRequest is the context key of requests with a valid signature.
type signedRequest struct{}

// ServeHTTP responds to an invalid signature as API Gateway does. That response does not
// say what is wrong, so the log does.
func (s *signatures) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isBackend(r) || !isSigned(r) {
		s.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSignedBody))
	if err != nil {
		respondAsGateway(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	if fault := s.fault(r, body, time.Now()); fault != "" {
		s.log.WarnContext(r.Context(), "rejected a signed request, as API Gateway does", "status", http.StatusForbidden, "reason", fault)
		respondAsGateway(w, http.StatusForbidden, "Forbidden")
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), signedRequest{}, true))
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.next.ServeHTTP(w, r)
}

func isSigned(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	return len(values) == 1 && strings.HasPrefix(values[0], "AWS4-")
}

func respondAsGateway(w http.ResponseWriter, status int, message string) {
	setHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, message)
}

// fault returns what is wrong with the signature of r, or "". The result contains no part
// of the request.
func (s *signatures) fault(r *http.Request, body []byte, now time.Time) string {
	a, ok := parseAuthorization(r.Header.Get("Authorization"))
	if !ok {
		return "the Authorization header does not have the form \"" + sigV4 + " Credential=KEY/DATE/REGION/execute-api/aws4_request, SignedHeaders=…, Signature=…\""
	}
	switch {
	case !secret.New(a.key).Equal(s.key):
		return "the access key ID is not the backend key"
	case a.service != sigV4Service:
		return "the service in the credential scope is not execute-api"
	}
	at, fault := signingTime(r.Header, a, now)
	if fault != "" {
		return fault
	}
	for _, name := range []string{"host", "x-amz-date"} {
		if !slices.Contains(a.headers, name) {
			return "the header " + name + " is not signed"
		}
	}
	if slices.ContainsFunc(a.headers, func(name string) bool {
		return name != "host" && name != "content-length" && len(r.Header.Values(name)) == 0
	}) {
		return "a signed header is missing: send each header in SignedHeaders, and do not sign an empty one, such as X-Amz-Security-Token without a session token"
	}
	hash := hashOf(body)
	switch sent := r.Header.Get("X-Amz-Content-Sha256"); sent {
	case "", hash:
	case "UNSIGNED-PAYLOAD":
		return "the body is not signed: API Gateway does not accept UNSIGNED-PAYLOAD"
	default:
		return "X-Amz-Content-Sha256 is not the SHA-256 of the body"
	}
	want, err := s.sign(r, a, hash, at)
	switch {
	case err != nil || !slices.Equal(want.headers, a.headers):
		return "SignedHeaders is not sorted, or contains a header that proxies may change, such as User-Agent: do not sign that header"
	case secret.New(want.signature).Equal(secret.New(a.signature)):
		return ""
	}
	if unsigned, err := s.sign(r, a, hashOf(nil), at); err == nil && secret.New(unsigned.signature).Equal(secret.New(a.signature)) {
		return "the body is not signed: pass the body to the signer exactly as you send it"
	}
	return "the signature does not match: check that the secret access key is the backend secret, and that the signer gets the method, the URL, the signed headers and the body exactly as you send them"
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// signingTime returns the time at which the request was signed.
func signingTime(h http.Header, a authorization, now time.Time) (at time.Time, fault string) {
	const format = "20060102T150405Z"
	text := h.Get("X-Amz-Date")
	at, err := time.Parse(format, text)
	switch skew := at.Sub(now).Abs().Round(time.Second); {
	case text == "":
		return at, "the header X-Amz-Date is missing"
	case err != nil:
		return at, "the header X-Amz-Date does not have the form 20261231T235959Z"
	case skew > maxClockSkew:
		return at, fmt.Sprintf("the time in X-Amz-Date differs from this machine's time by %v: at most %v is allowed", skew, maxClockSkew)
	case text[:len("20060102")] != a.date:
		return at, "the date in the credential scope is not the date in X-Amz-Date"
	}
	return at, ""
}

// authorization contains the parts of an Authorization header.
type authorization struct {
	key, date, region, service string   // from the credential scope
	headers                    []string // names of the signed headers
	signature                  string
}

func parseAuthorization(header string) (a authorization, ok bool) {
	rest, ok := strings.CutPrefix(header, sigV4+" ")
	if !ok {
		return a, false
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 5 || scope[2] == "" || scope[4] != "aws4_request" || parts["SignedHeaders"] == "" || parts["Signature"] == "" {
		return a, false
	}
	return authorization{scope[0], scope[1], scope[2], scope[3], strings.Split(parts["SignedHeaders"], ";"), parts["Signature"]}, true
}

// sign signs a request with the same method, URL and signed headers as r. It uses the
// signer of the AWS SDK.
func (s *signatures) sign(r *http.Request, a authorization, bodyHash string, at time.Time) (authorization, error) {
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}}
	again.URL = &url.URL{Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	for _, name := range a.headers {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[name] = values
		}
		if name == "Content-Length" {
			again.ContentLength = r.ContentLength
		}
	}
	credentials := aws.Credentials{AccessKeyID: a.key, SecretAccessKey: s.secret.Reveal()}
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, again, bodyHash, sigV4Service, a.region, at); err != nil {
		return authorization{}, err
	}
	signed, _ := parseAuthorization(again.Header.Get("Authorization"))
	return signed, nil
}
