package storetest_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOutside runs the tests of testdata/thirdstore. That module is outside this one and
// its store uses only what package store exports. The store must pass Run.
func TestOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles another module")
	}
	if os.Getenv("CI_SERVERS") != "1" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("compiles another module: use -run Outside or CI_SERVERS=1")
	}
	const module = "testdata/thirdstore"
	lookAt(t, module, "../../../../go.mod")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=readonly", "./...")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go test in %s: %v (if its go.mod is out of date, run go mod tidy there)\n%s", module, err, out)
	}
}

// lookAt calls os.Stat on all files under the roots. The cache of "go test" records these
// files, so the test runs again if one of them changes. The cache does not see the files
// that the inner go command reads.
func lookAt(t *testing.T, roots ...string) {
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
