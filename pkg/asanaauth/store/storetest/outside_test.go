package storetest_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOutside runs the tests in testdata/thirdstore. The directory is a separate module
// with its own store, so the test proves that a store in another module can pass Run.
func TestOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles another module")
	}
	if os.Getenv("CI_SERVERS") != "1" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("compiles another module: use -run Outside or CI_SERVERS=1")
	}
	const module = "testdata/thirdstore"
	statFiles(t, module, "../../../../go.mod")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=readonly", "./...")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go test in %s: %v (if its go.mod is out of date, run go mod tidy there)\n%s", module, err, out)
	}
}

// statFiles calls os.Stat for all files in roots, so that "go test" runs the test again
// after one of the files has changed. Otherwise "go test" could use a cached result,
// because it does not detect which files the inner go command reads.
func statFiles(t *testing.T, roots ...string) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
