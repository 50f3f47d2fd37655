package local_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
)

func TestConformance(t *testing.T) {
	sealtest.Run(t, func(*testing.T) seal.Wrapper { return local.New([32]byte{1, 2, 3}) })
}

// The names and values of two encryption contexts may give the same text when they are
// concatenated. Unwrap must still distinguish the two contexts.
func TestContextPairsAreDelimited(t *testing.T) {
	k := local.New([32]byte{1})
	wrapped, key, err := k.Wrap(t.Context(), []byte("plain"), map[string]string{"a": "bc", "d": "e"})
	if err != nil {
		t.Fatal(err)
	}
	for _, encctx := range []map[string]string{{"ab": "c", "d": "e"}, {"a": "bcde"}, {"a": "b", "cd": "e"}} {
		if _, err := k.Unwrap(t.Context(), wrapped, key, encctx); !errors.Is(err, seal.ErrDenied) {
			t.Errorf("Unwrap with context %v = %v, want ErrDenied", encctx, err)
		}
	}
}

func TestUnwrapWithAnotherKey(t *testing.T) {
	ours, theirs := local.New([32]byte{1}), local.New([32]byte{2})
	wrapped, name, err := theirs.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil {
		t.Fatal(err)
	}
	_, ourName, err := ours.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil || ourName == name {
		t.Fatalf("two keys have the names %q and %q, %v, want different names", name, ourName, err)
	}
	for _, claimed := range []string{name, ourName} {
		if _, err := ours.Unwrap(t.Context(), wrapped, claimed, seal.Context("i")); !errors.Is(err, seal.ErrDenied) {
			t.Errorf("Unwrap of another key's bytes with name %s = %v, want ErrDenied", claimed, err)
		}
	}
}

// Every release must be able to unwrap bytes that the first release wrapped.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/wrapped-1.hex")
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := local.New([32]byte{1, 2, 3}).Unwrap(t.Context(), wrapped, "local:c97dce5f10879221", seal.Context("table-of-tests"))
	if err != nil || string(plain) != "a keyring" {
		t.Errorf("Unwrap = %q, %v, want \"a keyring\"", plain, err)
	}
}

func TestOpenCreatesTheKeyOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	first := mustOpen(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Size() != 32 {
		t.Fatalf("Stat of the key file = %v, %v, want 32 bytes", info, err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %04o, want 0600", info.Mode().Perm())
	}
	mustShareAKey(t, first, mustOpen(t, path))
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("Open left the files %v, want the key file only", left)
	}
}

func TestConcurrentOpenCreatesOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	keys := make([]*local.Key, 16)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() { keys[i], _ = local.Open(path) })
	}
	all.Wait()
	for _, k := range keys {
		if k == nil {
			t.Fatal("a concurrent Open returned no key")
		}
		mustShareAKey(t, keys[0], k)
	}
}

func TestOpenRejects(t *testing.T) {
	dir := t.TempDir()
	for why, prepare := range map[string]func(path string) error{
		"bytes, want 32":     func(path string) error { return os.WriteFile(path, make([]byte, 31), 0o600) },
		"has 33 bytes":       func(path string) error { return os.WriteFile(path, make([]byte, 33), 0o600) },
		"not a regular file": func(path string) error { return os.Mkdir(path, 0o700) },
		"mode 0640":          func(path string) error { return writeWithMode(path, 0o640) },
		"mode 0604":          func(path string) error { return writeWithMode(path, 0o604) },
	} {
		if strings.HasPrefix(why, "mode") && runtime.GOOS == "windows" {
			continue
		}
		path := filepath.Join(dir, strings.ReplaceAll(why, " ", "-"))
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		k, err := local.Open(path)
		if k != nil || err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open = %v, %v, want an error with %q and the file's name", k, err, why)
		}
	}
	if k, err := local.Open(filepath.Join(dir, "missing", "key")); err == nil || k != nil {
		t.Errorf("Open in a missing folder = %v, %v, want an error", k, err)
	}
}

func writeWithMode(path string, mode os.FileMode) error {
	if err := os.WriteFile(path, make([]byte, 32), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // because the umask may have changed the mode
}

func mustOpen(t *testing.T, path string) *local.Key {
	t.Helper()
	k, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustShareAKey(t *testing.T, one, two *local.Key) {
	t.Helper()
	wrapped, name, err := one.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := two.Unwrap(t.Context(), wrapped, name, seal.Context("i")); err != nil || !bytes.Equal(plain, []byte("plain")) {
		t.Errorf("Unwrap of the other's bytes = %q, %v, want \"plain\"", plain, err)
	}
}
