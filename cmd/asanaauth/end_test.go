package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestKillAndRestart checks that neither the session nor the connection is lost if the
// process is killed immediately after a sign-in.
func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	// The cookies' names contain the port, so the port must not change.
	data, addr := t.TempDir(), freeAddr(t)
	p := start(t, data, nil, "-addr", addr)
	b := newBrowser(t)
	b.signIn(p, member)
	token := accessToken(t, b.post(p, "/refresh", ""))
	p.kill()

	p = start(t, data, nil, "-addr", addr)
	if again := accessToken(t, b.post(p, "/refresh", "")); again != token {
		t.Error("got another token after the restart, want the same one")
	}
	if a := b.post(p, "/refresh", `{"refused":"`+hashOf(token)+`"}`); accessToken(t, a) == token {
		t.Error("got the rejected token, want a new one")
	}
}

// TestKillDuringRefresh kills the process during a refresh. It checks that the next
// process waits until the lease has expired, and then refreshes the token.
func TestKillDuringRefresh(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits up to 15 seconds for a lease to expire")
	}
	data, addr := t.TempDir(), freeAddr(t)
	p := start(t, data, nil, "-addr", addr)
	b := newBrowser(t)
	b.setSwitches(p, `{"access_token_seconds":1,"rotate_refresh_tokens":true}`)
	b.signIn(p, member)
	b.setSwitches(p, `{"access_token_seconds":3600,"delay_ms":60000}`)
	waitUntil(t, "the token expires and a refresh starts", func() bool {
		go b.send("POST", p.publicURL+"/refresh", "", "Content-Type: application/json", "Origin: "+p.publicURL)
		return strings.Contains(b.mustSend("GET", p.asanaURL+"/_offline/requests", "").body, `"grant_type":"refresh_token","status":0`)
	})
	p.kill()

	p = start(t, data, nil, "-addr", addr)
	b.setSwitches(p, `{"delay_ms":0}`)
	began := time.Now()
	a := b.post(p, "/refresh", "")
	if a.status == http.StatusServiceUnavailable {
		// On a slow machine, less than the 10 s that a refresh needs are left of the
		// request's 25 s when the lease has expired.
		a = b.post(p, "/refresh", "")
	}
	if a.status != http.StatusOK {
		t.Fatalf("after the restart: got %d %s, want 200", a.status, a.body)
	}
	var body struct {
		ExpiresIn int `json:"expires_in"`
	}
	if json.Unmarshal([]byte(a.body), &body); body.ExpiresIn < 3500 {
		t.Errorf("the token has %d seconds left, want a new one", body.ExpiresIn)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("refreshed after %v, want at least a second, because the killed process holds the lease", took)
	}
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(waitLimit); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timeout: waited until %s", what)
		}
	}
}

// TestTerminateDuringRefresh checks that, after SIGTERM, a refresh request in progress
// gets its response, and that the process does not wait for an idle TCP connection.
func TestTerminateDuringRefresh(t *testing.T) {
	t.Parallel()
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
	responses := make(chan response, 1)
	go func() {
		a, _ := b.send("POST", p.publicURL+"/refresh", `{"refused":"`+hash+`"}`, "Content-Type: application/json", "Origin: "+p.publicURL)
		responses <- a
	}()
	waitUntil(t, "the refresh is at Asana", func() bool {
		return strings.Contains(newBrowser(t).mustSend("GET", p.asanaURL+"/_offline/requests", "").body, `"grant_type":"refresh_token","status":0`)
	})
	began := time.Now()
	if code := p.terminate(); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the process exited after %v, want at most 4s", took)
	}
	accessToken(t, <-responses)
}
