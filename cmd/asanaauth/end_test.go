package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestKillAndRestart ends the process without a warning right after a sign-in.
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
		t.Error("another token after the restart: the old one was lost")
	}
	if a := b.post(p, "/refresh", `{"refused":"`+hashOf(token)+`"}`); accessToken(t, a) == token {
		t.Error("no new token for one that was refused")
	}
}

// TestKillDuringRefresh ends the process while Asana thinks. Nothing is lost:
// after the lease of the dead one somebody else refreshes.
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
