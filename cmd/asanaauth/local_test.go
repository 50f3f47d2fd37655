package main_test

import (
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stdout string // contained
		stderr string
	}{
		{"nothing", nil, 2, "", "Usage"},
		{"unknown command", []string{"serve"}, 2, "", `no command "serve"`},
		{"a later command", []string{"doctor"}, 2, "", `no command "doctor"`},
		{"help", []string{"-h"}, 0, "asanaauth local", ""},
		{"help of local", []string{"local", "-h"}, 0, "-allow-non-loopback", ""},
		{"unknown flag", []string{"local", "-wrong"}, 2, "", "-wrong"},
		{"argument", []string{"local", "now"}, 2, "", `"now"`},
		{"no port", []string{"local", "-addr", "127.0.0.1"}, 2, "", "IP:PORT"},
		{"no number", []string{"local", "-addr", "127.0.0.1:http"}, 2, "", "port"},
		{"a name", []string{"local", "-addr", "example.com:8484"}, 2, "", "no IP address"},
		{"all addresses", []string{"local", "-addr", ":0"}, 2, "", "-allow-non-loopback"},
		{"all IPv4 addresses", []string{"local", "-addr", "0.0.0.0:0"}, 2, "", "-allow-non-loopback"},
		{"not loopback", []string{"local", "-addr", "192.0.2.1:0"}, 2, "", "-allow-non-loopback"},
		{"offline Asana not on loopback", []string{"local", "-asana-addr", "[::]:0"}, 2, "", "-asana-addr"},
		{"key with a slash", []string{"local", "-backend-key", "a/b"}, 2, "", "-backend-key"},
		{"host with a scheme", []string{"local", "-host", "http://x"}, 2, "", "-host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := outcome(t, nil, test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d, %q, %q", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
			if (stdout == "") != (test.stdout == "") {
				t.Errorf("stdout is %q", stdout)
			}
		})
	}
}

func TestMalformedVariables(t *testing.T) {
	const hidden = "hunter2-with-space "
	args := []string{"local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir()}
	code, stdout, stderr := outcome(t, []string{
		"ASANA_CLIENT_ID=1", "ASANA_CLIENT_SECRET=" + hidden, "ASANA_RESPONSE_TYPE=token", "SESSION_IDLE_TTL=1h", "SESSION_TTL=0s",
		"KEY_CACHE_TTL=2h", "SIGN_IN=no", "RETURN_URLS=ftp://x", "ALLOWED_ORIGINS=http://x/", "PUBLIC_URL=http://example.com",
		"ASANA_BASE_URL=http://example.com", "ASANA_ISSUER=x", "ASANAAUTH_BACKEND_KEY=a/b",
	}, args...)
	if code != 1 || stdout != "" {
		t.Errorf("exit %d, stdout %q; want 1 and nothing", code, stdout)
	}
	for _, name := range []string{
		"ASANA_CLIENT_SECRET", "ASANA_SCOPES", "ASANA_RESPONSE_TYPE", "SESSION_IDLE_TTL", "SESSION_TTL", "KEY_CACHE_TTL", "SIGN_IN",
		"RETURN_URLS", "ALLOWED_ORIGINS", "PUBLIC_URL", "ASANA_BASE_URL", "ASANA_ISSUER", "ASANAAUTH_BACKEND_KEY",
	} {
		if !strings.Contains(stderr, name+": ") {
			t.Errorf("stderr does not name %s", name)
		}
	}
	if strings.Contains(stderr, "hunter2") {
		t.Error("stderr repeats a value")
	}
}

func TestReady(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "folder")
	p := start(t, data, nil)
	if !strings.HasPrefix(p.publicURL, "http://localhost:") || !strings.HasPrefix(p.asanaURL, "http://127.0.0.1:") {
		t.Errorf("service at %q, Asana at %q", p.publicURL, p.asanaURL)
	}
	if len(p.printed) != 3 || !strings.HasPrefix(p.printed[0], "backend-key ") {
		t.Errorf("printed %q, want a key, offline Asana's address and the ready line", p.printed)
	}
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder has mode %v (%v), want 0700", info.Mode(), err)
	}
	b := newBrowser(t)
	for _, at := range []string{p.publicURL, sameAt(t, p.publicURL, "127.0.0.1"), p.asanaURL + "/_offline", sameAt(t, p.asanaURL, "localhost") + "/_offline"} {
		if a := b.ask("GET", at+"/", ""); a.status != http.StatusOK && a.status != http.StatusTemporaryRedirect {
			t.Errorf("%s answers %d", at, a.status)
		}
	}
	if hasIPv6() {
		for _, at := range []string{sameAt(t, p.publicURL, "[::1]") + "/session", sameAt(t, p.asanaURL, "[::1]") + "/_offline/"} {
			if a := b.ask("GET", at, ""); a.status == http.StatusMisdirectedRequest {
				t.Errorf("%s answers %d", at, a.status)
			}
		}
	}
	if code := p.terminate(); code != 0 {
		t.Errorf("exit %d after SIGTERM, want 0", code)
	}
	if !strings.Contains(p.logged.String(), "not for production") {
		t.Error("the log does not say that this is not for production")
	}
	for line := range strings.Lines(p.logged.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is no JSON: %s", line)
		}
	}
}

// sameAt is an origin under another name of this machine.
func sameAt(t *testing.T, origin, host string) string {
	return "http://" + host + ":" + mustParse(t, origin).Port()
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

func TestWithoutData(t *testing.T) {
	cache := t.TempDir()
	cmd := command(t, []string{"XDG_CACHE_HOME=" + cache}, "local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-backend-key", "mine")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := make([]byte, 0, 1000)
	for !strings.Contains(string(printed), "ready ") {
		n, err := stdout.Read(printed[len(printed):cap(printed)])
		if printed = printed[:len(printed)+n]; err != nil {
			t.Fatal(err)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if strings.Contains(string(printed), "backend-key") || strings.Contains(string(printed), "mine") {
		t.Errorf("it prints %q: a key that was given is not printed", printed)
	}
	if _, err := os.Stat(filepath.Join(cache, "asanaauth", "local", "rows.db")); err != nil {
		t.Error(err)
	}
}

func TestInUse(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, nil)
	used := mustParse(t, p.publicURL).Host
	used = "127.0.0.1:" + mustParse(t, "http://"+used).Port()
	usedAsana := mustParse(t, p.asanaURL).Host
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"data", []string{"-data", data, "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0"}, "in use by another asanaauth local"},
		{"port", []string{"-data", t.TempDir(), "-addr", used, "-asana-addr", "127.0.0.1:0"}, "address already in use"},
		{"port of Asana", []string{"-data", t.TempDir(), "-addr", "127.0.0.1:0", "-asana-addr", usedAsana}, "address already in use"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := outcome(t, nil, append([]string{"local"}, test.args...)...)
			if code != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want 1, nothing, %q", code, stdout, stderr, test.want)
			}
		})
	}
	if a := newBrowser(t).ask("GET", p.publicURL+"/", ""); a.status != http.StatusOK {
		t.Errorf("the first one answers %d", a.status)
	}
}

func TestFoldersLeftAlone(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "letters"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o755); err != nil {
		t.Fatal(err)
	}
	keyless := t.TempDir()
	start(t, keyless, nil).kill()
	if err := os.Remove(filepath.Join(keyless, "local.key")); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	start(t, damaged, nil).kill()
	if err := os.Truncate(filepath.Join(damaged, "rows.db"), 5000); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ folder, want string }{
		{home, "holds other things"},
		{keyless, "has lost its local.key"},
		{damaged, "is damaged"},
		{filepath.Join(home, "letters"), "letters"},
	} {
		code, _, stderr := outcome(t, nil, "local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", test.folder)
		if code != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("exit %d, stderr %q; want 1 and %q", code, stderr, test.want)
		}
	}
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("somebody's home has mode %v now (%v)", info.Mode(), err)
	}
}

func TestGuard(t *testing.T) {
	p := start(t, t.TempDir(), nil, "-host", "mine.test", "-host", "other.test:9000")
	b := newBrowser(t)
	port := mustParse(t, p.publicURL).Port()
	own := "Origin: " + p.publicURL
	for _, test := range []struct {
		name, method, url string
		headers           []string
		want              int
	}{
		{"rebound name", "GET", p.publicURL + "/session", []string{"Host: evil.test"}, 421},
		{"rebound name with our port", "GET", p.publicURL + "/", []string{"Host: evil.test:" + port}, 421},
		{"our name with another port", "GET", p.publicURL + "/", []string{"Host: localhost:1"}, 421},
		{"name below ours", "GET", p.publicURL + "/", []string{"Host: x.localhost:" + port}, 421},
		{"name in upper case", "GET", p.publicURL + "/local/trip", []string{"Host: LOCALHOST:" + port}, 200},
		{"added name", "GET", p.publicURL + "/local/trip", []string{"Host: mine.test"}, 200},
		{"added name with our port", "GET", p.publicURL + "/local/trip", []string{"Host: mine.test:" + port}, 200},
		{"added name with its port", "GET", p.publicURL + "/local/trip", []string{"Host: other.test:9000"}, 200},
		{"added name with another port", "GET", p.publicURL + "/local/trip", []string{"Host: other.test"}, 421},
		{"rebound name at Asana", "GET", p.asanaURL + "/_offline/switches", []string{"Host: evil.test"}, 421},
		{"our name at Asana", "GET", p.asanaURL + "/_offline/switches", nil, 200},

		{"foreign origin", "POST", p.publicURL + "/refresh", []string{"Origin: http://evil.test", "Content-Type: application/json"}, 403},
		{"no origin at all", "POST", p.publicURL + "/refresh", []string{"Content-Type: application/json"}, 403},
		{"null origin", "POST", p.publicURL + "/disconnect", []string{"Origin: null", "Content-Type: application/json"}, 403},
		{"own origin", "POST", p.publicURL + "/refresh", []string{own, "Content-Type: application/json"}, 401},
		{"foreign origin, unknown route", "POST", p.publicURL + "/other", []string{"Origin: http://evil.test"}, 403},
		{"null origin at the callback", "POST", p.publicURL + "/callback", []string{"Origin: null", "Content-Type: application/x-www-form-urlencoded"}, 400},
		{"foreign origin at the switches", "POST", p.publicURL + "/local/asana/expire", []string{"Origin: http://evil.test"}, 403},
		{"no origin at the switches", "POST", p.publicURL + "/local/asana/expire", nil, 403},
		{"own origin at the switches", "POST", p.publicURL + "/local/asana/expire", []string{own}, 204},
		{"foreign origin at Asana", "POST", p.asanaURL + "/_offline/reset", []string{"Origin: http://evil.test"}, 403},
		{"the service's origin at Asana", "PUT", p.asanaURL + "/_offline/switches", []string{own}, 403},
		{"Asana's own origin", "POST", p.asanaURL + "/_offline/expire", []string{"Origin: " + p.asanaURL}, 204},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := b.ask(test.method, test.url, "", test.headers...)
			if a.status != test.want {
				t.Errorf("%d %s, want %d", a.status, a.body, test.want)
			}
			if a.status == 403 && strings.HasPrefix(test.url, p.publicURL) && a.problem() != "forbidden-origin" {
				t.Errorf("the problem is %q", a.problem())
			}
			if strings.HasPrefix(test.url, p.publicURL) {
				wantHeaders(t, a)
			}
		})
	}
}

func wantHeaders(t *testing.T, a answer) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
}

func TestPage(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	b := newBrowser(t)
	page := b.ask("GET", p.publicURL+"/", "")
	wantHeaders(t, page)
	policy := page.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	for _, want := range []string{"Not affiliated with Asana", "not for production", p.asanaURL, url.QueryEscape(p.publicURL + "/")} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	for _, asset := range []string{"/local/style.css", "/local/page.js", "/local/icon.svg"} {
		a := b.ask("GET", p.publicURL+asset, "")
		if a.status != http.StatusOK {
			t.Errorf("%s: %d", asset, a.status)
		}
		wantHeaders(t, a)
	}
	elsewhere := b.ask("GET", sameAt(t, p.publicURL, "127.0.0.1")+"/", "")
	if elsewhere.location() != p.publicURL+"/" {
		t.Errorf("under another name: %d to %q", elsewhere.status, elsewhere.location())
	}
	if a := b.ask("GET", p.publicURL+"/nowhere", ""); a.status != http.StatusNotFound || a.problem() != "not-found" {
		t.Errorf("an unknown route: %d %s", a.status, a.body)
	}
}

// TestTrip goes all the way, and then looks for secrets wherever they must not
// be: in the log, on stdout, in the page's trace and in the table's file.
func TestTrip(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	secrets := b.signIn(p, asanatest.Several)

	session := b.ask("GET", p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin")
	if !strings.Contains(session.body, `"asana_user":"`+asanatest.Several+`"`) {
		t.Errorf("session: %d %s", session.status, session.body)
	}
	membership := b.ask("GET", p.publicURL+"/membership", "", "Sec-Fetch-Site: same-origin")
	if !strings.Contains(membership.body, `"is_view_only":true`) || !strings.Contains(membership.body, `"can_write":true`) {
		t.Errorf("membership: %d %s", membership.status, membership.body)
	}
	token := accessToken(t, b.post(p, "/refresh", `{"min_ttl":0}`))
	secrets = append(secrets, token, "sam@globex.example")

	b.ask("GET", p.publicURL+"/callback?code=marker-of-a-value&marker-of-a-name=1&state=x", "")
	b.ask("GET", p.publicURL+"/authorize", "", "Host: marker-of-a-name")
	trip := b.ask("GET", p.publicURL+"/local/trip", "")
	for _, want := range []string{
		`"what":"GET /authorize"`, `"what":"POST /-/oauth_token (authorization_code)"`, `"code_verifier"`,
		`"kind":"connection (hot)"`, `"sealed":["access","refresh"]`, `"result":"200"`,
	} {
		if !strings.Contains(trip.body, want) {
			t.Errorf("the trace does not have %s", want)
		}
	}
	if a := b.post(p, "/disconnect", "{}"); a.status != http.StatusOK || !strings.Contains(a.body, `"revoked_at_asana":true`) {
		t.Errorf("disconnect: %d %s", a.status, a.body)
	}
	p.terminate()
	secrets = append(secrets, "marker-of-a-value", "marker-of-a-name")
	rows, err := os.ReadFile(filepath.Join(data, "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		for where, text := range map[string]string{
			"log": p.logged.String(), "stdout": strings.Join(p.printed, "\n"), "trace": trip.body, "table": string(rows),
		} {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("a secret (%.4s…) is in the %s", secret, where)
			}
		}
	}
	filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v (%v)", path, info.Mode(), err)
		}
		return nil
	})
}

// TestFiftyAtOnce refreshes one token for fifty callers, while others look.
func TestFiftyAtOnce(t *testing.T) {
	p := startHere(t, t.TempDir())
	b := newBrowser(t)
	b.signIn(p, member)
	old := accessToken(t, b.post(p, "/refresh", ""))
	b.setSwitches(p, `{"delay_ms":300}`)
	var callers sync.WaitGroup
	answers := make(chan answer, 50)
	for range cap(answers) {
		callers.Go(func() {
			a, err := b.send("POST", p.publicURL+"/refresh", `{"refused":"`+hashOf(old)+`"}`, "Content-Type: application/json", "Origin: "+p.publicURL)
			if err != nil {
				t.Error(err)
			}
			answers <- a
			b.send("GET", p.publicURL+"/local/trip", "")
		})
	}
	callers.Wait()
	close(answers)
	tokens := map[string]bool{}
	for a := range answers {
		tokens[accessToken(t, a)] = true
	}
	if len(tokens) != 1 || tokens[old] {
		t.Errorf("%d different tokens, the old one among them: %v; want one new one", len(tokens), tokens[old])
	}
	requests := b.ask("GET", p.asanaURL+"/_offline/requests", "").body
	if n := strings.Count(requests, `"grant_type":"refresh_token"`); n != 1 {
		t.Errorf("%d requests to Asana, want 1", n)
	}
}

func accessToken(t *testing.T, a answer) string {
	t.Helper()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal([]byte(a.body), &body); a.status != http.StatusOK || body.AccessToken == "" {
		t.Fatalf("no token: %d %s", a.status, a.body)
	}
	return body.AccessToken
}

// TestKillAndRestart ends the process without a warning right after a sign-in.
func TestKillAndRestart(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	b.signIn(p, member)
	token := accessToken(t, b.post(p, "/refresh", ""))
	p.kill()

	p = start(t, data, nil)
	if again := accessToken(t, b.post(p, "/refresh", "")); again != token {
		t.Error("another token after the restart: the old one was lost")
	}
	if a := b.post(p, "/refresh", `{"refused":"`+hashOf(token)+`"}`); accessToken(t, a) == token {
		t.Error("no new token for one that was refused")
	}
}

// TestKillDuringRefresh ends the process while Asana thinks. Nothing is lost:
// after the lease of the dead one somebody else refreshes.
func TestKillDuringRefresh(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lease by the wall clock, up to 15 seconds")
	}
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	b.setSwitches(p, `{"access_token_seconds":1,"rotate_refresh_tokens":true}`)
	b.signIn(p, member)
	b.setSwitches(p, `{"access_token_seconds":3600,"delay_ms":60000}`)
	waitUntil(t, "the token ends", func() bool {
		go b.send("POST", p.publicURL+"/refresh", "", "Content-Type: application/json", "Origin: "+p.publicURL)
		return strings.Contains(b.ask("GET", p.asanaURL+"/_offline/requests", "").body, `"grant_type":"refresh_token","status":0`)
	})
	p.kill()

	p = start(t, data, nil)
	b.setSwitches(p, `{"delay_ms":0}`)
	began := time.Now()
	a := b.post(p, "/refresh", "")
	if a.status != http.StatusOK {
		t.Fatalf("after the restart: %d %s", a.status, a.body)
	}
	var body struct {
		ExpiresIn int `json:"expires_in"`
	}
	if json.Unmarshal([]byte(a.body), &body); body.ExpiresIn < 3500 {
		t.Errorf("the token has %d seconds left, want a new one", body.ExpiresIn)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it took %v: the lease of the dead process did not count", took)
	}
}

// waitUntil looks now and then.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestTerminateDuringRefresh asks the process to end while Asana thinks, and an
// idle connection is open: the caller still gets its answer, and soon.
func TestTerminateDuringRefresh(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	b.signIn(p, member)
	hash := hashOf(accessToken(t, b.post(p, "/refresh", "")))
	idle, err := net.Dial("tcp", "127.0.0.1:"+mustParse(t, p.publicURL).Port())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	b.setSwitches(p, `{"delay_ms":1500}`)
	answered := make(chan answer, 1)
	go func() {
		a, _ := b.send("POST", p.publicURL+"/refresh", `{"refused":"`+hash+`"}`, "Content-Type: application/json", "Origin: "+p.publicURL)
		answered <- a
	}()
	waitUntil(t, "the refresh is at Asana", func() bool {
		return strings.Contains(newBrowser(t).ask("GET", p.asanaURL+"/_offline/requests", "").body, `"grant_type":"refresh_token","status":0`)
	})
	began := time.Now()
	if code := p.terminate(); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v to end", took)
	}
	accessToken(t, <-answered)
}

// TestVariables gives what has a default otherwise, with another process in the
// real Asana's place.
func TestVariables(t *testing.T) {
	other := start(t, t.TempDir(), nil)
	addr := freeAddr(t)
	p := start(t, t.TempDir(), []string{
		"ASANA_CLIENT_ID=1234", "ASANA_CLIENT_SECRET=s", "ASANA_SCOPES=tasks:read openid", "ASANA_RESPONSE_TYPE=code id_token",
		"ASANA_BASE_URL=" + other.asanaURL, "RETURN_URLS=http://localhost:3000/done", "ALLOWED_ORIGINS=http://localhost:3000",
		"PUBLIC_URL=https://tunnel.test", "ASANAAUTH_BACKEND_KEY=mine",
	}, "-addr", addr)
	if want := []string{"ready https://tunnel.test"}; !slices.Equal(p.printed, want) {
		t.Fatalf("printed %q, want %q", p.printed, want)
	}
	b := newBrowser(t)
	at := "http://" + addr
	begun := b.ask("GET", at+"/authorize", "", "Host: tunnel.test")
	to := mustParse(t, begun.location())
	if got := to.Scheme + "://" + to.Host; got != other.asanaURL {
		t.Errorf("it leads to %q, want %q", got, other.asanaURL)
	}
	for name, want := range map[string]string{
		"client_id": "1234", "redirect_uri": "https://tunnel.test/callback", "scope": "tasks:read openid", "response_type": "code id_token",
	} {
		if got := to.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if cookie := begun.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-") {
		t.Errorf("the cookie is not Secure: %.20s", cookie)
	}
	if page := b.ask("GET", at+"/", "", "Host: tunnel.test").body; strings.Contains(page, "PUBLIC_URL is") {
		t.Error("under PUBLIC_URL the page says to go there")
	}
	page := b.ask("GET", at+"/", "").body
	for _, want := range []string{"real Asana", "RETURN_URLS does not have", "ALLOWED_ORIGINS does not have", "PUBLIC_URL is", "https://tunnel.test/callback"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if a := b.ask("PUT", at+"/local/asana/switches", "{}", "Host: tunnel.test", "Origin: https://tunnel.test"); a.status != http.StatusNotFound {
		t.Errorf("switches of the real Asana: %d", a.status)
	}
	p.terminate()
	if !strings.Contains(p.logged.String(), "PUBLIC_URL is set") {
		t.Error("no warning of the tunnel")
	}
}

// freeAddr is an address that was free just now.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestAnotherAsana goes all the way with an Asana that is not its own, which
// takes the next client secret alone.
func TestAnotherAsana(t *testing.T) {
	addr := freeAddr(t)
	public := sameAt(t, "http://"+addr, "localhost")
	other := start(t, t.TempDir(), []string{"PUBLIC_URL=" + public})
	p := start(t, t.TempDir(), []string{
		"ASANA_CLIENT_ID=1300000000008484", "ASANA_CLIENT_SECRET=an-old-one", "ASANA_NEXT_CLIENT_SECRET=offline-local-app",
		"ASANA_SCOPES=default", "ASANA_BASE_URL=" + other.asanaURL, "ASANA_ISSUER=" + other.asanaURL + "/api/1.0",
	}, "-addr", addr)
	if p.asanaURL != "" {
		t.Errorf("offline Asana runs at %s", p.asanaURL)
	}
	p.asanaURL = other.asanaURL
	b := newBrowser(t)
	b.signIn(p, member)
	accessToken(t, b.post(p, "/refresh", ""))
}

// TestIPv6Address listens at ::1, and is there at 127.0.0.1 too.
func TestIPv6Address(t *testing.T) {
	if !hasIPv6() {
		t.Skip("this machine has no ::1")
	}
	p := start(t, t.TempDir(), nil, "-addr", "[::1]:0", "-asana-addr", "[::1]:0")
	if a := newBrowser(t).ask("GET", sameAt(t, p.publicURL, "127.0.0.1")+"/local/trip", ""); a.status != http.StatusOK {
		t.Errorf("at 127.0.0.1: %d", a.status)
	}
	newBrowser(t).signIn(p, member)
}

func TestUnusedVariables(t *testing.T) {
	p := start(t, t.TempDir(), []string{"ASANA_BASE_URL=https://app.asana.com", "ASANA_SCOPES=tasks:read openid", "SIGN_IN=links"}, "-allow-non-loopback", "-host", "x")
	b := newBrowser(t)
	if a := b.ask("GET", p.publicURL+"/authorize", ""); a.status != http.StatusBadRequest {
		t.Errorf("SIGN_IN=links, and no link: %d", a.status)
	}
	p.terminate()
	for _, want := range []string{`"name":"ASANA_BASE_URL"`, "-host is set", "-allow-non-loopback is set"} {
		if !strings.Contains(p.logged.String(), want) {
			t.Errorf("the log does not have %s", want)
		}
	}
}

// TestOtherAddress listens where other machines could reach it.
func TestOtherAddress(t *testing.T) {
	p := start(t, t.TempDir(), nil, "-allow-non-loopback", "-addr", "0.0.0.0:0", "-asana-addr", "[::]:0")
	for _, at := range []string{p.publicURL, sameAt(t, p.publicURL, "127.0.0.1")} {
		if a := newBrowser(t).ask("GET", at+"/local/trip", ""); a.status != http.StatusOK {
			t.Errorf("%s answers %d", at, a.status)
		}
	}
	newBrowser(t).signIn(p, member)
}
