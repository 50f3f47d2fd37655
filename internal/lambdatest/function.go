package lambdatest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// Lambda's own limit for init.
	initTime = 10 * time.Second
	// The time of each function in the template.
	functionTime = 28 * time.Second
)

// Error is a function's report that an invocation failed, as it posted it to the
// Runtime API: JSON with errorMessage and errorType.
type Error struct{ Report string }

func (e *Error) Error() string { return "the function reported " + e.Report }

// Function is one running function: one sandbox, which serves one event at a time.
// Safe for concurrent use; invocations queue.
type Function struct {
	cmd      *exec.Cmd
	api      *runtimeAPI
	exited   chan struct{} // closed once the process has ended
	code     int           // its exit code, then
	turn     sync.Mutex    // held by the invocation under way
	requests atomic.Int64  // made by Do, for their ids
	logs     *lines
	timeout  time.Duration
}

// Start runs the executable with env and nothing of this process's environment,
// and returns once its init is over: it asks for events, or has ended (Exited
// tells). The process is ended with the test. The Runtime API is on loopback.
func Start(t testing.TB, binary string, env map[string]string) *Function {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Function{api: newRuntimeAPI(), exited: make(chan struct{}), logs: &lines{}, timeout: functionTime}
	server := &http.Server{Handler: f.api.handler()}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })

	f.cmd = exec.Command(binary)
	f.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "_HANDLER=bootstrap"}
	for name, value := range env {
		f.cmd.Env = append(f.cmd.Env, name+"="+value)
	}
	f.cmd.Stdout, f.cmd.Stderr = f.logs, f.logs
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go f.wait()
	t.Cleanup(f.Kill)
	select {
	case <-f.api.ready:
	case <-f.exited:
	case <-time.After(initTime):
		t.Fatalf("init is not over after %v:\n%s", initTime, f.logs.text())
	}
	return f
}

func (f *Function) wait() {
	f.cmd.Wait()
	f.code = f.cmd.ProcessState.ExitCode()
	close(f.exited)
}

// Exited returns the exit code, -1 for a signal, and false while it runs.
func (f *Function) Exited() (code int, ok bool) {
	select {
	case <-f.exited:
		return f.code, true
	default:
		return 0, false
	}
}

// Kill ends the process at once, as kill -9 does, and waits for its end.
func (f *Function) Kill() {
	f.cmd.Process.Kill()
	<-f.exited
}

// Logs returns what the function has written to stdout and stderr so far, line by
// line.
func (f *Function) Logs() []string {
	return strings.Split(strings.TrimSuffix(f.logs.text(), "\n"), "\n")
}

// Invoke hands the function one event and returns its answer, or an *Error where
// it reported one. As at Lambda, a function that takes longer than 28 seconds is
// killed.
func (f *Function) Invoke(event []byte) ([]byte, error) {
	f.turn.Lock()
	defer f.turn.Unlock()
	timeout := time.NewTimer(f.timeout)
	defer timeout.Stop()
	inv := f.api.newInvocation(event, time.Now().Add(f.timeout))
	select {
	case f.api.pending <- inv:
	case <-f.exited:
		return nil, f.gone()
	case <-timeout.C:
		return nil, errors.New("the function does not ask for events")
	}
	select {
	case r := <-inv.done:
		return r.body, r.err
	case <-f.exited:
		return nil, f.gone()
	case <-timeout.C:
		f.Kill()
		return nil, fmt.Errorf("the function took longer than %v and was killed", f.timeout)
	}
}

func (f *Function) gone() error {
	return fmt.Errorf("the function has exited with %d:\n%s", f.code, f.logs.text())
}

// lines collects what a process writes.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
