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
	initTime     = 10 * time.Second // Lambda's time limit for init
	functionTime = 28 * time.Second // Timeout of each function in template.yaml
)

// Error is an error that a function reported for an invocation. Report is the JSON that
// the function sent to the Runtime API, with the members errorMessage and errorType.
type Error struct{ Report string }

// Error returns "the function reported" and the report.
func (e *Error) Error() string { return "the function reported " + e.Report }

// Function is a process that runs a Lambda function. As in Lambda, the process serves one
// event at a time. A Function is safe for concurrent use, because each invocation waits
// until the previous invocation has ended.
type Function struct {
	cmd      *exec.Cmd
	api      *runtimeAPI
	exited   chan struct{} // closed when the process has ended
	code     int           // exit code, set before exited is closed
	turn     sync.Mutex    // locked during an invocation
	requests atomic.Int64  // number of calls of Do, for request IDs
	logs     *lines
	timeout  time.Duration
}

// Start runs an executable that [Build] returned. Start returns when the process requests
// its first event, or when the process has exited. [Function.Exited] reports whether the
// process has exited. Start fails the test if the process runs for ten seconds without
// requesting an event. The process gets the environment variables in env, and does not
// inherit the environment of the test. The process is killed at the end of the test.
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
		t.Fatalf("init took longer than %v:\n%s", initTime, f.logs.text())
	}
	return f
}

func (f *Function) wait() {
	f.cmd.Wait()
	f.code = f.cmd.ProcessState.ExitCode()
	close(f.exited)
}

// Exited returns the exit code of the process, or -1 if a signal ended the process. While
// the process is running, ok is false.
func (f *Function) Exited() (code int, ok bool) {
	select {
	case <-f.exited:
		return f.code, true
	default:
		return 0, false
	}
}

// Kill kills the process with SIGKILL and waits until the process has ended.
func (f *Function) Kill() {
	f.cmd.Process.Kill()
	<-f.exited
}

// Logs returns the lines that the function has written to stdout and stderr.
func (f *Function) Logs() []string {
	return strings.Split(strings.TrimSuffix(f.logs.text(), "\n"), "\n")
}

// Invoke invokes the function with an event and returns the response. If the function
// reports an error, Invoke returns an [*Error]. If the process exits, Invoke returns an
// error of a different type. As in Lambda, the process is killed if an invocation takes
// longer than 28 seconds.
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
		return nil, errors.New("the function did not ask for an event")
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
