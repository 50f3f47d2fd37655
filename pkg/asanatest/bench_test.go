package asanatest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The benchmark uses neither a socket nor a state file, and so measures no I/O.
func BenchmarkRefresh(b *testing.B) {
	asana, err := asanatest.New(asanatest.Options{BaseURL: base})
	if err != nil {
		b.Fatal(err)
	}
	k := &kit{Asana: asana, http: asana.Client()}
	back, err := k.Authorize(b.Context(), full().AuthCodeURL("st"), asanatest.Member)
	if err != nil {
		b.Fatal(err)
	}
	_, code, _ := strings.Cut(back, "code=")
	code, _, _ = strings.Cut(code, "&")
	form := "client_id=" + asanatest.FullClientID + "&client_secret=" + asanatest.FullClientSecret
	post := func(body string) string {
		r, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, base+"/-/oauth_token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := asana.Transport().RoundTrip(r)
		if err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
		text, _ := io.ReadAll(resp.Body) // cannot fail, because the body is in memory
		return string(text)
	}
	response := post(form + "&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8484%2Fcallback&code=" + code)
	_, refresh, _ := strings.Cut(response, `"refresh_token":"`)
	refresh, _, _ = strings.Cut(refresh, `"`)
	b.ReportAllocs()
	for b.Loop() {
		post(form + "&grant_type=refresh_token&refresh_token=" + refresh)
	}
}
