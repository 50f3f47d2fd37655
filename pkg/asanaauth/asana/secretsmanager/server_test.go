package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana/secretsmanager"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const endpointVariable = "AWS_ENDPOINT_URL_SECRETS_MANAGER"

// server returns a client of the server at AWS_ENDPOINT_URL_SECRETS_MANAGER. If this
// variable is not set, server skips the test.
func server(t *testing.T) *awssm.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("this test needs a Secrets Manager server")
	}
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatalf("%s is not set, although CI_SERVERS=1 requires it", endpointVariable)
		}
		t.Skipf("set %s to a Secrets Manager server on loopback, such as moto: moto_server -H 127.0.0.1 -p 5000", endpointVariable)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		t.Fatalf("%s must be an http URL on a loopback address", endpointVariable)
	}
	return client(endpoint, http.DefaultTransport)
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func client(endpoint string, transport http.RoundTripper) *awssm.Client {
	return awssm.New(awssm.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint, Retryer: aws.NopRetryer{},
		HTTPClient: &http.Client{Transport: plainBodies{transport}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

// plainBodies is a transport that hides the WriteTo method of a request's body, so that
// net/http calls Read instead. If the SDK has closed the body before net/http checks that
// the body has ended, WriteTo returns io.EOF as an error, and net/http reports a failed
// write instead of the response.
type plainBodies struct{ http.RoundTripper }

func (b plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body = struct{ io.ReadCloser }{r.Body}
	return b.RoundTripper.RoundTrip(r)
}

func wantSecrets(t *testing.T, s *secretsmanager.Source, want ...string) {
	t.Helper()
	all, err := s.ClientSecrets(t.Context())
	if err != nil {
		t.Fatalf("ClientSecrets: %v", err)
	}
	if diff := cmp.Diff(want, revealed(all)); diff != "" {
		t.Errorf("ClientSecrets (-want +got):\n%s", diff)
	}
}

func revealed(all []secret.String) (texts []string) {
	for _, s := range all {
		texts = append(texts, s.Reveal())
	}
	return texts
}

func create(t *testing.T, c *awssm.Client, text string) (arn string) {
	t.Helper()
	name := fmt.Sprintf("test-%s-%d", t.Name(), os.Getpid())
	out, err := c.CreateSecret(t.Context(), &awssm.CreateSecretInput{Name: &name, SecretString: &text})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		c.DeleteSecret(ctx, &awssm.DeleteSecretInput{SecretId: out.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)})
	})
	return *out.ARN
}

func TestEachCallFetchesTheCurrentVersion(t *testing.T) {
	c := server(t)
	arn := create(t, c, `{"client_secret":"one"}`)
	s := newSource(t, c, arn)
	wantSecrets(t, s, "one")
	put := func(text string, stages ...string) {
		_, err := c.PutSecretValue(t.Context(), &awssm.PutSecretValueInput{SecretId: &arn, SecretString: &text, VersionStages: stages})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(`{"client_secret":"one","next_client_secret":"two"}`, "AWSCURRENT")
	wantSecrets(t, s, "one", "two")
	put(`{"client_secret":"not yet"}`, "AWSPENDING")
	wantSecrets(t, s, "one", "two")
}

func TestMissingSecretIsNotMalformed(t *testing.T) {
	c := server(t)
	arn := "arn:aws:secretsmanager:eu-central-1:123456789012:secret:missing-abcdef"
	all, err := newSource(t, c, arn).ClientSecrets(t.Context())
	if err == nil || errors.Is(err, secretsmanager.ErrMalformed) || all != nil {
		t.Errorf("ClientSecrets = %v, %v, want the error of Secrets Manager", all, err)
	}
}

func TestABinarySecretIsMalformed(t *testing.T) {
	c := server(t)
	arn := create(t, c, "text")
	_, err := c.PutSecretValue(t.Context(), &awssm.PutSecretValueInput{SecretId: &arn, SecretBinary: []byte(`{"client_secret":"x"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := newSource(t, c, arn).ClientSecrets(t.Context()); !errors.Is(err, secretsmanager.ErrMalformed) || all != nil {
		t.Errorf("ClientSecrets = %v, %v, want ErrMalformed", all, err)
	}
}
