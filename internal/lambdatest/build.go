// Package lambdatest runs built functions as Lambda and API Gateway would: under a
// Runtime API of its own on loopback, with events made of HTTP requests. For tests
// alone.
//
// It is at the root, and not under pkg/asanaauth, because the functions, their
// boot package and the command test with it.
package lambdatest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// builds has an entry for each package built in this test process. It is package
// state because that is the scope it is about: linking takes a second, and every
// test of a process means the same sources.
var builds sync.Map // of func() (string, error), by directory and package

// Build compiles the main package pkg, an import path or "." or "./x" seen from
// the test's directory, with the flags that functions ship with, and returns the
// executable. A process builds each package once, at the first call.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	once, _ := builds.LoadOrStore(dir+"\x00"+pkg, sync.OnceValues(func() (string, error) {
		return build(dir, pkg)
	}))
	binary, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("building %s: %v", pkg, err)
	}
	return binary
}

// build leaves one file for each package in the user's cache, which the next
// process replaces. It is renamed into place, as another process may be running
// the old one.
func build(dir, pkg string) (string, error) {
	sum := sha256.Sum256([]byte(dir + "\x00" + pkg))
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "asanaauth-lambdatest", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(cache, "build")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc",
		"-o", filepath.Join(tmp, "bootstrap"), pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err: err, output: string(out)}
	}
	binary := filepath.Join(cache, "bootstrap")
	return binary, os.Rename(filepath.Join(tmp, "bootstrap"), binary)
}

// buildError carries what the compiler said.
type buildError struct {
	err    error
	output string
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }
func (e *buildError) Unwrap() error { return e.err }
