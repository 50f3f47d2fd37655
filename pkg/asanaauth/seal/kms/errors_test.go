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
	type answer struct {
		status int
		code   string
	}
	for kind, answers := range map[error][]answer{
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
		for _, a := range answers {
			body := fmt.Sprintf(`{"__type":%q,"message":"m"}`, a.code)
			k, calls := scripted(t, a.status, body, keyID)
			_, _, wrapErr := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
			_, unwrapErr := k.Unwrap(t.Context(), []byte("wrapped"), keyARN, seal.Context("i"))
			if len(*calls) != 2 {
				t.Errorf("%v: KMS was asked %d times, want 2", a, len(*calls))
			}
			wantKind(t, fmt.Sprint("Wrap ", a), wrapErr, kind)
			wantKind(t, fmt.Sprint("Unwrap ", a), unwrapErr, kind)
		}
	}
}

// wantKind wants one of the two errors and not the other.
func wantKind(t *testing.T, what string, err, kind error) {
	t.Helper()
	for _, e := range []error{seal.ErrDenied, seal.ErrUnavailable} {
		if errors.Is(err, e) != (e == kind) {
			t.Errorf("%s: %v, want %v", what, err, kind)
		}
	}
}

type trips func(*http.Request) (*http.Response, error)

func (f trips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNoAnswerIsUnavailable(t *testing.T) {
	refused := errors.New("no credentials here")
	noCreds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, refused })
	failing := func(err error) trips { return func(*http.Request) (*http.Response, error) { return nil, err } }
	for name, k := range map[string]*kms.Key{
		"time-out":    newKey(t, client("http://127.0.0.1:1", failing(os.ErrDeadlineExceeded), nil), keyID),
		"cut":         newKey(t, client("http://127.0.0.1:1", failing(io.ErrUnexpectedEOF), nil), keyID),
		"no host":     newKey(t, client("http://127.0.0.1:1", failing(&net.DNSError{IsNotFound: true}), nil), keyID),
		"credentials": newKey(t, client("http://127.0.0.1:1", failing(nil), noCreds), keyID),
	} {
		_, _, wrapErr := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
		_, unwrapErr := k.Unwrap(t.Context(), []byte("wrapped"), keyARN, seal.Context("i"))
		wantKind(t, "Wrap, "+name, wrapErr, seal.ErrUnavailable)
		wantKind(t, "Unwrap, "+name, unwrapErr, seal.ErrUnavailable)
	}
}

// The caller's own deadline passes while KMS is silent.
func TestDeadline(t *testing.T) {
	silent := trips(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	k := newKey(t, client("http://127.0.0.1:1", silent, nil), keyID)
	_, err := k.Unwrap(ctx, []byte("wrapped"), keyARN, seal.Context("i"))
	wantKind(t, "Unwrap", err, seal.ErrUnavailable)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Unwrap: %v, want the context's error in it", err)
	}
}

// A no of KMS stays one, though the caller's time ran out meanwhile.
func TestDeniedOutlivesTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	no := trips(func(*http.Request) (*http.Response, error) {
		cancel()
		body := io.NopCloser(strings.NewReader(`{"__type":"DisabledException"}`))
		return &http.Response{StatusCode: 400, Header: http.Header{}, Body: body}, nil
	})
	_, err := newKey(t, client("http://127.0.0.1:1", no, nil), keyID).Unwrap(ctx, []byte("wrapped"), keyARN, seal.Context("i"))
	wantKind(t, "Unwrap", err, seal.ErrDenied)
	if errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "DisabledException") {
		t.Errorf("Unwrap: %v, want what KMS said", err)
	}
}

// The context ends while the answer is being read: the SDK takes that for an
// answer that makes no sense.
func TestContextEndsWithinTheAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	half := trips(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"Plaintext":`), ending{cancel})
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)}, nil
	})
	_, err := newKey(t, client("http://127.0.0.1:1", half, nil), keyID).Unwrap(ctx, []byte("wrapped"), keyARN, seal.Context("i"))
	wantKind(t, "Unwrap", err, seal.ErrUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Unwrap: %v, want the context's error in it", err)
	}
	var unread *smithy.DeserializationError
	if errors.As(err, &unread) {
		t.Errorf("the error holds the half answer: %q", unread.Snapshot)
	}
}

// ending is a body that breaks off as the context ends.
type ending struct{ cancel func() }

func (e ending) Read([]byte) (int, error) {
	e.cancel()
	return 0, errors.New("broken off")
}

// An answer that cannot be read is not quoted: it may hold the keyring.
func TestNonsenseIsUnavailableAndNotQuoted(t *testing.T) {
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
			t.Errorf("Unwrap of %q = %q, want nothing", body, plain)
		}
		for _, err := range []error{wrapErr, unwrapErr} {
			if strings.Contains(err.Error(), marker) {
				t.Errorf("the error quotes the answer: %v", err)
			}
			var unread *smithy.DeserializationError
			if errors.As(err, &unread) {
				t.Errorf("the error holds the answer: %q", unread.Snapshot)
			}
		}
	}
}
