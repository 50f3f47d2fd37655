package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestSignIn signs a person in, uses every route for frontends, and disconnects, with
// each OAuth response type.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, responseType := range []string{"code", "code id_token"} {
		t.Run(responseType, func(t *testing.T) {
			d := deploy(t, "ASANA_RESPONSE_TYPE", responseType)
			f, b := d.startAll(t), newBrowser()

			back := b.startSignIn(t, d, f["authorize"])
			r := b.request(t, http.MethodGet, back.RequestURI(), "", false)
			if responseType == "code id_token" {
				if back.RawQuery != "" || !strings.Contains(back.Fragment, "id_token=") {
					t.Fatalf("Asana's redirect has a query: %t; want only a fragment, with an ID token", back.RawQuery != "")
				}
				page := b.send(t, f["callback"], r)
				if page.status != http.StatusOK || !strings.Contains(page.body, "<form") && !strings.Contains(page.body, "<script") {
					t.Fatalf("GET /callback: got %d, want the page that posts the fragment", page.status)
				}
				// API Gateway encodes the body of a form in base64.
				r = b.request(t, http.MethodPost, "/callback", back.EscapedFragment(), false)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Origin", "null")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
			}
			b.finishSignIn(t, f["callback"], r)

			who := b.mustSend(t, f["session"], http.MethodGet, "/session", "", http.StatusOK)
			if who.text("asana_user") != asanatest.Member || who.text("email") != "mia@acme.example" || who.text("status") != "active" {
				t.Errorf("GET /session: got %s, want the active connection of Mia", who.body)
			}
			token := b.mustSend(t, f["refresh"], http.MethodPost, "/refresh", `{"min_ttl":300}`, http.StatusOK).text("access_token")
			if !accepted(t, d, token) {
				t.Errorf("Asana does not accept the token")
			}
			b.seen = append(b.seen, token)
			list := b.mustSend(t, f["membership"], http.MethodGet, "/membership", "", http.StatusOK)
			one := b.mustSend(t, f["membership"], http.MethodGet, "/membership?workspace="+asanatest.Acme, "", http.StatusOK)
			if !strings.Contains(list.body, one.body[:len(one.body)-1]) || !strings.Contains(one.body, `"can_write":true`) {
				t.Errorf("GET /membership: got %s\nwhich does not contain the workspace's membership, with can_write true: %s", list.body, one.body)
			}
			checkNoSecrets(t, d, b)

			end := b.mustSend(t, f["disconnect"], http.MethodPost, "/disconnect", "{}", http.StatusOK)
			if end.body != `{"status":"disconnected","revoked_at_asana":true}` {
				t.Errorf("POST /disconnect: got %s, want disconnected and revoked_at_asana true", end.body)
			}
			if accepted(t, d, token) {
				t.Error("Asana still accepts the token")
			}
			checkNoSecrets(t, d, b)
		})
	}
}

func accepted(t *testing.T, d *deployment, token string) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.env["ASANA_BASE_URL"]+"/api/1.0/users/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := d.asana.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// checkNoSecrets checks that no row and no log line contains a credential, personal data,
// or a secret that b has received.
func checkNoSecrets(t *testing.T, d *deployment, b *browser) {
	t.Helper()
	rows, logs := d.text(t), d.logged()
	for i, secret := range append(d.credentials(t), b.seen...) {
		if secret == "" {
			t.Fatalf("credential %d is empty", i)
		}
		if strings.Contains(rows, secret) {
			t.Errorf("credential %d is in the table in plain text", i)
		}
		if strings.Contains(logs, secret) {
			t.Errorf("credential %d is in a log", i)
		}
	}
	if strings.Contains(logs, "code=") || strings.Contains(logs, "state=") {
		t.Error("a log contains a query string")
	}
}
