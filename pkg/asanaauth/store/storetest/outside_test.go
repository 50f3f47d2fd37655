package storetest_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOutside runs the tests of a module of its own, in which a store that uses only
// what package store exports passes Run.
func TestOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles another module")
	}
	if os.Getenv("CI_SERVERS") != "1" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("it compiles another module: it runs with -run Outside, or CI_SERVERS=1")
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

// lookAt makes "go test" run this test again if one of the files changes: its cache
// does not see what another go command reads. It does see a change of package store
// or storetest, which the tests here import.
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
