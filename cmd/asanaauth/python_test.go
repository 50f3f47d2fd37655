package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestPythonExamples runs connect.py for one customer, and nightly.py for 60 customers.
// If CI_SERVERS is 1, nightly.py runs for 500 customers.
func TestPythonExamples(t *testing.T) {
	python := findPython(t)
	owners := 60
	if os.Getenv("CI_SERVERS") == "1" {
		owners = 500
	}
	addr := freeAddr(t)
	gateway := newGateway(t, "http://"+addr, owners/10)
	asana, s, app := startForPython(t, addr, mustParse(t, gateway.url).Host)
	python.environ = append(python.environ, "ASANAAUTH_URL="+gateway.url, "ASANA_BASE_URL="+s.p.asanaURL)

	connectByPython(t, python, s, app)
	importMany(s, asana, owners)

	// Check that nightly.py reports one broken connection, and refreshes one rejected
	// access token. All other connections have personal access tokens, which remain
	// valid.
	broken := s.connect("owner-1", asanatest.Admin)
	token := s.token(broken, "").AccessToken
	if err := asana.RevokeGrants(asanatest.Admin); err != nil {
		t.Fatal(err)
	}
	s.wantProblem(409, "reconnect-required", "POST", "/connections/"+broken.ID+"/token", object("refused", hashOf(token)))
	if err := asana.ExpireAccessTokens(); err != nil {
		t.Fatal(err)
	}
	before := asana.CountRequests("refresh_token")
	got := nightlyByPython(t, python, owners)
	want := map[string]int{"owners": owners, "worked": owners + 1, "refused": 1, "reconnect_required": 1, "failed": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if n := asana.CountRequests("refresh_token") - before; n != 1 {
		t.Errorf("got %d refreshes, want 1, for the rejected access token", n)
	}
	gateway.check(t)
}

// pythonAt is a Python interpreter that can import botocore.
type pythonAt struct {
	path    string
	environ []string
}

// findPython skips the test if no Python interpreter with botocore is installed, or fails
// the test if CI_SERVERS is 1.
func findPython(t *testing.T) *pythonAt {
	t.Helper()
	if testing.Short() {
		t.Skip("needs python3")
	}
	path, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(path, "-c", "import botocore").Run()
	}
	if err != nil {
		const how = "python3 with botocore is not in PATH (pip install -r examples/python/requirements.txt in a venv)"
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	return &pythonAt{path, []string{
		"HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + ownKey, "AWS_SECRET_ACCESS_KEY=" + ownSecret, "AWS_REGION=eu-central-1",
	}}
}

func (p *pythonAt) command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), p.path, args...)
	cmd.Dir, cmd.Env = filepath.Join("..", "..", "examples", "python"), p.environ
	return cmd
}

// startForPython returns an offline Asana in the test process, a backend of a service
// that uses this Asana, and the app's return URL. The service listens on addr, and also
// accepts requests for host.
func startForPython(t *testing.T, addr, host string) (*asanatest.Asana, *backend, string) {
	t.Helper()
	app := withHost(t, "http://"+freeAddr(t), "localhost") + "/done"
	asana, err := asanatest.New(asanatest.Options{Apps: []asanatest.App{{
		ClientID: "1300000000000500", ClientSecret: "s", Name: "Nightly", Scopes: []string{"default"},
		RedirectURIs: []string{withHost(t, "http://"+addr, "localhost") + "/callback"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(asana)
	t.Cleanup(server.Close)
	p := start(t, t.TempDir(), []string{
		"ASANA_CLIENT_ID=1300000000000500", "ASANA_CLIENT_SECRET=s", "ASANA_SCOPES=default", "ASANA_BASE_URL=" + server.URL, "RETURN_URLS=" + app,
	}, "-addr", addr, "-host", host, "-backend-key", ownKey, "-backend-secret", ownSecret)
	p.asanaURL = server.URL
	return asana, newBackend(p, bearer(ownKey)), app
}

// connectByPython runs connect.py. Mia and a stranger open the link that connect.py
// creates.
func connectByPython(t *testing.T, python *pythonAt, s *backend, app string) {
	t.Helper()
	cmd := python.command(t, "connect.py", "--owner", "owner-0", "--person", "mia", "--return-url", app)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewReader(stdout)
	first, _ := lines.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(first), "open ")
	if !ok {
		t.Fatalf("connect.py printed %q, want open URL; stderr:\n%s", first, errs.String())
	}

	mia := newBrowser(t)
	link := mia.mustSend("GET", address, "").location()
	stranger := newBrowser(t) // Mia has sent the link to a stranger, who is not signed in to the app
	if a := stranger.mustSend("GET", app+"?"+stranger.followLink(s.p, link, asanatest.Guest).Encode(), ""); a.status != http.StatusForbidden {
		t.Errorf("stranger with Mia's link: got %d %s, want 403", a.status, a.body)
	}
	if a := mia.mustSend("GET", app+"?asana_error=access-denied", ""); a.status != http.StatusBadRequest || !strings.Contains(a.body, "access-denied") {
		t.Errorf("after denying access: got %d %s, want 400", a.status, a.body)
	}
	if a := mia.mustSend("GET", app+"?"+mia.followLink(s.p, link, member).Encode(), ""); a.status != http.StatusOK || !strings.Contains(a.body, "Connected as Mia Member") {
		t.Errorf("Mia: got %d %s, want 200", a.status, a.body)
	}
	rest, _ := io.ReadAll(lines)
	var printed connection
	if err := json.Unmarshal(rest, &printed); err != nil || printed.user() != member || *printed.Owner != "owner-0" {
		t.Errorf("connect.py printed %s (%v), want Mia's connection", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("connect.py: %v; stderr:\n%s", err, errs.String())
	}
}

func importMany(s *backend, asana *asanatest.Asana, n int) {
	s.t.Helper()
	people := []string{asanatest.Member, asanatest.Guest, asanatest.Admin, asanatest.ViewOnly, asanatest.Several, asanatest.Bot}
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range numbers {
				token := asana.PersonalAccessToken(people[i%len(people)])
				body := object("token", token, "owner", fmt.Sprintf("owner-%d", i), "kind", "personal_access_token")
				a, err := s.send("POST", s.p.publicURL+"/connections", body, "Authorization: "+s.authorization, "Content-Type: application/json")
				if err != nil || a.status != http.StatusCreated {
					s.t.Errorf("import %d: got %d %s (%v), want 201", i, a.status, a.body, err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
}

func nightlyByPython(t *testing.T, python *pythonAt, owners int) map[string]int {
	t.Helper()
	file := filepath.Join(t.TempDir(), "owners.txt")
	var list strings.Builder
	for i := range owners {
		fmt.Fprintf(&list, "owner-%d\n", i)
	}
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := python.command(t, "nightly.py", file)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Errorf("nightly.py: %v; stderr:\n%s", err, errs.String())
	}
	var summary map[string]int
	if err := json.Unmarshal(out, &summary); err != nil {
		t.Errorf("nightly.py printed %q: %v", out, err)
	}
	return summary
}

// gateway is a proxy that simulates failures of API Gateway and of the Lambda functions.
type gateway struct {
	url   string
	proxy *httputil.ReverseProxy
	every int // see newGateway

	mu                  sync.Mutex
	seen                map[string]int // attempts by request line; 3 means that the request is forwarded
	rejected            [4]int         // rejected[n] is the number of requests whose attempt n was rejected
	inFlight, mostAtOne int
}

// newGateway starts a gateway in front of the server at target. For example, if every is
// 5, the gateway selects one of five different requests, and rejects the first three
// attempts of that request.
func newGateway(t *testing.T, target string, every int) *gateway {
	g := &gateway{every: every, seen: map[string]int{}, proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(mustParse(t, target))
		r.Out.Host = r.In.Host // the Host is signed
	}}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	try := g.begin(r)
	defer g.end()
	switch try {
	case 1: // throttled by API Gateway
		g.respond(w, http.StatusTooManyRequests, "application/json", `{"message":"Too Many Requests"}`)
	case 2: // the function is unreachable
		g.respond(w, http.StatusServiceUnavailable, "application/json", `{"message":"Service Unavailable"}`)
	case 3: // the function is busy
		w.Header().Set("Retry-After", "2")
		g.respond(w, http.StatusServiceUnavailable, "application/problem+json", `{"type":"urn:asanaauth:problem:try-again","title":"Busy","status":503}`)
	default:
		g.proxy.ServeHTTP(w, r)
	}
}

func (g *gateway) respond(w http.ResponseWriter, status int, mediaType, body string) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// begin counts r as an attempt. If the gateway must reject r, begin returns the number of
// the attempt, which is 1, 2 or 3. Otherwise, begin returns 0.
func (g *gateway) begin(r *http.Request) (try int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight++
	g.mostAtOne = max(g.mostAtOne, g.inFlight)
	what := r.Method + " " + r.URL.RequestURI()
	tries, known := g.seen[what]
	if !known && len(g.seen)%g.every != 0 {
		tries = 3 // forward this request
	}
	if g.seen[what] = min(3, tries+1); tries == 3 {
		return 0
	}
	g.rejected[tries+1]++
	return tries + 1
}

func (g *gateway) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
}

func (g *gateway) check(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.rejected; n[1] < 10 || n[2] != n[1] || n[3] != n[1] {
		t.Errorf("got rejections %v by attempt, want at least 10 requests, each rejected three times", n)
	}
	if g.mostAtOne < 5 || g.mostAtOne > 10 {
		t.Errorf("got %d concurrent requests, want 5 to 10", g.mostAtOne)
	}
}
