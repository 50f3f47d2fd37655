package functions_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

// TestStartLine builds a function with the Makefile, as "sam build" does, and checks that
// the function's first log line contains the version.
func TestStartLine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a function")
	}
	if _, err := exec.LookPath("make"); err != nil && os.Getenv("CI_SERVERS") != "1" {
		t.Skip("make is not installed")
	}
	functest.LookAtSources(t)
	if _, err := os.ReadFile("../Makefile"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "make", "-C", "..", "build-SessionFunction",
		"ARTIFACTS_DIR="+dir)
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "ASANAAUTH_GOARCH="+runtime.GOARCH, "ASANAAUTH_VERSION=v1.2.3",
		// Variables that a shell exports for another purpose must have no effect.
		"GOARCH=riscv64", "GOOS=windows", "CGO_ENABLED=1", "GOAMD64=v4", "GOARM64=v9.5", "VERSION=3.2.1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	f := lambdatest.Start(t, filepath.Join(dir, "bootstrap"), functest.Env())

	var got map[string]any
	if err := json.Unmarshal([]byte(f.Logs()[0]), &got); err != nil {
		t.Fatalf("first log line %q: %v", f.Logs()[0], err)
	}
	delete(got, "time")
	want := map[string]any{"level": "INFO", "msg": "function starting", "version": "v1.2.3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first log line (-want +got):\n%s", diff)
	}
}
