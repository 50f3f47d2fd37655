package version_test

import (
	"runtime/debug"
	"testing"

	"github.com/asanaauth/asanaauth/internal/version"
)

const commit = "a2e5a07e5f1c0d9b8a7f6e5d4c3b2a1908172635"

func TestFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		linked string
		build  *debug.BuildInfo
		want   version.Info
		text   string
	}{
		{"nothing known", "", nil, version.Info{Version: "(devel)"}, "(devel)"},
		{"empty build information", "", build(""), version.Info{Version: "(devel)"}, "(devel)"},
		{"go build without git", "", build("(devel)"), version.Info{Version: "(devel)"}, "(devel)"},
		{
			"go build in a clone", "", build("v0.0.0-20261128091500-a2e5a07e5f1c", "vcs.revision", commit, "vcs.modified", "false"),
			version.Info{Version: "v0.0.0-20261128091500-a2e5a07e5f1c", Commit: commit},
			"v0.0.0-20261128091500-a2e5a07e5f1c (commit " + commit + ")",
		},
		{
			"go build in a modified clone", "", build("v0.0.0-20261128091500-a2e5a07e5f1c+dirty", "vcs.revision", commit, "vcs.modified", "true"),
			version.Info{Version: "v0.0.0-20261128091500-a2e5a07e5f1c+dirty", Commit: commit, Modified: true},
			"v0.0.0-20261128091500-a2e5a07e5f1c+dirty (commit " + commit + ", modified)",
		},
		{"go install of a tag", "", build("v1.2.3"), version.Info{Version: "v1.2.3"}, "v1.2.3"},
		{"linked in an archive", "v1.2.3", build("(devel)"), version.Info{Version: "v1.2.3"}, "v1.2.3"},
		{
			"linked in a clone", "v1.2.3", build("v0.0.0-20261128091500-a2e5a07e5f1c", "vcs.revision", commit),
			version.Info{Version: "v1.2.3", Commit: commit}, "v1.2.3 (commit " + commit + ")",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := version.From(test.linked, test.build)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if got.String() != test.text {
				t.Errorf("String() = %q, want %q", got.String(), test.text)
			}
		})
	}
}

// TestOf checks only that a version is returned, because the version of a test program
// depends on the go command.
func TestOf(t *testing.T) {
	t.Parallel()
	if version.Of().Version == "" {
		t.Error("Version is empty, want a version or (devel)")
	}
}

// The arguments in settings are alternately the key and the value of a build setting.
func build(version string, settings ...string) *debug.BuildInfo {
	info := &debug.BuildInfo{Main: debug.Module{Version: version}}
	for i := 0; i < len(settings); i += 2 {
		info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
	}
	return info
}
