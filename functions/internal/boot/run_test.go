package boot_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

type line struct {
	Level, Msg string
	Version    string
	Err        any
	RequestID  string `json:"request_id"`
	Stack      []string
}

// logged checks that the first line that f has logged contains the version, and returns
// the other lines.
func logged(t *testing.T, f *lambdatest.Function) []line {
	t.Helper()
	var list []line
	for _, text := range f.Logs() {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("log line %q is not JSON: %v", text, err)
		}
		list = append(list, l)
	}
	start := list[0]
	if start.Level != "INFO" || start.Msg != "function starting" || start.Version == "" {
		t.Errorf("got first log line %+v, want the start line with a version", start)
	}
	return list[1:]
}

func startTiny(t *testing.T, vars map[string]string) *lambdatest.Function {
	t.Helper()
	return lambdatest.Start(t, lambdatest.Build(t, "./testdata/tiny"), vars)
}

func TestRunExitsOnConfigurationErrors(t *testing.T) {
	f := startTiny(t, map[string]string{"ASANA_SCOPES": "default hunter:2", "AWS_REGION": "eu-central-1"})
	if code, ok := f.Exited(); code != 1 || !ok {
		t.Fatalf("Exited() = %d, %v; want 1, true", code, ok)
	}
	want := []line{{Level: "ERROR", Msg: "function cannot start", Err: []any{
		"AWS_ACCESS_KEY_ID: is missing",
		"AWS_SECRET_ACCESS_KEY: is missing",
		"TABLE_NAME: is missing",
		"ASANA_SCOPES: has both default and a resource scope: an Asana app has one or the other",
	}}}
	if diff := cmp.Diff(want, logged(t, f)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestRunServes(t *testing.T) {
	vars := lambdaEnv(map[string]string{"TABLE_NAME": "t", "ASANA_SCOPES": "default openid", "GOMAXPROCS": "2"})
	f := startTiny(t, maps.Clone(vars))

	get := func(path string) *http.Response {
		r, err := http.NewRequest("GET", "https://auth.example.com"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := f.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if resp := get("/panic"); resp.StatusCode != 500 || resp.Header.Get("X-Request-Id") != "test-request-1=" {
		t.Errorf("panic: got %d %v, want 500 and the request id", resp.StatusCode, resp.Header)
	}
	out, err := f.Invoke([]byte(`{"source":"aws.events"}`))
	if err != nil || !strings.Contains(string(out), `"statusCode":400`) {
		t.Errorf("scheduled event: got %s, %v; want 400", out, err)
	}
	resp := get("/")
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "1 thread" {
		t.Errorf("request after both: got %d %q, want 200 and one thread", resp.StatusCode, body)
	}

	lines := logged(t, f)
	if len(lines) != 4 {
		t.Fatalf("got log %v, want 4 lines", lines)
	}
	if len(lines[2].Stack) == 0 || !strings.HasPrefix(lines[2].Stack[0], "main.newHandler.") {
		t.Errorf("got stack %q, want one that begins with the function that panicked", lines[2].Stack)
	}
	lines[2].Stack = nil
	want := []line{
		{Level: "WARN", Msg: "a variable is probably wrong", Err: "ASANA_SCOPES: has default and other scopes: Asana does not document whether it accepts both"},
		{Level: "WARN", Msg: "warm-up", Err: "2 threads at init"},
		{Level: "ERROR", Msg: "panic", RequestID: "test-request-1=", Err: "panic with a value that is not shown"},
		{Level: "INFO", Msg: "bad event", RequestID: "00000000-0000-4000-8000-000000000002", Err: "event is not of payload format 2.0"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestLinkedPackages checks that package boot does not make functions link packages that
// they do not need, because such packages make cold starts slower.
func TestLinkedPackages(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "./testdata/tiny")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const aws = "github.com/aws/aws-sdk-go-v2/"
	for _, pkg := range strings.Fields(string(out)) {
		switch {
		case pkg == "net/rpc", pkg == "html/template", pkg == "text/template", pkg == "testing", pkg == "net/http/httptest":
			t.Errorf("%s is linked: it makes functions start slower", pkg)
		case strings.HasPrefix(pkg, aws+"service/"), strings.HasPrefix(pkg, aws+"config"):
			t.Errorf("%s is linked: a function must link only the clients that its main uses", pkg)
		case pkg == "github.com/asanaauth/asanaauth/pkg/asanaauth":
			t.Errorf("%s is linked: boot must not depend on it", pkg)
		}
	}
}
