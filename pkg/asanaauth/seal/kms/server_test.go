package kms_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
)

const endpointVariable = "AWS_ENDPOINT_URL_KMS"

// server returns a client of the server at AWS_ENDPOINT_URL_KMS. If this variable is not
// set, server skips the test.
func server(t *testing.T) *awskms.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("this test needs a KMS server")
	}
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatalf("%s is not set, although CI_SERVERS=1 requires it", endpointVariable)
		}
		t.Skipf("set %s to a KMS server on loopback, such as moto: moto_server -H 127.0.0.1 -p 5000", endpointVariable)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		t.Fatalf("%s must be an http URL on a loopback address", endpointVariable)
	}
	return client(endpoint, plainBodies{http.DefaultTransport}, nil)
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func client(endpoint string, transport http.RoundTripper, creds aws.CredentialsProvider) *awskms.Client {
	if creds == nil {
		creds = static
	}
	return awskms.New(awskms.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint, Credentials: creds,
		HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
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

func createKey(t *testing.T, c *awskms.Client) (id, arn string) {
	t.Helper()
	out, err := c.CreateKey(t.Context(), &awskms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return *out.KeyMetadata.KeyId, *out.KeyMetadata.Arn
}

func TestConformanceByKeyID(t *testing.T) {
	c := server(t)
	id, _ := createKey(t, c)
	sealtest.Run(t, func(*testing.T) seal.Wrapper { return newKey(t, c, id) })
}

func TestConformanceByARN(t *testing.T) {
	c := server(t)
	other, _ := createKey(t, c)
	_, arn := createKey(t, c)
	sealtest.Run(t, func(*testing.T) seal.Wrapper { return newKey(t, c, arn, other) })
}

// An attacker may wrap a keyring with their own KMS key and write it to the keyring's
// row. Unwrap must reject this keyring, whether the row names the attacker's KMS key or
// the configured one.
func TestForeignKeyringDoesNotUnwrap(t *testing.T) {
	c := server(t)
	ours, ourARN := createKey(t, c)
	_, theirs := createKey(t, c)
	wrapped, name, err := newKey(t, c, theirs).Wrap(t.Context(), []byte("foreign"), seal.Context("i"))
	if err != nil || name != theirs {
		t.Fatalf("Wrap returned key %q, %v, want %q", name, err, theirs)
	}
	for _, configured := range []string{ours, ourARN} {
		for _, name := range []string{theirs, ourARN} {
			plain, err := newKey(t, c, configured).Unwrap(t.Context(), wrapped, name, seal.Context("i"))
			if !errors.Is(err, seal.ErrDenied) || plain != nil {
				t.Errorf("Unwrap of a foreign keyring = %q, %v, want ErrDenied", plain, err)
			}
		}
	}
}

func TestEveryConfiguredKeyUnwraps(t *testing.T) {
	c := server(t)
	oldID, _ := createKey(t, c)
	_, newARN := createKey(t, c)
	wrapped, name, err := newKey(t, c, oldID).Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil {
		t.Fatal(err)
	}
	moved := newKey(t, c, newARN, oldID)
	if plain, err := moved.Unwrap(t.Context(), wrapped, name, seal.Context("i")); err != nil || string(plain) != "plain" {
		t.Errorf("Unwrap with the second key = %q, %v, want \"plain\"", plain, err)
	}
	if _, name, err := moved.Wrap(t.Context(), []byte("plain"), seal.Context("i")); err != nil || name != newARN {
		t.Errorf("Wrap returned key %q, %v, want the first key %q", name, err, newARN)
	}
	if _, err := newKey(t, c, newARN).Unwrap(t.Context(), wrapped, name, seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
		t.Errorf("Unwrap of a key that is no longer configured = %v, want ErrDenied", err)
	}
}

func TestMissingKeyIsDenied(t *testing.T) {
	c := server(t)
	missing := "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
	k := newKey(t, c, missing)
	if _, err := k.Unwrap(t.Context(), make([]byte, 100), missing, seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
		t.Errorf("Unwrap = %v, want ErrDenied", err)
	}
	if _, _, err := k.Wrap(t.Context(), []byte("plain"), seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
		t.Errorf("Wrap = %v, want ErrDenied", err)
	}
}
