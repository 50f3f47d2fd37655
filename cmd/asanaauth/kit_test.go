package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// patience is longer than anything here may take.
const patience = 40 * time.Second

// command is the built executable with a line of arguments, in an environment
// that has nothing but what it is given.
func command(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, lambdatest.Build(t, "."), args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir()}, environ...)
	return cmd
}

// outcome runs a command that ends by itself.
func outcome(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, environ, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// process is "asanaauth local", running.
type process struct {
	t         *testing.T
	cmd       *exec.Cmd
	publicURL string
	asanaURL  string // offline Asana's; empty with another one
	printed   []string
	logged    *lockedBuffer
	ended     chan struct{}
}

// start starts it on free ports and waits until it is ready.
func start(t *testing.T, data string, environ []string, args ...string) *process {
	t.Helper()
	args = append([]string{"local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", data}, args...)
	p := &process{t: t, cmd: command(t, environ, args...), logged: &lockedBuffer{}, ended: make(chan struct{})}
	p.cmd.Stderr = p.logged
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.readAddresses(stdout)
	go func() {
		io.Copy(io.Discard, stdout)
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("stderr:\n%s", p.logged.String())
		}
	})
	if p.publicURL == "" {
		p.cmd.Process.Kill()
		<-p.ended
		t.Fatalf("it printed %q and ended without being ready; stderr:\n%s", p.printed, p.logged.String())
	}
	return p
}

// startHere is start within this process, where the race detector looks.
func startHere(t *testing.T, data string) *process {
	t.Helper()
	flags, _, err := local.ParseFlags([]string{"-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", data})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, logged: &lockedBuffer{}, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	printed, stdout := io.Pipe()
	go func() {
		defer close(p.ended)
		err := local.Run(ctx, flags, func(string) (string, bool) { return "", false }, stdout, p.logged)
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
		stdout.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	p.readAddresses(printed)
	return p
}

// readAddresses reads what is printed until it is ready.
func (p *process) readAddresses(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for p.publicURL == "" && lines.Scan() {
		p.printed = append(p.printed, lines.Text())
		switch name, value, _ := strings.Cut(lines.Text(), " "); name {
		case "ready":
			p.publicURL = value
		case "offline-asana":
			p.asanaURL = value
		}
	}
}

// kill ends it without a warning.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// terminate asks it to end, and returns its exit code.
func (p *process) terminate() int {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// browser is as much of a browser as HTTP alone needs: it keeps cookies, and
// follows no redirect by itself.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

// problem is the type of a problem, without its prefix.
func (a answer) problem() string {
	var body struct{ Type string }
	json.Unmarshal([]byte(a.body), &body)
	return strings.TrimPrefix(body.Type, "urn:asanaauth:problem:")
}

// send sends a request with those headers, given as "Name: value".
func (b *browser) send(method, to, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	resp, err := b.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

// ask is send for requests that have to be answered.
func (b *browser) ask(method, to, body string, headers ...string) answer {
	b.t.Helper()
	a, err := b.send(method, to, body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// post is what the page's script sends.
func (b *browser) post(p *process, path, body string) answer {
	b.t.Helper()
	return b.ask("POST", p.publicURL+path, body, "Content-Type: application/json", "Origin: "+p.publicURL)
}

// setSwitches sets switches of offline Asana, a JSON object.
func (b *browser) setSwitches(p *process, object string) {
	b.t.Helper()
	if a := b.ask("PUT", p.asanaURL+"/_offline/switches", object); a.status != http.StatusOK {
		b.t.Fatalf("setting switches: %d %s", a.status, a.body)
	}
}

// signIn takes a trip to Asana and back, and returns everything secret that it
// met on the way.
func (b *browser) signIn(p *process, person string) (secrets []string) {
	b.t.Helper()
	toAsana := b.ask("GET", p.publicURL+"/authorize", "")
	form := mustParse(b.t, toAsana.location()).Query()
	secrets = append(secrets, form.Get("state"))
	form.Set("person", person)
	form.Set("decision", "allow")
	consented := b.ask("POST", p.asanaURL+"/-/oauth_authorize", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	back := mustParse(b.t, consented.location())
	secrets = append(secrets, back.Query().Get("code"))
	done := b.ask("GET", back.String(), "")
	if want := p.publicURL + "/?asana=connected#"; done.status != http.StatusSeeOther || done.location() != want {
		b.t.Fatalf("the callback answered %d to %q, want 303 to %q", done.status, done.location(), want)
	}
	for _, cookie := range b.http.Jar.Cookies(mustParse(b.t, p.publicURL)) {
		secrets = append(secrets, cookie.Value)
	}
	return secrets
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		t.Fatalf("%q is no URL: %v", raw, err)
	}
	return u
}

// hashOf is the SHA-256 of a text, as "refused" wants it.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// member is who signs in where it does not matter.
const member = asanatest.Member
