// Package lambdatest runs Lambda functions on this machine, for tests. [Build] compiles a
// function, and [Start] runs it with a local Lambda Runtime API. [Function.Do] sends it an
// HTTP request as an event of an API Gateway HTTP API, and [Handler] serves an HTTP API with
// several functions.
//
// The package shares no code with the functions, so that it does not repeat their errors. It
// does not check AWS signatures.
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

// builds has an entry for each package that this process has built. It is a package variable
// so that all tests of the process share the executables, because linking takes a second.
// Its keys are results of buildKey, its values are of type func() (string, error).
var builds sync.Map

// Build compiles the main package pkg with the flags of the Makefile, but without a version,
// and returns the path of the executable. pkg is an import path, or a path relative to the
// test's directory, such as "./x". A process builds each package only once. With -short,
// Build skips the test.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds a program")
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

// buildKey identifies the package pkg, as seen from the directory dir.
func buildKey(dir, pkg string) string {
	if strings.HasPrefix(pkg, ".") {
		return filepath.Join(dir, pkg)
	}
	return dir + "\x00" + pkg
}

// build builds pkg into a file in the user's cache directory. It starts with the previous
// executable as the output file, which "go build" keeps if it is up to date. It renames the
// result into place, because another process may be running the old one.
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
	os.Link(binary, next) // if this fails, "go build" links again
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", next, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err: err, output: string(out)}
	}
	return binary, os.Rename(next, binary)
}

// buildError is an error of "go build" with the compiler's output.
type buildError struct {
	err    error
	output string
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }
func (e *buildError) Unwrap() error { return e.err }
