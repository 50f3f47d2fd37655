package asanatest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// After a restart with the same state file, an Asana has the same tokens, codes, signing
// key and switches.
func TestStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "asana.json")
	in := func(o *asanatest.Options) { o.File, o.Key = file, nil }
	k := newKit(t, in)
	tok := k.signIn(full("default", "openid"), asanatest.Member)
	pat := k.PersonalAccessToken(asanatest.Bot)
	code := k.consent(full("openid"), asanatest.Guest).Get("code")
	id := k.consent(full("openid"), asanatest.Member, hybrid).Get("id_token")
	k.set(func(s *switches) { s.RetryAfter = 77 })

	again := newKit(t, in)
	if got := again.get("/api/1.0/users/me", tok.AccessToken); got.status != 200 {
		t.Errorf("access token: got %d, want 200", got.status)
	}
	if got := again.refresh(tok.RefreshToken); got.status != 200 {
		t.Errorf("refresh token: got %d %s, want 200", got.status, got.text)
	}
	if got := again.get("/api/1.0/users/me", pat); got.status != 200 {
		t.Errorf("PAT: got %d, want 200", got.status)
	}
	if _, err := full().Exchange(again.ctx(), code); err != nil {
		t.Errorf("code: got %v, want nil", err)
	}
	if _, err := again.verifier().Verify(again.ctx(), id); err != nil {
		t.Errorf("ID token: got %v, want nil", err)
	}
	if again.Switches().RetryAfter != 77 {
		t.Error("the second Asana has other switches")
	}

	third := newKit(t, in)
	if _, err := full().Exchange(third.ctx(), code); err == nil {
		t.Error("a code that another Asana exchanged is accepted again")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("temporary files: got %v, want none", left)
	}
	if err := third.Reset(); err != nil {
		t.Fatal(err)
	}
	fourth := newKit(t, in)
	if got := fourth.refresh(tok.RefreshToken); got.status != 400 || fourth.Switches() != asanatest.DefaultSwitches() {
		t.Errorf("after Reset: got %d %s, want 400", got.status, got.text)
	}
	if _, err := fourth.verifier().Verify(fourth.ctx(), id); err != nil {
		t.Errorf("ID token after Reset: got %v, want the same key", err)
	}
}

func TestUnwritableStateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := newKit(t, func(o *asanatest.Options) { o.File = filepath.Join(dir, "deep", "asana.json") })
	if _, err := full().Exchange(k.ctx(), "x"); err == nil {
		t.Error("Exchange of an unknown code returned no error")
	}
	if _, err := k.Authorize(t.Context(), full().AuthCodeURL("st"), asanatest.Member); err == nil {
		t.Error("Authorize returned no error")
	}
	if pat := k.PersonalAccessToken(asanatest.Bot); pat != "" {
		t.Error("PersonalAccessToken returned a token, want none")
	}
	if err := k.SetSwitches(func(s *switches) { s.Down = true }); !errors.Is(err, fs.ErrNotExist) || k.Switches().Down {
		t.Errorf("SetSwitches: got %v, want fs.ErrNotExist and unchanged switches", err)
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	wrong := asanatest.DefaultSwitches()
	wrong.Distribution = "some"
	for name, o := range map[string]asanatest.Options{
		"no state":       {File: file("a", "{")},
		"newer state":    {File: file("b", `{"format":9}`)},
		"bad switches":   {File: file("c", `{"format":1,"switches":{"distribution":"some"}}`)},
		"bad key":        {File: file("d", `{"format":1,"key":"AAAA"}`)},
		"no object":      {File: file("e", "null")},
		"no format":      {File: file("f", "{}")},
		"empty":          {File: file("g", "")},
		"a null token":   {File: file("h", `{"format":1,"tokens":{"hunter2":null}}`)},
		"a null code":    {File: file("i", `{"format":1,"codes":{"hunter2":null}}`)},
		"no tokens":      {File: file("j", `{"format":1,"tokens":null}`)},
		"a bad time":     {File: file("k", `{"format":1,"tokens":{"hunter2":{"issued":"hunter2"}}}`)},
		"a bad token":    {File: file("l", `{"format":1,"tokens":{"hunter2":"hunter2"}}`)},
		"a folder":       {File: dir},
		"switches":       {Switches: wrong},
		"same person":    {People: append(asanatest.DefaultPeople(), asanatest.DefaultPeople()[0])},
		"no gid":         {People: []asanatest.Person{{GID: "mia"}}},
		"same app":       {Apps: append(asanatest.DefaultApps(), asanatest.DefaultApps()[0])},
		"no client id":   {Apps: []asanatest.App{{}}},
		"app and person": {Apps: []asanatest.App{{ClientID: asanatest.Member}}},
	} {
		_, err := asanatest.New(o)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error %q contains a value of the file", name, err)
		}
		if err == nil {
			t.Errorf("%s: New returned no error", name)
		} else if o.File != "" && !strings.Contains(err.Error(), o.File) {
			t.Errorf("%s: New returned %v, want an error that names the file", name, err)
		}
	}
}

// New copies the slices in Options, so later changes to the slices have no effect.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	people, apps := asanatest.DefaultPeople(), asanatest.DefaultApps()
	k := newKit(t, func(o *asanatest.Options) { o.People, o.Apps = people, apps })
	people[0].Memberships[0].ViewOnly = true
	people[0].Name, apps[0].Name = "changed", "changed"
	got := k.memberships(k.PersonalAccessToken(asanatest.Member))
	record := k.get("/api/1.0/workspace_memberships/"+got[0]["gid"].(string), k.PersonalAccessToken(asanatest.Member)).data()
	if record["is_view_only"] != false || record["user"].(map[string]any)["name"] != "Mia Member" {
		t.Errorf("got record %v, want the original person", record)
	}
}

func TestKeyOption(t *testing.T) {
	t.Parallel()
	give := func(o *asanatest.Options) { o.Key = testKey() }
	id := newKit(t, give).consent(full("openid"), asanatest.Member, hybrid).Get("id_token")
	other := newKit(t, give)
	if _, err := other.verifier().Verify(other.ctx(), id); err != nil {
		t.Error(err)
	}
}

// The server removes old access tokens from the state, but not the refresh token.
func TestOldTokensAreDropped(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	for range 5000 {
		if got := k.refresh(tok.RefreshToken); got.status != 200 {
			t.Fatalf("got %d %s, want 200", got.status, got.text)
		}
		k.clock.Add(time.Hour)
	}
	if got := k.post("/-/token_info", "token", tok.AccessToken); strings.TrimSpace(got.text) != `{"active":false}` {
		t.Errorf("first access token: got %s, want inactive", got.text)
	}
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.errorMessage() != "Not Authorized" {
		t.Errorf("first access token: got %s, want Not Authorized", got.text)
	}
}

// Only one of many concurrent requests can exchange a code. With -race, the test also
// finds data races.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	code := k.consent(full(), asanatest.Member).Get("code")
	var wg sync.WaitGroup
	tokens := make(chan *oauth2.Token, 20)
	for range cap(tokens) {
		wg.Go(func() {
			if tok, err := full().Exchange(k.ctx(), code); err == nil {
				tokens <- tok
			}
			k.SetSwitches(func(s *switches) { s.RetryAfter++ })
			k.Requests()
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Errorf("got %d tokens for one code, want 1", len(tokens))
	}
	if got := k.Switches().RetryAfter; got != 50 {
		t.Errorf("got %d, want 50: some changes were lost", got)
	}
}
