package kms_test

import (
	"net/http"
	"testing"
	"time"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/internal/awstest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// retrying returns a client that repeats requests as the functions do, and the Rejecter
// between this client and a real server.
func retrying(t *testing.T, c *awskms.Client) (*awskms.Client, *awstest.Rejecter) {
	rejecter := awstest.NewRejecter(t, *c.Options().BaseEndpoint)
	o := client(rejecter.URL, plainBodies{http.DefaultTransport}, nil).Options()
	o.Retryer = awstest.NoPause{Standard: awsretry.New()}
	return awskms.New(o), rejecter
}

func TestRejectedSignatures(t *testing.T) {
	admin := server(t)
	id, _ := createKey(t, admin)
	for _, code := range awstest.SignatureCodes() {
		c, rejecter := retrying(t, admin)
		k := newKey(t, c, id)
		rejecter.Reject(code, 2)
		wrapped, name, err := k.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
		if err != nil {
			t.Errorf("two %s: Wrap = %v, want success", code, err)
			continue
		}
		rejecter.Reject(code, 2)
		if plain, err := k.Unwrap(t.Context(), wrapped, name, seal.Context("i")); err != nil || string(plain) != "plain" {
			t.Errorf("two %s: Unwrap = %q, %v, want \"plain\"", code, plain, err)
		}
		rejecter.Reject(code, 100)
		_, err = k.Unwrap(t.Context(), wrapped, name, seal.Context("i"))
		wantKind(t, "always "+code+": Unwrap", err, seal.ErrUnavailable)
		if got := len(rejecter.Dates()); got != 3 {
			t.Errorf("always %s: got %d requests, want 3", code, got)
		}
	}
}

// A wrong clock counts as an outage of KMS, so a cached keyring is used for one more hour.
func TestCachedKeyringIsUsedWhileKMSRejectsSignatures(t *testing.T) {
	admin := server(t)
	id, _ := createKey(t, admin)
	for _, code := range awstest.SignatureCodes() {
		c, rejecter := retrying(t, admin)
		now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
		ring, err := keyring.New(keyring.Config{
			Store: &store.Memory{}, Wrapper: newKey(t, c, id), Installation: "i",
			TTL: 5 * time.Minute, Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Ring(t.Context()); err != nil {
			t.Fatal(err)
		}
		rejecter.Reject(code, 1000)
		for _, age := range []time.Duration{5 * time.Minute, 50 * time.Minute} {
			now = now.Add(age)
			if _, err := ring.Ring(t.Context()); err != nil {
				t.Errorf("%s: got %v, want the cached keyring", code, err)
			}
		}
		if len(rejecter.Dates()) == 0 {
			t.Errorf("%s: KMS got no request", code)
		}
		now = now.Add(time.Hour)
		_, err = ring.Ring(t.Context())
		wantKind(t, code, err, seal.ErrUnavailable)
	}
}
