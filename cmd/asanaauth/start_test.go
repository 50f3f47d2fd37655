package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReady(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new", "folder")
	p := start(t, data, nil)
	if !strings.HasPrefix(p.publicURL, "http://localhost:") || !strings.HasPrefix(p.asanaURL, "http://127.0.0.1:") {
		t.Errorf("got service at %q, Asana at %q; want localhost and 127.0.0.1", p.publicURL, p.asanaURL)
	}
	if len(p.printed) != 4 || !strings.HasPrefix(p.printed[3], "ready ") {
		t.Errorf("printed %q, want the lines backend-key, backend-secret, offline-asana and ready", p.printed)
	}
	// Each character of base32 has 5 bits.
	if key, secret := p.backendKey(), p.value("backend-secret"); len(key)*5 < 128 || len(secret)*5 < 128 || key == secret {
		t.Errorf("got a key of %d characters and a secret of %d, want two values of at least 128 bits", len(key), len(secret))
	}
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: got mode %v (%v), want 0700", info.Mode(), err)
	}
	b := newBrowser(t)
	for _, at := range []string{p.publicURL, withHost(t, p.publicURL, "127.0.0.1"), p.asanaURL + "/_offline", withHost(t, p.asanaURL, "localhost") + "/_offline"} {
		if a := b.mustSend("GET", at+"/", ""); a.status != http.StatusOK && a.status != http.StatusTemporaryRedirect {
			t.Errorf("%s: got status %d, want 200 or 307", at, a.status)
		}
	}
	if hasIPv6() {
		for _, at := range []string{withHost(t, p.publicURL, "[::1]") + "/session", withHost(t, p.asanaURL, "[::1]") + "/_offline/"} {
			if a := b.mustSend("GET", at, ""); a.status == http.StatusMisdirectedRequest {
				t.Errorf("%s: got status %d, want the host accepted", at, a.status)
			}
		}
	}
	if code := p.terminate(); code != 0 {
		t.Errorf("exit %d after SIGTERM, want 0", code)
	}
	if !strings.Contains(p.logged.String(), "not for production") {
		t.Error("the log does not contain the warning about production")
	}
	for line := range strings.Lines(p.logged.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("log line is not JSON: %s", line)
		}
	}
}

func withHost(t *testing.T, origin, host string) string {
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
	t.Parallel()
	cache := t.TempDir()
	cmd := command(t, []string{"XDG_CACHE_HOME=" + cache}, "local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-backend-key", ownKey, "-backend-secret", ownSecret)
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
	if strings.Contains(string(printed), "backend-") || strings.Contains(string(printed), ownKey) || strings.Contains(string(printed), ownSecret) {
		t.Errorf("printed %q, want no key and no secret, because the user set them", printed)
	}
	if _, err := os.Stat(filepath.Join(cache, "asanaauth", "local", "rows.db")); err != nil {
		t.Error(err)
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
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
		{"data", []string{"-data", data, "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0"}, "is in use by another asanaauth process"},
		{"port", []string{"-data", t.TempDir(), "-addr", used, "-asana-addr", "127.0.0.1:0"}, "address already in use"},
		{"port of Asana", []string{"-data", t.TempDir(), "-addr", "127.0.0.1:0", "-asana-addr", usedAsana}, "address already in use"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := runCommand(t, nil, append([]string{"local"}, test.args...)...)
			if code != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want 1, no output, %q", code, stdout, stderr, test.want)
			}
		})
	}
	if a := newBrowser(t).mustSend("GET", p.publicURL+"/", ""); a.status != http.StatusOK {
		t.Errorf("first process: got status %d, want 200", a.status)
	}
}

// TestFoldersLeftAlone checks that "asanaauth local" rejects a data folder that contains
// other files, has no key, or has a damaged table. It also checks that the command does
// not change the mode of such a folder, because the folder may be a home directory.
func TestFoldersLeftAlone(t *testing.T) {
	t.Parallel()
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
	noKey, noState := t.TempDir(), t.TempDir()
	start(t, noState, nil).kill()
	for _, file := range []string{filepath.Join(noKey, "local.key"), filepath.Join(noState, "offline-asana.json")} {
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ folder, want string }{
		{home, "contains other files: name an empty or new folder with -data"},
		{noKey, "local.key has 1 bytes, want 32: not a local key: restore it from a backup, or name another folder with -data"},
		{noState, noState + "/offline-asana.json: unexpected end of JSON input: the file is damaged or comes from another version: delete it, which resets offline Asana, or name another folder with -data\n"},
		{keyless, "local.key is missing"},
		{damaged, "is damaged"},
		{filepath.Join(home, "letters"), "letters"},
	} {
		code, _, stderr := runCommand(t, nil, "local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", test.folder)
		if code != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("exit %d, stderr %q; want 1 and %q", code, stderr, test.want)
		}
	}
	_, stderr := wantOutcome(t, 1, nil, "connections", "list", "-data", home)
	if !strings.Contains(stderr, home+` is not a data folder of "asanaauth local": check the path in -data`) {
		t.Errorf("connections list: got stderr %q", stderr)
	}
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("home directory: got mode %v (%v), want 0755", info.Mode(), err)
	}
}

// TestIPv6Address checks that the service also listens on 127.0.0.1 if the IP address in
// -addr is ::1.
func TestIPv6Address(t *testing.T) {
	t.Parallel()
	if !hasIPv6() {
		t.Skip("this machine has no ::1")
	}
	p := start(t, t.TempDir(), nil, "-addr", "[::1]:0", "-asana-addr", "[::1]:0")
	if a := newBrowser(t).mustSend("GET", withHost(t, p.publicURL, "127.0.0.1")+"/local/trip", ""); a.status != http.StatusOK {
		t.Errorf("at 127.0.0.1: got status %d, want 200", a.status)
	}
	newBrowser(t).signIn(p, member)
}

func TestNonLoopbackAddress(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "-allow-non-loopback", "-addr", "0.0.0.0:0", "-asana-addr", "[::]:0")
	for _, at := range []string{p.publicURL, withHost(t, p.publicURL, "127.0.0.1")} {
		if a := newBrowser(t).mustSend("GET", at+"/local/trip", ""); a.status != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", at, a.status)
		}
	}
	newBrowser(t).signIn(p, member)
}
