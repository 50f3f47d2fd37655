// Package lambdatest runs Lambda functions on this machine, for tests. [Build] compiles a
// function. [Start] runs it with a local Lambda Runtime API. [Function.Do] sends an HTTP
// request to the function, in the form of an API Gateway event. [Handler] serves an HTTP
// API with several functions.
//
// The package does not use package lambdahttp, with which the functions decode events and
// encode responses. Therefore, a mistake in lambdahttp makes a test fail. The package does
// not check AWS signatures.
package lambdatest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// All tests in a process share the executables in builds, because linking an executable
// takes a second. The keys are results of buildKey. The values have the type func()
// (string, error).
var builds sync.Map

// Build compiles the main package pkg and returns the path of the executable. Build uses
// the flags in the Makefile, but does not set a version. pkg is an import path, or a path
// relative to the test's directory, such as "./x". A process builds each package only
// once. With -short, Build skips the test.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	once, _ := builds.LoadOrStore(buildKey(dir, pkg), sync.OnceValues(func() (string, error) {
		return build(dir, pkg)
	}))
	binary, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("building %s: %v", pkg, err)
	}
	return binary
}

func buildKey(dir, pkg string) string {
	if strings.HasPrefix(pkg, ".") {
		return filepath.Join(dir, pkg)
	}
	return dir + "\x00" + pkg
}

// build builds pkg into a file in the user's cache directory. The output of "go build" is
// a temporary file, because a process may be running the executable of an earlier build.
// Afterwards, build renames the temporary file and so replaces the earlier executable. At
// first, the temporary file is a hard link to the earlier executable, because "go build"
// does not link again if its output file is up to date.
func build(dir, pkg string) (string, error) {
	sum := sha256.Sum256([]byte(buildKey(dir, pkg)))
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
	binary, next := filepath.Join(cache, "bootstrap"), filepath.Join(tmp, "bootstrap")
	os.Link(binary, next) // without the link, "go build" always links
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", next, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err: err, output: string(out)}
	}
	return binary, os.Rename(next, binary)
}

type buildError struct {
	err    error
	output string
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }
func (e *buildError) Unwrap() error { return e.err }
