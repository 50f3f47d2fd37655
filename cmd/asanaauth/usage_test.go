package main_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stdout string // stdout must contain this text
		stderr string
	}{
		{"no command", nil, 2, "", "Usage"},
		{"unknown command", []string{"serve"}, 2, "", "asanaauth: unknown command\nRun \"asanaauth -h\" for a list of commands."},
		{"help", []string{"-h"}, 0, "  version ", ""},
		{"help of version", []string{"version", "-h"}, 0, "asanaauth version", ""},
		{"version with an argument", []string{"version", "now"}, 2, "", "asanaauth version: unexpected argument: version takes only flags"},
		{"version with a flag", []string{"version", "-x"}, 2, "", "unknown flag: version has no flags"},
		{"help of local", []string{"local", "-h"}, 0, "-allow-non-loopback", ""},
		{"unknown flag", []string{"local", "-s3cretkey"}, 2, "", "unknown flag: the flags of local are -addr, "},
		{"argument", []string{"local", "-backend-key=", "s3cretkey"}, 2, "", "asanaauth local: unexpected argument: local takes only flags (write -flag VALUE or -flag=VALUE)\n"},
		{"address without a port", []string{"local", "-addr", "s3cretkey"}, 2, "", "-addr: must have the form IP:PORT\n"},
		{"port that is not a number", []string{"local", "-addr", "127.0.0.1:s3cretkey"}, 2, "", "-addr: the part after the colon is not a port number\n"},
		{"host name as address", []string{"local", "-addr", "s3cretkey.example:8484"}, 2, "", "-addr: the part before the port is not an IP address\n"},
		{"a switch with a value", []string{"local", "-allow-non-loopback=s3cretkey"}, 2, "", "-allow-non-loopback: must be true or false\n"},
		{"a flag joined to its value", []string{"local", "-backend-keys3cretkey"}, 2, "", "unknown flag: "},
		{"a flag without its value", []string{"local", "-backend-key"}, 2, "", "-backend-key: the value is missing\n"},
		{"a short key", []string{"local", "-backend-key", "s3cretkey"}, 2, "", "-backend-key: has fewer than 16 characters\n"},
		{"a short secret", []string{"local", "-backend-secret", "s3cretkey"}, 2, "", "-backend-secret: has fewer than 16 characters\n"},
		{"a secret with a space", []string{"local", "-backend-secret", "s3cretkey s3cretkey"}, 2, "", "-backend-secret: has characters other than "},
		{"all addresses", []string{"local", "-addr", ":0"}, 2, "", "-allow-non-loopback"},
		{"all IPv4 addresses", []string{"local", "-addr", "0.0.0.0:0"}, 2, "", "-allow-non-loopback"},
		{"not loopback", []string{"local", "-addr", "192.0.2.1:0"}, 2, "", "-allow-non-loopback"},
		{"offline Asana not on loopback", []string{"local", "-asana-addr", "[::]:0"}, 2, "", "-asana-addr"},
		{"connections without a command", []string{"connections"}, 2, "", "list, show ID or disconnect ID"},
		{"an unknown command of connections", []string{"connections", "remove"}, 2, "", "unknown command: use list, show ID or disconnect ID"},
		{"help of connections", []string{"connections", "-h"}, 0, "AWS_REGION", ""},
		{"help of list", []string{"connections", "list", "-h"}, 0, "-status", ""},
		{"list with an argument", []string{"connections", "list", "now"}, 2, "", "asanaauth connections list: unexpected argument: list takes only flags (write -flag VALUE or -flag=VALUE)\nRun \"asanaauth connections list -h\" for usage."},
		{"show without an ID", []string{"connections", "show"}, 2, "", "missing argument: ID\n"},
		{"show of a malformed ID", []string{"connections", "show", "con_x"}, 2, "", "32 characters of a-z and 2-7"},
		{"disconnect with two IDs", []string{"connections", "disconnect", "a", "b"}, 2, "", "too many arguments: disconnect takes one ID\n"},
		{"show with a filter", []string{"connections", "show", "x", "-owner", "y"}, 2, "", "unknown flag: the flags of show are -data\n"},
		{"an unknown status", []string{"connections", "list", "-status", "gone"}, 2, "", "Run \"asanaauth connections list -h\" for usage."},
		{"an empty owner", []string{"connections", "list", "-owner", ""}, 2, "", "must not be empty"},
		{"an empty folder", []string{"connections", "list", "-data", ""}, 2, "", "must not be empty"},
		{"no folder", []string{"connections", "list", "-data", "/nowhere/at/all"}, 1, "", "does not exist"},
		{"help of import", []string{"import", "-h"}, 0, "-dry-run", ""},
		{"import without a file", []string{"import", "-dry-run"}, 2, "", "missing argument: FILE\nRun \"asanaauth import -h\" for usage."},
		{"import with a flag's name as argument", []string{"import", "--", "-x", "-dry-run"}, 2, "", "too many arguments: import takes one FILE\n"},
		{"import with no workers", []string{"import", "f", "-parallel", "0"}, 2, "", "-parallel: must be a number from 1 to 64\n"},
		{"import with a word as number", []string{"import", "f", "-parallel", "s3cretkey"}, 2, "", "-parallel: must be a number from 1 to 64\n"},
		{"import of a missing file", []string{"import", "/nowhere/at/all"}, 1, "", "no such file"},
		{"import of a folder", []string{"import", "/"}, 1, "", "is a directory"},
		{"key with a slash", []string{"local", "-backend-key", "a/b"}, 2, "", "-backend-key"},
		{"host with a scheme", []string{"local", "-host", "http://x"}, 2, "", "-host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := runCommand(t, nil, test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d, and texts that contain %q and %q", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
			if strings.Contains(stderr, "s3cretkey") || strings.Contains(stderr, "serve") {
				t.Errorf("stderr repeats an argument: %s", stderr)
			}
			if (stdout == "") != (test.stdout == "") {
				t.Errorf("stdout %q, want it empty only if the command fails", stdout)
			}
		})
	}
}

func TestMalformedVariables(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2-with-space "
	args := []string{"local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir()}
	code, stdout, stderr := runCommand(t, []string{
		"ASANA_CLIENT_ID=1", "ASANA_CLIENT_SECRET=" + hidden, "ASANA_RESPONSE_TYPE=token", "SESSION_IDLE_TTL=1h", "SESSION_TTL=0s",
		"KEY_CACHE_TTL=2h", "SIGN_IN=no", "RETURN_URLS=ftp://x", "ALLOWED_ORIGINS=http://x/", "PUBLIC_URL=http://example.com",
		"ASANA_BASE_URL=http://example.com", "ASANA_ISSUER=x", "ASANAAUTH_BACKEND_KEY=a/b",
	}, args...)
	if code != 1 || stdout != "" {
		t.Errorf("exit %d, stdout %q; want 1 and no output", code, stdout)
	}
	for _, name := range []string{
		"ASANA_CLIENT_SECRET", "ASANA_SCOPES", "ASANA_RESPONSE_TYPE", "SESSION_IDLE_TTL", "SESSION_TTL", "KEY_CACHE_TTL", "SIGN_IN",
		"RETURN_URLS", "ALLOWED_ORIGINS", "PUBLIC_URL", "ASANA_BASE_URL", "ASANA_ISSUER", "ASANAAUTH_BACKEND_KEY",
	} {
		if !strings.Contains(stderr, name+": ") {
			t.Errorf("stderr does not name %s: %s", name, stderr)
		}
	}
	if strings.Contains(stderr, "hunter2") {
		t.Errorf("stderr repeats a value: %s", stderr)
	}
}

// TestVariablesWithOtherSyntax checks that values in quotation marks, lists with commas
// and a client ID with letters stop the command at its start.
func TestVariablesWithOtherSyntax(t *testing.T) {
	t.Parallel()
	names := []string{"ASANA_CLIENT_ID", "ASANA_CLIENT_SECRET", "ASANA_NEXT_CLIENT_SECRET", "ASANA_SCOPES", "ASANA_RESPONSE_TYPE", "SESSION_IDLE_TTL",
		"SESSION_TTL", "KEY_CACHE_TTL", "SIGN_IN", "INSTALLATION", "RETURN_URLS", "ALLOWED_ORIGINS", "PUBLIC_URL", "ASANA_BASE_URL", "ASANA_ISSUER", "ASANAAUTH_BACKEND_KEY"}
	var environ []string
	for _, name := range names {
		environ = append(environ, name+`="hunter2"`)
	}
	args := []string{"local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir()}
	_, stderr := wantOutcome(t, 1, environ, args...)
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `: (entry 1 )?begins or ends with a quotation mark`).MatchString(stderr) {
			t.Errorf("stderr does not say that %s is in quotation marks", name)
		}
	}
	_, lists := wantOutcome(t, 1, []string{"ASANA_CLIENT_ID=hunter2", "ASANA_CLIENT_SECRET=s", "ASANA_SCOPES=hunter2,openid", "RETURN_URLS=https://hunter2.example/;https://b.example/",
		"ALLOWED_ORIGINS=http://localhost:3000, http://hunter2"}, args...)
	for _, want := range []string{"ASANA_CLIENT_ID: must consist of digits only", "ASANA_SCOPES: entry 1 has a comma", "RETURN_URLS: entry 1 has a comma", "ALLOWED_ORIGINS: entry 1 has a comma"} {
		if !strings.Contains(lists, want) {
			t.Errorf("stderr does not contain %q: %s", want, lists)
		}
	}
	if strings.Contains(stderr+lists, "hunter2") {
		t.Errorf("stderr repeats a value: %s%s", stderr, lists)
	}
}

// TestScopesWithoutOpenID checks that the error names every wrong variable, including
// ASANA_SCOPES without openid.
func TestScopesWithoutOpenID(t *testing.T) {
	t.Parallel()
	environ := []string{"ASANA_RESPONSE_TYPE=code id_token", "ASANA_SCOPES=default", "PUBLIC_URL=x"}
	_, stderr := wantOutcome(t, 1, environ, "local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir())
	const want = "ASANA_SCOPES: must contain openid, because ASANA_RESPONSE_TYPE is \"code id_token\"\n"
	if !strings.Contains(stderr, want) || !strings.Contains(stderr, "PUBLIC_URL: ") {
		t.Errorf("got stderr %s, want PUBLIC_URL and %s", stderr, want)
	}
}

// TestMissingVariables checks that one error names all variables that are missing or
// malformed.
func TestMissingVariables(t *testing.T) {
	t.Parallel()
	file := importFile(t)
	for _, args := range [][]string{{"connections", "list"}, {"import", file}} {
		code, stdout, stderr := runCommand(t, []string{"KMS_KEY_ID=alias/hunter2", "KEY_CACHE_TTL=2h"}, args...)
		if code != 1 || stdout != "" || strings.Contains(stderr, "hunter2") {
			t.Errorf("exit %d, stdout %q, stderr %q; want 1, no output, no value", code, stdout, stderr)
		}
		for _, name := range []string{"TABLE_NAME", "KMS_KEY_ID", "KEY_CACHE_TTL", "ASANA_CLIENT_ID", "ASANA_CLIENT_SECRET_ARN", "AWS_REGION"} {
			if !strings.Contains(stderr, name+": ") {
				t.Errorf("stderr does not name %s: %s", name, stderr)
			}
		}
	}
	code, _, stderr := runCommand(t, []string{"ASANA_CLIENT_ID=1", "ASANA_BASE_URL=http://example.com"}, "import", file, "-data", t.TempDir())
	if code != 1 || !strings.Contains(stderr, "ASANA_CLIENT_SECRET: ") || !strings.Contains(stderr, "ASANA_BASE_URL: ") {
		t.Errorf("exit %d, stderr %s; want 1 and the names of both variables", code, stderr)
	}
}
