// Package functest tests the main package of a Lambda function. [Main.Run] runs the tests
// that every function must pass. [Main.Handler], [Serve] and [Frontend] are helpers for
// other tests. The package is only for tests.
package functest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
	"github.com/asanaauth/asanaauth/internal/lambdahttp"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

// Main is the main package of a function under test.
type Main struct {
	Name       string // the function's directory and the first segment of its path
	NewHandler boot.NewHandler
	Required   []string // environment variables that must be set
	Routes     []string // for example "ANY /session"; nil means "ANY /" + Name
	Signed     bool     // whether all routes require an IAM identity
}

func (m Main) routes() []string {
	if len(m.Routes) == 0 {
		return []string{"ANY /" + m.Name}
	}
	return m.Routes
}

// platform lists the required variables that Lambda itself sets for every function.
var platform = []string{"AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"}

// Env returns values for the environment variables of all functions. No server listens at
// the returned URLs of AWS and Asana.
func Env() map[string]string {
	return map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCOUNT_ID": "111122223333",
		"TABLE_NAME": "table", "INSTALLATION": "installation",
		"KMS_KEY_ID": "11111111-2222-3333-4444-555555555555", "KEY_CACHE_TTL": "5m",
		"ASANA_CLIENT_ID": "1300000000000001", "ASANA_BASE_URL": "http://127.0.0.1:1",
		"ASANA_CLIENT_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:asana",
		"ASANA_SCOPES":            "openid email profile", "ASANA_RESPONSE_TYPE": "code",
		"ASANA_ISSUER": "http://127.0.0.1:1/api/1.0", "PUBLIC_URL": "https://auth.example.com",
		"RETURN_URLS": "https://app.example.com/done", "ALLOWED_ORIGINS": "https://app.example.com",
		"SESSION_TTL": "720h", "SESSION_IDLE_TTL": "168h", "SIGN_IN": "open",
	}
}

// Run checks the following:
//   - NewHandler reads exactly the environment variables that template.yaml sets and
//     docs/configuration.md lists.
//   - The error of NewHandler names every missing or malformed variable. The error
//     contains no values of variables.
//   - The handler serves only its own routes.
//   - The function responds with 503 to its sample event in the directory "events",
//     because the table is unavailable.
func (m Main) Run(t *testing.T) {
	t.Run("no variable set", m.empty)
	t.Run("every variable malformed", m.malformed)
	t.Run("template", m.template)
	t.Run("docs/configuration.md", m.page)
	t.Run("route", m.route)
	t.Run("sample event", m.event)
}

// recorder is an environment whose method lookup records which variables are read.
type recorder struct {
	env  map[string]string
	read []string
}

func (r *recorder) lookup(name string) (string, bool) {
	if !slices.Contains(r.read, name) {
		r.read = append(r.read, name)
	}
	v, ok := r.env[name]
	return v, ok
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (m Main) empty(t *testing.T) {
	r := recorder{}
	h, err := m.NewHandler(t.Context(), r.lookup, discard())
	if h != nil || err == nil {
		t.Fatalf("newHandler = %v, %v; want an error", h, err)
	}
	want := slices.Sorted(slices.Values(append(slices.Clone(platform), m.Required...)))
	if diff := cmp.Diff(want, names(err)); diff != "" {
		t.Errorf("missing variables in the error (-want +got):\n%s", diff)
	}
}

// names returns the sorted names of the variables in err. Each line in the text of err is
// one error, and begins with the name of a variable.
func names(err error) []string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		name, _, _ := strings.Cut(line, ":")
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (m Main) malformed(t *testing.T) {
	const value = " hunter2\x00"
	r := recorder{env: map[string]string{}}
	for name := range Env() {
		r.env[name] = value
	}
	var log bytes.Buffer
	_, err := m.NewHandler(t.Context(), r.lookup, slog.New(slog.NewTextHandler(&log, nil)))
	if err == nil {
		t.Fatal("newHandler with malformed variables returned no error")
	}
	if strings.Contains(err.Error()+log.String(), "hunter2") {
		t.Errorf("the error or the log contains a value: %v\n%s", err, &log)
	}
	for _, name := range r.read {
		if _, ok := r.env[name]; ok && !slices.Contains(names(err), name) {
			t.Errorf("%s is read but not checked", name)
		}
	}
}

func (m Main) template(t *testing.T) {
	f, ok := template.Load(t).Functions[m.Name]
	if !ok {
		t.Fatalf("template.yaml has no function %s", m.Name)
	}
	r := recorder{env: Env()}
	if _, err := m.NewHandler(t.Context(), r.lookup, discard()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range r.read {
		if !strings.HasPrefix(name, "AWS_") || name == "AWS_ACCOUNT_ID" {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	// Ignore SSL_CERT_DIR, because crypto/x509 reads it without calling lookup.
	set := slices.DeleteFunc(slices.Clone(f.Variables), func(name string) bool { return name == "SSL_CERT_DIR" })
	if diff := cmp.Diff(got, set); diff != "" {
		t.Errorf("variables (-read by newHandler +set in template.yaml):\n%s", diff)
	}
	if diff := cmp.Diff(m.routes(), f.Routes); diff != "" {
		t.Errorf("routes (-of the handler +in template.yaml):\n%s", diff)
	}
	for _, authorizer := range f.SignedBy {
		if (authorizer == "AWS_IAM") != m.Signed || !m.Signed && authorizer != "" {
			t.Errorf("template.yaml has a route with the authorizer %q, want AWS_IAM: %t", authorizer, m.Signed)
		}
	}
}

func (m Main) route(t *testing.T) {
	h := m.Handler(t)
	elsewhere := http.StatusNotFound
	if m.Signed {
		elsewhere = http.StatusUnauthorized // the response does not reveal which routes exist
	}
	for _, path := range []string{"/", "/" + m.Name + "/foo/bar", "/" + m.Name + "s"} {
		if got := Serve(h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)).Code; got != elsewhere {
			t.Errorf("GET %s: got %d, want %d", path, got, elsewhere)
		}
	}
	// Check that the handler responds to every method, even if only with an error such as
	// 405.
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		for _, route := range m.routes() {
			path := strings.TrimPrefix(route, "ANY ")
			w := Serve(h, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			if w.Code == http.StatusNotFound || w.Code == http.StatusInternalServerError || w.Header().Get("X-Request-Id") == "" {
				t.Errorf("%s %s: got %d with headers %v, want a request id and neither 404 nor 500", method, path, w.Code, w.Header())
			}
		}
	}
}

func (m Main) event(t *testing.T) {
	payload, err := os.ReadFile(filepath.Join(filepath.Dir(template.Path(t)), "events", m.Name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := lambdahttp.New(m.Handler(t), lambdahttp.Options{}).Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := lambdatest.Response(out, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("events/%s.json: got %s, want 503 because the table is unavailable", m.Name, out)
	}
}

// Handler returns the function's handler, with the environment variables of [Env]. The
// arguments in changes are alternately the name of a variable and the value that replaces
// the variable's value in Env.
func (m Main) Handler(t *testing.T, changes ...string) http.Handler {
	t.Helper()
	r := recorder{env: Env()}
	for i := 0; i < len(changes); i += 2 {
		r.env[changes[i]] = changes[i+1]
	}
	h, err := m.NewHandler(t.Context(), r.lookup, discard())
	if err != nil {
		t.Fatalf("newHandler: %v", err)
	}
	return h
}

// Serve calls h with the request r and returns the recorded response.
func Serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Frontend returns a request from the SaaS app's frontend, without a session cookie.
func Frontend(ctx context.Context, method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, fmt.Sprintf("https://auth.example.com%s", path), strings.NewReader(body))
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Content-Type", "application/json")
	return r
}

// LookAtSources makes "go test" run a test again, instead of using its cached result, if
// a Go file of this module has changed. The go command does not know which files a "go
// build" inside a test reads, but it knows the files for which the test calls os.Stat.
// Therefore LookAtSources calls os.Stat for each Go file.
func LookAtSources(t testing.TB) {
	t.Helper()
	root := filepath.Dir(template.Path(t))
	for _, dir := range []string{"functions", "internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
