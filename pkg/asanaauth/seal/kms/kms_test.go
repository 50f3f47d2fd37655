package kms_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
)

const (
	keyID   = "11111111-2222-3333-4444-555555555555"
	keyARN  = "arn:aws:kms:eu-central-1:123456789012:key/" + keyID
	otherID = "mrk-99999999999999999999999999999999"
)

var static = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
})

// call is a request to the KMS that scripted simulates.
type call struct {
	Op        string `json:"-"`
	KeyId     string
	Context   map[string]string `json:"EncryptionContext"`
	Plaintext []byte
	Blob      []byte `json:"CiphertextBlob"`
}

// scripted returns a Key whose KMS always sends the same response, and the requests that
// this KMS receives.
func scripted(t *testing.T, status int, body string, ids ...string) (*kms.Key, *[]call) {
	t.Helper()
	var calls []call
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call{Op: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")}
		b, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(b, &c); err != nil {
			t.Errorf("KMS got the malformed request %q", b)
		}
		calls = append(calls, c)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return newKey(t, client(s.URL, plainBodies{http.DefaultTransport}, nil), ids...), &calls
}

const wrapResponse = `{"CiphertextBlob":"d3JhcHBlZA==","KeyId":"` + keyARN + `"}`

func TestWrapUsesTheFirstKey(t *testing.T) {
	k, calls := scripted(t, 200, wrapResponse, keyID, otherID)
	wrapped, name, err := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil || string(wrapped) != "wrapped" || name != keyARN {
		t.Errorf("Wrap = %q, %q, %v, want \"wrapped\", %q", wrapped, name, err, keyARN)
	}
	want := []call{{Op: "Encrypt", KeyId: keyID, Context: seal.Context("i"), Plaintext: []byte("plain")}}
	if diff := cmp.Diff(want, *calls); diff != "" {
		t.Errorf("requests to KMS (-want +got):\n%s", diff)
	}
}

func TestUnwrapNamesTheConfiguredKey(t *testing.T) {
	foreignAccount := strings.Replace(keyARN, "123456789012", "999999999999", 1)
	for _, c := range []struct{ name, configured, requested string }{
		{keyARN, keyID, keyID},
		{keyARN, keyARN, keyARN},
		{foreignAccount, keyID, keyID}, // the request names our key with the same ID
		{strings.Replace(keyARN, keyID, otherID, 1), otherID, otherID},
	} {
		k, calls := scripted(t, 200, `{"Plaintext":"cGxhaW4="}`, "00000000-first", c.configured)
		plain, err := k.Unwrap(t.Context(), []byte("wrapped"), c.name, seal.Context("i"))
		if err != nil || string(plain) != "plain" {
			t.Errorf("Unwrap = %q, %v, want \"plain\"", plain, err)
		}
		want := []call{{Op: "Decrypt", KeyId: c.requested, Context: seal.Context("i"), Blob: []byte("wrapped")}}
		if diff := cmp.Diff(want, *calls); diff != "" {
			t.Errorf("requests to KMS (-want +got):\n%s", diff)
		}
	}
}

func TestUnwrapRejectsKeysThatAreNotConfigured(t *testing.T) {
	for _, c := range []struct {
		name string
		ids  []string
	}{
		{"", []string{keyID}},
		{"arn:aws:kms:eu-central-1:123456789012:alias/a", []string{keyID}},
		{"arn:aws:kms:eu-central-1:123456789012:key/", []string{keyID}},
		{keyARN, []string{otherID}},
		{keyARN, []string{"arn:aws:kms:eu-central-1:999999999999:key/" + keyID}},
		{keyARN, []string{"arn:aws:kms:us-east-1:123456789012:key/" + keyID}},
		{keyID, []string{keyID}}, // Wrap always returns an ARN
		{"arn:aws:s3:eu-central-1:123456789012:key/" + keyID, []string{keyID}},
		{keyARN + "/x", []string{keyID}},
	} {
		k, calls := scripted(t, 200, `{"Plaintext":"cGxhaW4="}`, c.ids...)
		if plain, err := k.Unwrap(t.Context(), []byte("wrapped"), c.name, seal.Context("i")); !errors.Is(err, seal.ErrDenied) || plain != nil {
			t.Errorf("Unwrap of key %q with configured keys %q = %q, %v, want ErrDenied", c.name, c.ids, plain, err)
		}
		if len(*calls) != 0 {
			t.Errorf("Unwrap of key %q with configured keys %q made requests: %v", c.name, c.ids, *calls)
		}
	}
}

func TestNewReportsEveryMistake(t *testing.T) {
	c := client("http://127.0.0.1:1", http.DefaultTransport, nil)
	for _, test := range []struct {
		config kms.Config
		want   string
	}{
		{kms.Config{}, "kms: Client is missing\nkms: KeyIDs is missing"},
		{kms.Config{Client: c, KeyIDs: []string{"", keyID, "alias/a"}},
			"kms: KeyIDs[0] is neither a key ID nor a key ARN\nkms: KeyIDs[2] is neither a key ID nor a key ARN"},
		{kms.Config{Client: c, KeyIDs: []string{"arn:aws:kms:eu-central-1:123456789012:alias/a"}}, "kms: KeyIDs[0] is neither a key ID nor a key ARN"},
	} {
		if k, err := kms.New(test.config); k != nil || err == nil || err.Error() != test.want {
			t.Errorf("New(%+v) = %v, %v; want error %q", test.config, k, err, test.want)
		}
	}
}

func newKey(t *testing.T, c *awskms.Client, ids ...string) *kms.Key {
	t.Helper()
	k, err := kms.New(kms.Config{Client: c, KeyIDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestUnwrapOfEmptyBytes(t *testing.T) {
	k, calls := scripted(t, 200, `{"Plaintext":"cGxhaW4="}`, keyID)
	for _, wrapped := range [][]byte{nil, {}} {
		if _, err := k.Unwrap(t.Context(), wrapped, keyARN, seal.Context("i")); !errors.Is(err, seal.ErrDenied) || len(*calls) != 0 {
			t.Errorf("Unwrap of no bytes = %v after %d requests, want ErrDenied after none", err, len(*calls))
		}
	}
}

// If KMS wraps with a key that is not configured, Wrap must fail, because Unwrap would
// reject the result.
func TestWrapRejectsAResponseOfAnotherKey(t *testing.T) {
	k, _ := scripted(t, 200, wrapResponse, otherID)
	if wrapped, _, err := k.Wrap(t.Context(), []byte("plain"), seal.Context("i")); !errors.Is(err, seal.ErrDenied) || wrapped != nil {
		t.Errorf("Wrap = %q, %v, want ErrDenied", wrapped, err)
	}
}

func TestValidKeyID(t *testing.T) {
	for id, want := range map[string]bool{
		keyID: true, keyARN: true, otherID: true,
		"arn:aws-cn:kms:cn-north-1:123456789012:key/" + otherID: true,
		"": false, "alias/a": false, keyID + " ": false, keyARN + "/x": false, "key/" + keyID: false,
		"arn:aws:kms:eu-central-1:123456789012:alias/a": false, "arn:aws:kms:eu-central-1:123456789012:key/": false,
		"arn:aws:dynamodb:eu-central-1:123456789012:key/" + keyID: false, "arn:aws:kms:key/" + keyID: false,
	} {
		if got := kms.ValidKeyID(id); got != want {
			t.Errorf("ValidKeyID(%q) = %v, want %v", id, got, want)
		}
	}
}
