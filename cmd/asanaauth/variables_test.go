package main_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestVariables uses the offline Asana of a different process as the real Asana.
func TestVariables(t *testing.T) {
	other := start(t, t.TempDir(), nil)
	addr := freeAddr(t)
	p := start(t, t.TempDir(), []string{
		"ASANA_CLIENT_ID=1234", "ASANA_CLIENT_SECRET=s", "ASANA_SCOPES=tasks:read openid", "ASANA_RESPONSE_TYPE=code id_token",
		"ASANA_BASE_URL=" + other.asanaURL, "RETURN_URLS=http://localhost:3000/done", "ALLOWED_ORIGINS=https://app.tunnel.test",
		"PUBLIC_URL=https://tunnel.test", "ASANAAUTH_BACKEND_KEY=" + ownKey, "ASANAAUTH_BACKEND_SECRET=" + ownSecret,
	}, "-addr", addr)
	if want := []string{"ready https://tunnel.test"}; !slices.Equal(p.printed, want) {
		t.Fatalf("printed %q, want %q", p.printed, want)
	}
	b := newBrowser(t)
	at := "http://" + addr
	begun := b.mustSend("GET", at+"/authorize", "", "Host: tunnel.test")
	to := mustParse(t, begun.location())
	if got := to.Scheme + "://" + to.Host; got != other.asanaURL {
		t.Errorf("authorize redirects to %q, want %q", got, other.asanaURL)
	}
	for name, want := range map[string]string{
		"client_id": "1234", "redirect_uri": "https://tunnel.test/callback", "scope": "tasks:read openid", "response_type": "code id_token",
	} {
		if got := to.Query().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if cookie := begun.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-") {
		t.Errorf("got cookie %.20s, want the prefix __Host-", cookie)
	}
	if page := b.mustSend("GET", at+"/", "", "Host: tunnel.test").body; strings.Contains(page, "PUBLIC_URL is") {
		t.Error("the page at PUBLIC_URL asks to open PUBLIC_URL")
	}
	page := b.mustSend("GET", at+"/", "").body
	for _, want := range []string{"real Asana", "RETURN_URLS does not contain", "ALLOWED_ORIGINS does not contain", "PUBLIC_URL is", "https://tunnel.test/callback"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	if a := b.mustSend("PUT", at+"/local/asana/switches", "{}", "Host: tunnel.test", "Origin: https://tunnel.test"); a.status != http.StatusNotFound {
		t.Errorf("switches of the real Asana: got status %d, want 404", a.status)
	}
	p.terminate()
	if !strings.Contains(p.logged.String(), "PUBLIC_URL is set") {
		t.Error("the log has no warning about PUBLIC_URL")
	}
}

// freeAddr returns a loopback address with a port that is free when freeAddr returns.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The other Asana accepts only the value of ASANA_NEXT_CLIENT_SECRET, so the service must
// try both client secrets.
func TestAnotherAsana(t *testing.T) {
	addr := freeAddr(t)
	public := withHost(t, "http://"+addr, "localhost")
	other := start(t, t.TempDir(), []string{"PUBLIC_URL=" + public})
	p := start(t, t.TempDir(), []string{
		"ASANA_CLIENT_ID=1300000000008484", "ASANA_CLIENT_SECRET=an-old-one", "ASANA_NEXT_CLIENT_SECRET=offline-local-app",
		"ASANA_SCOPES=default", "ASANA_BASE_URL=" + other.asanaURL, "ASANA_ISSUER=" + other.asanaURL + "/api/1.0",
	}, "-addr", addr)
	if p.asanaURL != "" {
		t.Errorf("got an offline Asana at %s, want none", p.asanaURL)
	}
	p.asanaURL = other.asanaURL
	b := newBrowser(t)
	b.signIn(p, member)
	accessToken(t, b.post(p, "/refresh", ""))
}

func TestUnusedVariables(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"ASANA_BASE_URL=https://app.asana.com", "ASANA_SCOPES=tasks:read openid", "SIGN_IN=links"}, "-allow-non-loopback", "-host", "x")
	b := newBrowser(t)
	if a := b.mustSend("GET", p.publicURL+"/authorize", ""); a.status != http.StatusBadRequest {
		t.Errorf("SIGN_IN=links without a link: got status %d, want 400", a.status)
	}
	p.terminate()
	for _, want := range []string{`"name":"ASANA_BASE_URL"`, "-host is set", "-allow-non-loopback is set"} {
		if !strings.Contains(p.logged.String(), want) {
			t.Errorf("the log does not contain %s", want)
		}
	}
}

// The settings in this test prevent sign-in on the page of "asanaauth local". The test
// checks that the page says what to do for each setting.
func TestPageNotices(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"SIGN_IN=links", "RETURN_URLS=http://localhost:3000/", "ALLOWED_ORIGINS=http://localhost:3000"})
	page := newBrowser(t).mustSend("GET", p.publicURL+"/", "").body
	for _, want := range []string{
		`so this page cannot sign you in. To connect, create a link as in <a href="#backend">Connect from a backend</a> below.`,
		"To return to this page, add the URL, and restart asanaauth local.",
		"Add the origin, and restart asanaauth local.",
		"the key that <code>asanaauth local</code> printed when it started",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	if strings.Contains(page, `id="sign-in"`) {
		t.Error("the page has a button that cannot sign in")
	}
	p.terminate()
	const want = `"cookies without __Host- and Secure, because the service uses http on a loopback host"`
	if got := strings.Count(p.logged.String(), want); got != 1 {
		t.Errorf("got %d log lines with %s, want one", got, want)
	}
}
