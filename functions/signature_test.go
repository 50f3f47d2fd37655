package functions_test

import (
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest/awsproxy"
	"github.com/asanaauth/asanaauth/internal/awstest"
)

// rejecters are between the proxies of one function and the servers.
type rejecters struct{ rows, keys, secrets *awstest.Rejecter }

func (d *deployment) rejecters(t *testing.T, function string) rejecters {
	f := d.template.Functions[function]
	r := rejecters{awstest.NewRejecter(t, d.dynamoDB), awstest.NewRejecter(t, d.kmsURL), awstest.NewRejecter(t, d.secretsURL)}
	d.proxies[function] = proxies{awsproxy.New(t, r.rows.URL, &f), awsproxy.New(t, r.keys.URL, &f), awsproxy.New(t, r.secrets.URL, &f)}
	return r
}

// TestAuthorizeWithRejectedSignatures checks that a person can sign in if DynamoDB rejects
// two signatures of a function, for example after a freeze of its sandbox. If DynamoDB
// rejects every signature, the person must see a page with status 503.
func TestAuthorizeWithRejectedSignatures(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	r := d.rejecters(t, "authorize")
	for _, code := range awstest.SignatureCodes() {
		b, authorize := newBrowser(), d.start(t, "authorize")
		r.rows.Reject(code, 2)
		if a := b.send(t, authorize, b.request(t, http.MethodGet, "/authorize", "", false)); a.status != http.StatusSeeOther {
			t.Errorf("two %s: got %d %s, want 303", code, a.status, a.body)
		}
		r.rows.Reject(code, 100)
		a := b.send(t, authorize, b.request(t, http.MethodGet, "/authorize", "", false))
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("always %s: got %d with Retry-After %q, want 503 and a Retry-After", code, a.status, a.header.Get("Retry-After"))
		}
	}
}

// TestRefreshWithRejectedSignatures checks that POST /refresh works if DynamoDB, KMS and
// Secrets Manager each reject two signatures. If one of them rejects every signature, the
// problem must be try-again, and a later request must succeed.
func TestRefreshWithRejectedSignatures(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	r := d.rejecters(t, "refresh")
	for service, rejecter := range map[string]*awstest.Rejecter{"DynamoDB": r.rows, "KMS": r.keys, "Secrets Manager": r.secrets} {
		for _, code := range awstest.SignatureCodes() {
			d.expire(t)
			rejecter.Reject(code, 100)
			refresh := d.start(t, "refresh") // a new process, so its caches are empty
			a := b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusServiceUnavailable)
			if a.text("type") != "urn:asanaauth:problem:try-again" || a.header.Get("Retry-After") == "" {
				t.Errorf("%s, always %s: got response %s with Retry-After %q, want try-again and a Retry-After",
					service, code, a.body, a.header.Get("Retry-After"))
			}
			rejecter.Reject(code, 2)
			b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
		}
	}
}
