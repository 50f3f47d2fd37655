package kms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
)

func TestErrorsOfKMS(t *testing.T) {
	type response struct {
		status int
		code   string
	}
	for kind, responses := range map[error][]response{
		seal.ErrDenied: {
			{400, "AccessDeniedException"}, {400, "DisabledException"}, {400, "NotFoundException"},
			{400, "KMSInvalidStateException"}, {400, "InvalidCiphertextException"}, {400, "IncorrectKeyException"},
			{400, "InvalidKeyUsageException"}, {400, "InvalidGrantTokenException"}, {400, "ValidationException"},
			{400, "NotAuthorized"}, {403, "OptInRequired"},
		},
		seal.ErrUnavailable: {
			{500, "KMSInternalException"}, {503, "DependencyTimeoutException"}, {500, "KeyUnavailableException"},
			{400, "KMSInternalException"}, {400, "DependencyTimeoutException"},
			{400, "ThrottlingException"}, {400, "LimitExceededException"}, {429, "TooManyRequestsException"},
			{500, "InternalFailure"}, {503, "ServiceUnavailable"}, {500, "AccessDeniedException"},
			{408, "RequestTimeout"}, {400, "ExpiredTokenException"}, {400, "UnrecognizedClientException"},
			{403, "InvalidSignatureException"}, {403, "IncompleteSignature"}, {400, "RequestExpired"}, {403, ""},
		},
	} {
		for _, r := range responses {
			body := fmt.Sprintf(`{"__type":%q,"message":"m"}`, r.code)
			k, calls := scripted(t, r.status, body, keyID)
			_, _, wrapErr := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
			_, unwrapErr := k.Unwrap(t.Context(), []byte("wrapped"), keyARN, seal.Context("i"))
			if len(*calls) != 2 {
				t.Errorf("%v: KMS got %d requests, want 2", r, len(*calls))
			}
			wantKind(t, fmt.Sprint("Wrap ", r), wrapErr, kind)
			wantKind(t, fmt.Sprint("Unwrap ", r), unwrapErr, kind)
		}
	}
}

// wantKind fails the test unless err wraps kind and not the other kind. The two kinds are
// seal.ErrDenied and seal.ErrUnavailable.
func wantKind(t *testing.T, what string, err, kind error) {
	t.Helper()
	for _, e := range []error{seal.ErrDenied, seal.ErrUnavailable} {
		if errors.Is(err, e) != (e == kind) {
			t.Errorf("%s = %v, want %v", what, err, kind)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNoResponseIsUnavailable(t *testing.T) {
	errNoCreds := errors.New("the output of credential_process was hunter2")
	noCreds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errNoCreds })
	failing := func(err error) roundTrip { return func(*http.Request) (*http.Response, error) { return nil, err } }
	for name, k := range map[string]*kms.Key{
		"timeout":      newKey(t, client("http://127.0.0.1:1", failing(os.ErrDeadlineExceeded), nil), keyID),
		"closed early": newKey(t, client("http://127.0.0.1:1", failing(io.ErrUnexpectedEOF), nil), keyID),
		"no host":      newKey(t, client("http://127.0.0.1:1", failing(&net.DNSError{IsNotFound: true}), nil), keyID),
		"credentials":  newKey(t, client("http://127.0.0.1:1", failing(nil), noCreds), keyID),
	} {
		_, _, wrapErr := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
		_, unwrapErr := k.Unwrap(t.Context(), []byte("wrapped"), keyARN, seal.Context("i"))
		wantKind(t, "Wrap, "+name, wrapErr, seal.ErrUnavailable)
		wantKind(t, "Unwrap, "+name, unwrapErr, seal.ErrUnavailable)
		if strings.Contains(wrapErr.Error()+unwrapErr.Error(), "hunter2") {
			t.Errorf("%s: Wrap = %v, Unwrap = %v, want errors without the output", name, wrapErr, unwrapErr)
		}
	}
}

// If the caller's deadline passes before KMS responds, the error must wrap both
// ErrUnavailable and the context's error.
func TestDeadline(t *testing.T) {
	silent := roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	k := newKey(t, client("http://127.0.0.1:1", silent, nil), keyID)
	_, err := k.Unwrap(ctx, []byte("wrapped"), keyARN, seal.Context("i"))
	wantKind(t, "Unwrap", err, seal.ErrUnavailable)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Unwrap = %v, want it to wrap the context's error", err)
	}
}

// If the context ends but KMS has already denied the request, the error must wrap
// ErrDenied, because retrying does not help.
func TestDeniedAfterTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	denies := roundTrip(func(*http.Request) (*http.Response, error) {
		cancel()
		body := io.NopCloser(strings.NewReader(`{"__type":"DisabledException"}`))
		return &http.Response{StatusCode: 400, Header: http.Header{}, Body: body}, nil
	})
	_, err := newKey(t, client("http://127.0.0.1:1", denies, nil), keyID).Unwrap(ctx, []byte("wrapped"), keyARN, seal.Context("i"))
	wantKind(t, "Unwrap", err, seal.ErrDenied)
	if errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "DisabledException") {
		t.Errorf("Unwrap = %v, want the error code of KMS and no context error", err)
	}
}

// If the context ends while the SDK reads the response, the SDK reports that the response
// cannot be decoded. Unwrap must return the context's error instead.
func TestContextEndsWithinTheResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	incomplete := roundTrip(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"Plaintext":`), ending{cancel})
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)}, nil
	})
	_, err := newKey(t, client("http://127.0.0.1:1", incomplete, nil), keyID).Unwrap(ctx, []byte("wrapped"), keyARN, seal.Context("i"))
	wantKind(t, "Unwrap", err, seal.ErrUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Unwrap = %v, want it to wrap the context's error", err)
	}
	var undecoded *smithy.DeserializationError
	if errors.As(err, &undecoded) {
		t.Errorf("the error contains the incomplete response: %q", undecoded.Snapshot)
	}
}

type ending struct{ cancel func() }

func (e ending) Read([]byte) (int, error) {
	e.cancel()
	return 0, errors.New("the body ended early")
}

// A response that cannot be decoded may contain the keyring, so no error may quote the
// response.
func TestMalformedResponseIsUnavailableAndNotQuoted(t *testing.T) {
	const marker = "MARKER6f1e"
	for _, body := range []string{
		"", "null", "{}", "[]", `{"Plaintext":""}`, `{"Plaintext":"` + marker + `!"}`, `{"Plaintext":` + marker + `}`,
		`{"Plaintext":"` + marker, "<html>" + marker, `{"Plaintext":{"` + marker + `":1}}`, `{"KeyId":"` + marker + `"}`,
	} {
		k, _ := scripted(t, 200, body, keyID)
		_, _, wrapErr := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
		plain, unwrapErr := k.Unwrap(t.Context(), []byte("wrapped"), keyARN, seal.Context("i"))
		wantKind(t, "Wrap "+body, wrapErr, seal.ErrUnavailable)
		wantKind(t, "Unwrap "+body, unwrapErr, seal.ErrUnavailable)
		if plain != nil {
			t.Errorf("Unwrap with response %q = %q, want no plaintext", body, plain)
		}
		for _, err := range []error{wrapErr, unwrapErr} {
			if strings.Contains(err.Error(), marker) {
				t.Errorf("the error quotes the response: %v", err)
			}
			var undecoded *smithy.DeserializationError
			if errors.As(err, &undecoded) {
				t.Errorf("the error contains the response: %q", undecoded.Snapshot)
			}
		}
	}
}
