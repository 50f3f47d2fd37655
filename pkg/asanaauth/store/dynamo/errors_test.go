package dynamo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

var errPermanent = errors.New("permanent")

// matches is like errors.Is, except if want is errPermanent. In that case, matches
// returns true if err wraps none of the errors in the list below.
func matches(err, want error) bool {
	if want != errPermanent {
		return errors.Is(err, want)
	}
	for _, named := range []error{nil, store.ErrUnavailable, store.ErrConflict, store.ErrFormat, context.Canceled} {
		if errors.Is(err, named) {
			return false
		}
	}
	return true
}

func checkNoMessage(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "row content") {
		t.Errorf("the error contains DynamoDB's message: %v", err)
	}
}

// calls returns functions that call a method of a store. The keys of the map are the
// DynamoDB operations that the store uses for the calls.
func calls() map[string]func(context.Context, *dynamo.Store) error {
	return map[string]func(context.Context, *dynamo.Store) error{
		"BatchGetItem":       reading(hot().Key()),
		"PutItem":            writing(store.Put(hot(), store.Absent, "w")),
		"DeleteItem":         writing(store.Delete(hot().Key(), 1)),
		"TransactWriteItems": writing(twoChanges()...),
		"Query": func(ctx context.Context, s *dynamo.Store) error {
			_, _, err := s.List(ctx, "k#keyring", "")
			return err
		},
		"Scan": func(ctx context.Context, s *dynamo.Store) error { _, _, err := s.Scan(ctx, ""); return err },
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		status   int
		code     string
		want     error
		requests int
	}{
		{400, "ProvisionedThroughputExceededException", store.ErrUnavailable, 3},
		{400, "ThrottlingException", store.ErrUnavailable, 3},
		{400, "RequestLimitExceeded", store.ErrUnavailable, 3},
		{500, "InternalServerError", store.ErrUnavailable, 3},
		{503, "ServiceUnavailable", store.ErrUnavailable, 3},
		{400, "ExpiredTokenException", store.ErrUnavailable, 3},
		{400, "InvalidSignatureException", store.ErrUnavailable, 3},
		{400, "RequestExpired", store.ErrUnavailable, 3},
		{400, "RequestTimeTooSkewed", store.ErrUnavailable, 3},
		{403, "SignatureDoesNotMatch", store.ErrUnavailable, 3},
		{400, "IncompleteSignatureException", store.ErrUnavailable, 3},
		{400, "UnrecognizedClientException", store.ErrUnavailable, 3},
		{400, "ResourceNotFoundException", errPermanent, 1},
		{400, "AccessDeniedException", errPermanent, 1},
		{400, "ValidationException", errPermanent, 1},
	} {
		for op, call := range calls() {
			s, server, _ := newCanned(t, fault(test.status, test.code))
			err := call(t.Context(), s)
			if !matches(err, test.want) || len(server.received()) != test.requests {
				t.Errorf("%s, %s: got %v after %d requests, want %v after %d",
					test.code, op, err, len(server.received()), test.want, test.requests)
				continue
			}
			if !strings.Contains(err.Error(), test.code) || !strings.Contains(err.Error(), op) {
				t.Errorf("%s, %s: the error does not contain both of these: %v", test.code, op, err)
			}
			if response, ok := errors.AsType[*dynamo.ResponseError](err); !ok || response.Code != test.code || response.Operation != op {
				t.Errorf("%s, %s: got %v, want a ResponseError with these values", test.code, op, err)
			}
			checkNoMessage(t, err)
			for _, r := range server.received() {
				if r.body == "" || r.body != server.received()[0].body {
					t.Errorf("%s, %s: retried with another body: %q", test.code, op, r.body)
				}
			}
		}
	}
}

func TestUnreadableResponses(t *testing.T) {
	for name, a := range map[string]response{
		"not JSON":          {200, "row content"},
		"another shape":     {200, `{"Responses":"row content","Items":"row content","Attributes":"row content"}`},
		"an error page":     {502, "<html>row content</html>"},
		"no error code":     {503, ""},
		"too many requests": {429, ""},
	} {
		for op, call := range calls() {
			if name == "another shape" && (op == "PutItem" || op == "DeleteItem" || op == "TransactWriteItems") {
				continue // the store ignores the body of these responses
			}
			s, _, _ := newCanned(t, a)
			err := call(t.Context(), s)
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, %s: got %v, want ErrUnavailable", name, op, err)
			}
			checkNoMessage(t, err)
		}
	}
}

func TestConnectionFailures(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte(`{"Responses":{"table":[]},`))
	}))
	t.Cleanup(cut.Close)
	noCredentials := func(o *dynamodb.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("row content")
		})
	}
	impatient := func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Timeout: 1} }
	for want, client := range map[string]*dynamodb.Client{
		"connection refused": newClient(t, gone.URL),
		"could not be read":  newClient(t, cut.URL),
		"credentials":        newClient(t, cut.URL, noCredentials),
		"timed out":          newClient(t, silentServer(t), impatient),
	} {
		err := reading(hot().Key())(t.Context(), newStore(t, client, table))
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrUnavailable: %s", err, want)
		}
		checkNoMessage(t, err)
	}
}

func silentServer(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { waitForDisconnect(r) }))
	t.Cleanup(server.Close)
	return server.URL
}

// waitForDisconnect reads the whole request body first, because net/http detects a
// disconnected client only after the body has been read.
func waitForDisconnect(r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestContextEndsDuringACall(t *testing.T) {
	for op, call := range calls() {
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			waitForDisconnect(r)
		}))
		err := call(ctx, newStore(t, newClient(t, server.URL), table))
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want ErrUnavailable and context.Canceled", op, err)
		}
		server.Close()
	}
}
