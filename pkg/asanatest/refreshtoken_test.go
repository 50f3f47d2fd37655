package asanatest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestRefreshToken(t *testing.T) {
	t.Parallel()
	a, err := asanatest.New(asanatest.Options{BaseURL: "https://asana.example", Apps: []asanatest.App{{
		ClientID: "1300000000000001", ClientSecret: "s", RedirectURIs: []string{"https://app.example/callback"}, Scopes: []string{"default"}}}})
	if err != nil {
		t.Fatal(err)
	}
	value := a.RefreshToken("1300000000000001", asanatest.Member)
	resp, err := a.Client().PostForm("https://asana.example/-/oauth_token", url.Values{"grant_type": {"refresh_token"},
		"client_id": {"1300000000000001"}, "client_secret": {"s"}, "refresh_token": {value}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("refresh: got %s, want 200", resp.Status)
	}
	for _, none := range []string{a.RefreshToken("1300000000000002", asanatest.Member), a.RefreshToken("1300000000000001", "1299999999999999"),
		a.RefreshToken("1300000000000001", asanatest.ServiceAccount)} {
		if none != "" {
			t.Error("got a token for an unknown app or person")
		}
	}
}
