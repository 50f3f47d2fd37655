package main_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/operate"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

const waitLimit = 40 * time.Second

// command returns a command whose environment contains only environ and an empty home
// directory.
func command(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, lambdatest.Build(t, "."), args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir()}, environ...)
	return cmd
}

func runCommand(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, environ, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(waitLimit, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// process controls a running "asanaauth local".
type process struct {
	t         *testing.T
	cmd       *exec.Cmd
	publicURL string
	asanaURL  string        // origin of the offline Asana; empty if it is not used
	printed   []string      // lines of stdout
	logged    *lockedBuffer // stderr
	ended     chan struct{}
}

// start starts "asanaauth local" on free ports and waits until it is ready.
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
		t.Fatalf("printed %q and exited before it was ready; stderr:\n%s", p.printed, p.logged.String())
	}
	return p
}

// startHere is like start, but runs the service in the test process, because the race
// detector cannot check other processes.
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
		err := local.Run(ctx, flags, func(string) (string, bool) { return "", false }, operate.RunLocal, stdout, p.logged)
		if err != nil {
			t.Errorf("Run: %v", err)
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

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// terminate sends SIGTERM and returns the exit code.
func (p *process) terminate() int {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(waitLimit):
		p.t.Fatal("the process does not exit after SIGTERM")
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
