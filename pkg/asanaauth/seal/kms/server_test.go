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

// server gives a client of the KMS server that the environment names.
func server(t *testing.T) *awskms.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs a KMS server")
	}
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatalf("%s is not set, though CI_SERVERS says that servers are there", endpointVariable)
		}
		t.Skipf("set %s to a KMS server on loopback, such as moto: moto_server -H 127.0.0.1 -p 5000", endpointVariable)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		t.Fatalf("%s is not http on a loopback address", endpointVariable)
	}
	return client(endpoint, bodies{http.DefaultTransport}, nil)
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// client talks to endpoint with dummy credentials, and tries each call once.
func client(endpoint string, transport http.RoundTripper, creds aws.CredentialsProvider) *awskms.Client {
	if creds == nil {
		creds = static
	}
	return awskms.New(awskms.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint, Credentials: creds,
		HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
	})
}

// bodies hides what else a request's body can do: the SDK's, closed early,
// looks to net/http like a failed write, and the answer of a slow server is
// lost with it.
type bodies struct{ http.RoundTripper }

func (b bodies) RoundTrip(r *http.Request) (*http.Response, error) {
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

// A keyring row that an attacker wrapped under a key of their own opens
// neither under that key's name nor under ours.
func TestForeignKeyringDoesNotOpen(t *testing.T) {
	c := server(t)
	ours, ourARN := createKey(t, c)
	_, theirs := createKey(t, c)
	wrapped, name, err := newKey(t, c, theirs).Wrap(t.Context(), []byte("planted"), seal.Context("i"))
	if err != nil || name != theirs {
		t.Fatalf("Wrap by %q, %v, want %q", name, err, theirs)
	}
	for _, configured := range []string{ours, ourARN} {
		for _, hint := range []string{theirs, ourARN} {
			plain, err := newKey(t, c, configured).Unwrap(t.Context(), wrapped, hint, seal.Context("i"))
			if !errors.Is(err, seal.ErrDenied) || plain != nil {
				t.Errorf("Unwrap of a planted keyring = %q, %v, want ErrDenied", plain, err)
			}
		}
	}
}

func TestTheOthersStillUnwrap(t *testing.T) {
	c := server(t)
	oldID, _ := createKey(t, c)
	_, newARN := createKey(t, c)
	wrapped, name, err := newKey(t, c, oldID).Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil {
		t.Fatal(err)
	}
	moved := newKey(t, c, newARN, oldID)
	if plain, err := moved.Unwrap(t.Context(), wrapped, name, seal.Context("i")); err != nil || string(plain) != "plain" {
		t.Errorf("Unwrap by the second key = %q, %v", plain, err)
	}
	if _, name, err := moved.Wrap(t.Context(), []byte("plain"), seal.Context("i")); err != nil || name != newARN {
		t.Errorf("Wrap by %q, %v, want the first key", name, err)
	}
	if _, err := newKey(t, c, newARN).Unwrap(t.Context(), wrapped, name, seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
		t.Errorf("Unwrap by a key that was taken out: %v, want ErrDenied", err)
	}
}

func TestAKeyThatIsNotThereIsDenied(t *testing.T) {
	c := server(t)
	gone := "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
	k := newKey(t, c, gone)
	if _, err := k.Unwrap(t.Context(), make([]byte, 100), gone, seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
		t.Errorf("Unwrap: %v, want ErrDenied", err)
	}
	if _, _, err := k.Wrap(t.Context(), []byte("plain"), seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
		t.Errorf("Wrap: %v, want ErrDenied", err)
	}
}
