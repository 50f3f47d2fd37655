package secretsmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana/secretsmanager"
)

const (
	arn    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:asana-abcdef"
	marker = "MARKER6f1e"
)

func newSource(t *testing.T, c *awssm.Client, arn string) *secretsmanager.Source {
	t.Helper()
	s, err := secretsmanager.New(secretsmanager.Config{Client: c, ARN: arn})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewReportsEveryMistake(t *testing.T) {
	const want = "secretsmanager: Client is missing\nsecretsmanager: ARN is missing"
	if s, err := secretsmanager.New(secretsmanager.Config{}); s != nil || err == nil || err.Error() != want {
		t.Errorf("New(Config{}) = %v, %v; want %s", s, err, want)
	}
}

// respondWith returns a source whose server always sends the same response, and the
// bodies of the requests that the server receives.
func respondWith(t *testing.T, status int, body string) (*secretsmanager.Source, *[]map[string]any) {
	t.Helper()
	var calls []map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request map[string]any
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Errorf("the server got a request that is not JSON: %v", err)
		}
		calls = append(calls, request)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return newSource(t, client(s.URL, http.DefaultTransport), arn), &calls
}

func sourceOf(t *testing.T, text string) *secretsmanager.Source {
	t.Helper()
	body, err := json.Marshal(map[string]string{"SecretString": text})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := respondWith(t, 200, string(body))
	return s
}

func TestRequestsNameTheCurrentStage(t *testing.T) {
	s, calls := respondWith(t, 200, `{"SecretString":"{\"client_secret\":\"one\"}"}`)
	wantSecrets(t, s, "one")
	wantSecrets(t, s, "one")
	request := map[string]any{"SecretId": arn, "VersionStage": "AWSCURRENT"}
	if diff := cmp.Diff([]map[string]any{request, request}, *calls); diff != "" {
		t.Errorf("requests to Secrets Manager (-want +got):\n%s", diff)
	}
}

func TestClientSecrets(t *testing.T) {
	for text, want := range map[string][]string{
		`{"client_secret":"one"}`:                                          {"one"},
		`{"client_secret":"one","next_client_secret":"two"}`:               {"one", "two"},
		`{"next_client_secret":"two","client_secret":"one"}`:               {"one", "two"},
		`{"client_secret":"one","next_client_secret":""}`:                  {"one"},
		`{"client_secret":"one","next_client_secret":null}`:                {"one"},
		`{"client_secret":"one","next_client_secret":"one"}`:               {"one"},
		` {"client_secret":"one","client_id":12,"Client_Secret":3}` + "\n": {"one"},
	} {
		t.Run(text, func(t *testing.T) { wantSecrets(t, sourceOf(t, text), want...) })
	}
}

func TestErrorsDoNotQuoteAMalformedSecret(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", marker, `"` + marker + `"`, `[{"client_secret":"` + marker + `"}]`,
		`{"client_secret":"` + marker, `{"client_secret":"` + marker + `"} x`,
		`{"client_secret":""}`, `{"client_secret":null}`, `{"Client_Secret":"` + marker + `"}`,
		`{"client_secret":["` + marker + `"]}`, `{"client_secret":123456789}`, `{"` + marker + `":"x"}`,
		`{"next_client_secret":"` + marker + `"}`, `{"client_secret":"a","next_client_secret":["` + marker + `"]}`,
		`{"client_secret":" ` + marker + `"}`, `{"client_secret":"` + marker + `\n"}`,
		`{"client_secret":"a","next_client_secret":"` + marker + ` "}`,
	} {
		all, err := sourceOf(t, text).ClientSecrets(t.Context())
		if !errors.Is(err, secretsmanager.ErrMalformed) || all != nil {
			t.Errorf("%q: ClientSecrets = %v, %v, want ErrMalformed", text, all, err)
			continue
		}
		notQuoted(t, err)
	}
}

func notQuoted(t *testing.T, err error) {
	t.Helper()
	for _, leak := range []string{marker, "123456789}"} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("the error contains a part of the secret: %v", err)
		}
	}
	var undecoded *smithy.DeserializationError
	if errors.As(err, &undecoded) {
		t.Errorf("the error contains the response: %q", undecoded.Snapshot)
	}
}

func TestErrorsDoNotQuoteAMalformedResponse(t *testing.T) {
	for _, body := range []string{
		`{"SecretString":"` + marker, `{"SecretString":{"` + marker + `":1}}`, `{"SecretString":` + marker + `}`, "<html>" + marker,
	} {
		s, _ := respondWith(t, 200, body)
		all, err := s.ClientSecrets(t.Context())
		if err == nil || all != nil {
			t.Errorf("%q: ClientSecrets = %v, %v, want an error", body, all, err)
			continue
		}
		notQuoted(t, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNoResponse(t *testing.T) {
	for _, cause := range []error{os.ErrDeadlineExceeded, io.ErrUnexpectedEOF} {
		fails := roundTrip(func(*http.Request) (*http.Response, error) { return nil, cause })
		s := newSource(t, client("http://127.0.0.1:1", fails), arn)
		if all, err := s.ClientSecrets(t.Context()); err == nil || all != nil {
			t.Errorf("%v: ClientSecrets = %v, %v, want an error", cause, all, err)
		}
	}
}

// The error of a credential provider can contain the output of a credential_process
// command, and with it AWS credentials.
func TestErrorsDoNotQuoteTheCredentialProvider(t *testing.T) {
	c := awssm.New(awssm.Options{Region: "eu-central-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("the output was " + marker)
	})})
	all, err := newSource(t, c, arn).ClientSecrets(t.Context())
	if err == nil || all != nil {
		t.Fatalf("ClientSecrets = %v, %v, want an error", all, err)
	}
	notQuoted(t, err)
}

func TestContextErrorIsWrapped(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	silent := roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	_, err := newSource(t, client("http://127.0.0.1:1", silent), arn).ClientSecrets(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ClientSecrets = %v, want the context's error", err)
	}
}

// If the context ends while the SDK reads the response, the SDK reports that the response
// cannot be decoded. ClientSecrets must return the context's error instead.
func TestContextEndsWithinTheResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	incomplete := roundTrip(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"SecretString":"`+marker), ending{cancel})
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)}, nil
	})
	_, err := newSource(t, client("http://127.0.0.1:1", incomplete), arn).ClientSecrets(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ClientSecrets = %v, want the context's error", err)
	}
	notQuoted(t, err)
}

type ending struct{ cancel func() }

func (e ending) Read([]byte) (int, error) {
	e.cancel()
	return 0, errors.New("the body ended early")
}
