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

// TestPythonExamples runs the programs of examples/python as a SaaS team would:
// one customer connects, and at night there are 500. Without CI_SERVERS there are 60,
// which takes a fraction of the time.
func TestPythonExamples(t *testing.T) {
	python := findPython(t)
	asana, s, app := startForPython(t)
	owners := 60
	if os.Getenv("CI_SERVERS") == "1" {
		owners = 500
	}
	gateway := newGateway(t, s.p.publicURL, owners/10)
	python.environ = append(python.environ, "ASANAAUTH_URL="+gateway.url, "ASANA_BASE_URL="+s.p.asanaURL)

	connectByPython(t, python, s, app)
	importMany(s, asana, owners)

	// One connection is broken, and Asana does not take the access token of another one any
	// more. The others are personal access tokens, which live.
	broken := s.connects("owner-1", asanatest.Admin)
	token := s.token(broken, "").AccessToken
	if err := asana.RevokeGrants(asanatest.Admin); err != nil {
		t.Fatal(err)
	}
	s.refused(409, "reconnect-required", "POST", "/connections/"+broken.ID+"/token", object("refused", hashOf(token)))
	if err := asana.ExpireAccessTokens(); err != nil {
		t.Fatal(err)
	}
	before := asana.CountRequests("refresh_token")
	got := nightlyByPython(t, python, owners)
	want := map[string]int{"owners": owners, "worked": owners + 1, "refused": 1, "reconnect_required": 1, "failed": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	if n := asana.CountRequests("refresh_token") - before; n != 1 {
		t.Errorf("%d refreshes, want one, of the access token that was refused", n)
	}
	gateway.check(t)
}

// pythonAt is an interpreter that has botocore, in the examples' folder.
type pythonAt struct {
	path    string
	environ []string
}

func findPython(t *testing.T) *pythonAt {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs python3")
	}
	path, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(path, "-c", "import botocore").Run()
	}
	if err != nil {
		const how = "no python3 with botocore in PATH (pip install -r examples/python/requirements.txt in a venv)"
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	return &pythonAt{path, []string{
		"HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=the-key", "AWS_SECRET_ACCESS_KEY=any", "AWS_REGION=eu-central-1",
	}}
}

func (p *pythonAt) command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), p.path, args...)
	cmd.Dir, cmd.Env = filepath.Join("..", "..", "examples", "python"), p.environ
	return cmd
}

// startForPython starts an offline Asana whose tokens this test can end one by
// one, the service in front of it, and says where the app's return URL is.
func startForPython(t *testing.T) (*asanatest.Asana, *backend, string) {
	t.Helper()
	addr, app := freeAddr(t), sameAt(t, "http://"+freeAddr(t), "localhost")+"/done"
	asana, err := asanatest.New(asanatest.Options{Apps: []asanatest.App{{
		ClientID: "1300000000000500", ClientSecret: "s", Name: "Nightly", Scopes: []string{"default"},
		RedirectURIs: []string{sameAt(t, "http://"+addr, "localhost") + "/callback"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(asana)
	t.Cleanup(server.Close)
	p := start(t, t.TempDir(), []string{
		"ASANA_CLIENT_ID=1300000000000500", "ASANA_CLIENT_SECRET=s", "ASANA_SCOPES=default", "ASANA_BASE_URL=" + server.URL, "RETURN_URLS=" + app,
	}, "-addr", addr, "-backend-key", "the-key")
	p.asanaURL = server.URL
	return asana, newBackend(p, bearer("the-key")), app
}

// connectByPython plays the people whom connect.py sends to Asana.
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
		t.Fatalf("it said %q; stderr:\n%s", first, errs.String())
	}

	mia := newBrowser(t)
	link := mia.ask("GET", address, "").location()
	stranger := newBrowser(t) // got the link from Mia, and comes back to an app that does not know them
	if a := stranger.ask("GET", app+"?"+stranger.follow(s.p, link, asanatest.Guest).Encode(), ""); a.status != http.StatusForbidden {
		t.Errorf("a stranger with Mia's link: %d %s", a.status, a.body)
	}
	if a := mia.ask("GET", app+"?asana_error=access-denied", ""); a.status != http.StatusBadRequest || !strings.Contains(a.body, "access-denied") {
		t.Errorf("having said no: %d %s", a.status, a.body)
	}
	if a := mia.ask("GET", app+"?"+mia.follow(s.p, link, member).Encode(), ""); a.status != http.StatusOK || !strings.Contains(a.body, "Connected as Mia Member") {
		t.Errorf("Mia came back: %d %s", a.status, a.body)
	}
	rest, _ := io.ReadAll(lines)
	var printed connection
	if err := json.Unmarshal(rest, &printed); err != nil || printed.user() != member || *printed.Owner != "owner-0" {
		t.Errorf("it printed %s (%v)", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("connect.py: %v; stderr:\n%s", err, errs.String())
	}
}

// importMany imports a personal access token for each of that many owners.
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
					s.t.Errorf("import %d: %d %s (%v)", i, a.status, a.body, err)
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
		t.Errorf("it printed %q: %v", out, err)
	}
	return summary
}

// gateway is what API Gateway is to its callers: it passes requests on, and
// answers some by itself, without a problem body.
type gateway struct {
	url   string
	proxy *httputil.ReverseProxy
	every int // so many different requests, one is turned away

	mu                  sync.Mutex
	seen                map[string]int // requests, by what they ask
	turnedAway          [4]int         // requests, by the try
	inFlight, mostAtOne int
}

// newGateway starts one. Of every so many different requests it turns one away three
// times: throttles it, fails to reach the function, and answers as the function
// does that is busy.
func newGateway(t *testing.T, to string, every int) *gateway {
	g := &gateway{every: every, seen: map[string]int{}, proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(mustParse(t, to)) }}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	try := g.arrive(r)
	defer g.leave()
	switch try {
	case 1:
		g.answer(w, http.StatusTooManyRequests, "application/json", `{"message":"Too Many Requests"}`)
	case 2:
		g.answer(w, http.StatusServiceUnavailable, "application/json", `{"message":"Service Unavailable"}`)
	case 3:
		w.Header().Set("Retry-After", "2")
		g.answer(w, http.StatusServiceUnavailable, "application/problem+json", `{"type":"urn:asanaauth:problem:try-again","title":"Busy","status":503}`)
	default:
		g.proxy.ServeHTTP(w, r)
	}
}

func (g *gateway) answer(w http.ResponseWriter, status int, mediaType, body string) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// arrive says which try to turn away this request is, 0 to let it pass.
func (g *gateway) arrive(r *http.Request) (try int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight++
	g.mostAtOne = max(g.mostAtOne, g.inFlight)
	what := r.Method + " " + r.URL.RequestURI()
	tries, known := g.seen[what]
	if !known && len(g.seen)%g.every != 0 {
		tries = 3 // no more
	}
	if g.seen[what] = min(3, tries+1); tries == 3 {
		return 0
	}
	g.turnedAway[tries+1]++
	return tries + 1
}

func (g *gateway) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
}

// check makes sure that there was something to try again, and that the job
// worked as parallel as it said.
func (g *gateway) check(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.turnedAway; n[1] < 10 || n[2] != n[1] || n[3] != n[1] {
		t.Errorf("turned away were %v, want some, and each of them three times", n)
	}
	if g.mostAtOne < 5 || g.mostAtOne > 10 {
		t.Errorf("%d requests at once, want ten in parallel", g.mostAtOne)
	}
}
