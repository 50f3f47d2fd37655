package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runCommand(t, nil, "version")
	if code != 0 || !regexp.MustCompile(`^asanaauth (v\d|\(devel\)).*\n$`).MatchString(stdout) || stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q; want 0, a version, no error", code, stdout, stderr)
	}
}

// TestVersionOfBuild checks that a build in a git clone has the version of the clone,
// unless a linker flag sets a different version.
func TestVersionOfBuild(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the command four times")
	}
	clone := newClone(t)
	commit := git(t, clone, "rev-parse", "HEAD")
	pseudo := `v0\.0\.0-\d{14}-` + commit[:12]
	wantVersion(t, clone, "", `^asanaauth `+pseudo+` \(commit `+commit+`\)$`)
	wantVersion(t, clone, "v1.2.3", `^asanaauth v1\.2\.3 \(commit `+commit+`\)$`)

	changed := filepath.Join(clone, "go.mod")
	data, err := os.ReadFile(changed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, append(data, "\n// changed\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	wantVersion(t, clone, "", `^asanaauth `+pseudo+`\+dirty \(commit `+commit+`, modified\)$`)

	if err := os.RemoveAll(filepath.Join(clone, ".git")); err != nil {
		t.Fatal(err)
	}
	wantVersion(t, clone, "", `^asanaauth \(devel\)$`)
}

// wantVersion builds the command from the sources in folder, and compares the output of
// "asanaauth version" with the regular expression want. If linked is not empty, a linker
// flag sets the version to linked.
func wantVersion(t *testing.T, folder, linked, want string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "asanaauth")
	ldflags := "-s -w"
	if linked != "" {
		ldflags += " -X github.com/asanaauth/asanaauth/internal/version.linked=" + linked
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=auto", "-ldflags", ldflags, "-o", binary, "./cmd/asanaauth")
	build.Dir = folder
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	out, err := exec.Command(binary, "version").Output()
	if got := strings.TrimSuffix(string(out), "\n"); err != nil || !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("linked version %q: got %q, %v; want %s", linked, got, err, want)
	}
}

// newClone returns the path of a git repository. The only commit contains the current
// sources of this module.
func newClone(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	clone := t.TempDir()
	for _, name := range []string{"cmd", "internal", "pkg"} {
		if err := os.CopyFS(filepath.Join(clone, name), os.DirFS(filepath.Join("../..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(clone, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(t, clone, "init", "-q")
	git(t, clone, "add", "-A")
	git(t, clone, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "test")
	return clone
}

func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", args[0], err)
	}
	return strings.TrimSuffix(string(out), "\n")
}
