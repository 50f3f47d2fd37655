package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestKillAndRestart kills the process right after a sign-in. The connection must survive.
func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	b.signIn(p, member)
	token := accessToken(t, b.post(p, "/refresh", ""))
	p.kill()

	p = start(t, data, nil)
	if again := accessToken(t, b.post(p, "/refresh", "")); again != token {
		t.Error("got another token after the restart, want the same one")
	}
	if a := b.post(p, "/refresh", `{"refused":"`+hashOf(token)+`"}`); accessToken(t, a) == token {
		t.Error("got the rejected token, want a new one")
	}
}

// TestKillDuringRefresh kills the process during a refresh. After the lease expires, the
// next process refreshes.
func TestKillDuringRefresh(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a lease by the wall clock, up to 15 seconds")
	}
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	b.setSwitches(p, `{"access_token_seconds":1,"rotate_refresh_tokens":true}`)
	b.signIn(p, member)
	b.setSwitches(p, `{"access_token_seconds":3600,"delay_ms":60000}`)
	waitUntil(t, "the token expires and a refresh starts", func() bool {
		go b.send("POST", p.publicURL+"/refresh", "", "Content-Type: application/json", "Origin: "+p.publicURL)
		return strings.Contains(b.ask("GET", p.asanaURL+"/_offline/requests", "").body, `"grant_type":"refresh_token","status":0`)
	})
	p.kill()

	p = start(t, data, nil)
	b.setSwitches(p, `{"delay_ms":0}`)
	began := time.Now()
	a := b.post(p, "/refresh", "")
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
		t.Errorf("refreshed after %v, before the lease of the killed process expired", took)
	}
}

// waitUntil waits until done returns true. what describes the condition.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timeout: waited until %s", what)
		}
	}
}

// TestTerminateDuringRefresh terminates the process during a refresh, while an idle
// connection is open. The caller must get its response, and the process must exit soon.
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
		return strings.Contains(newBrowser(t).ask("GET", p.asanaURL+"/_offline/requests", "").body, `"grant_type":"refresh_token","status":0`)
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
