package main_test

import (
	"strings"
	"testing"
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
