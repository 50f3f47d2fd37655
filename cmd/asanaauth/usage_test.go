package main_test

import (
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stdout string // contained
		stderr string
	}{
		{"nothing", nil, 2, "", "Usage"},
		{"unknown command", []string{"serve"}, 2, "", `no command "serve"`},
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
		{"connections of nothing", []string{"connections"}, 2, "", "list, show ID or disconnect ID"},
		{"an unknown command of connections", []string{"connections", "remove"}, 2, "", "no such command"},
		{"help of connections", []string{"connections", "-h"}, 0, "connections disconnect ID", ""},
		{"help of list", []string{"connections", "list", "-h"}, 0, "-status", ""},
		{"list with an argument", []string{"connections", "list", "now"}, 2, "", "number of arguments"},
		{"show of nothing", []string{"connections", "show"}, 2, "", "number of arguments"},
		{"show of no id", []string{"connections", "show", "con_x"}, 2, "", "no connection's id"},
		{"disconnect of two", []string{"connections", "disconnect", "a", "b"}, 2, "", "number of arguments"},
		{"show with a filter", []string{"connections", "show", "x", "-owner", "y"}, 2, "", "-owner"},
		{"an unknown status", []string{"connections", "list", "-status", "gone"}, 2, "", "-status"},
		{"an empty owner", []string{"connections", "list", "-owner", ""}, 2, "", "is empty"},
		{"an empty folder", []string{"connections", "list", "-data", ""}, 2, "", "is empty"},
		{"no folder", []string{"connections", "list", "-data", "/nowhere/at/all"}, 1, "", "no such folder"},
		{"help of import", []string{"import", "-h"}, 0, "-dry-run", ""},
		{"import of nothing", []string{"import", "-dry-run"}, 2, "", "number of arguments"},
		{"import with a flag's name as argument", []string{"import", "--", "-x", "-dry-run"}, 2, "", "number of arguments"},
		{"import by nobody", []string{"import", "f", "-parallel", "0"}, 2, "", "-parallel"},
		{"import of no file", []string{"import", "/nowhere/at/all"}, 1, "", "no such file"},
		{"import of a folder", []string{"import", "/"}, 1, "", "no file"},
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
	t.Parallel()
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

// A deployment on AWS is named by the functions' variables, all of which are told.
func TestMissingVariables(t *testing.T) {
	t.Parallel()
	file := importFile(t)
	for _, args := range [][]string{{"connections", "list"}, {"import", file}} {
		code, stdout, stderr := outcome(t, []string{"KMS_KEY_ID=alias/hunter2", "KEY_CACHE_TTL=2h"}, args...)
		if code != 1 || stdout != "" || strings.Contains(stderr, "hunter2") {
			t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
		}
		for _, name := range []string{"TABLE_NAME", "KMS_KEY_ID", "KEY_CACHE_TTL", "ASANA_CLIENT_ID", "ASANA_CLIENT_SECRET_ARN", "AWS_REGION"} {
			if !strings.Contains(stderr, name+": ") {
				t.Errorf("stderr does not name %s: %s", name, stderr)
			}
		}
	}
	code, _, stderr := outcome(t, []string{"ASANA_CLIENT_ID=1", "ASANA_BASE_URL=http://example.com"}, "import", file, "-data", t.TempDir())
	if code != 1 || !strings.Contains(stderr, "ASANA_CLIENT_SECRET: ") || !strings.Contains(stderr, "ASANA_BASE_URL: ") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}
