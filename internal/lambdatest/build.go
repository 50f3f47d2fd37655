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
	"strings"
	"sync"
	"testing"
)

// builds has an entry for each package built in this test process. It is package
// state because that is the scope it is about: linking takes a second, and every
// test of a process means the same sources.
var builds sync.Map // of func() (string, error), by what at returns

// Build compiles the main package pkg, an import path or "." or "./x" seen from
// the test's directory, with the flags that functions ship with, and returns the
// executable. A process builds each package once, at the first call. With -short
// the test is skipped.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs a program that has to be built")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	once, _ := builds.LoadOrStore(at(dir, pkg), sync.OnceValues(func() (string, error) {
		return build(dir, pkg)
	}))
	binary, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("building %s: %v", pkg, err)
	}
	return binary
}

// at is the folder of pkg, or of the module that an import path is seen from and the
// path: the same for all that build the same package.
func at(dir, pkg string) string {
	if strings.HasPrefix(pkg, ".") {
		return filepath.Join(dir, pkg)
	}
	return dir + "\x00" + pkg
}

// build leaves one file for each package in the user's cache, and begins with the
// one that is there: "go build" links it again only if the sources are others. It
// is renamed into place, as another process may be running the old one.
func build(dir, pkg string) (string, error) {
	sum := sha256.Sum256([]byte(at(dir, pkg)))
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
	os.Link(binary, next) // if that fails, "go build" begins with nothing
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", next, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err: err, output: string(out)}
	}
	return binary, os.Rename(next, binary)
}

// buildError carries what the compiler said.
type buildError struct {
	err    error
	output string
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }
func (e *buildError) Unwrap() error { return e.err }
