// Package version returns the version of asanaauth from which the running program was
// built.
//
// "go build" in a git clone records the version in the program, as does "go install" with
// a module version. [Of] returns the recorded version. If you build from a source
// archive, the go command does not know the version. Set the version with a linker flag:
//
//	go build -ldflags "-X github.com/asanaauth/asanaauth/internal/version.linked=v1.2.3"
package version

import (
	"runtime/debug"
	"strings"
)

// A linker flag may set linked to a version, which then replaces the version that the go
// command recorded.
var linked string

// unknown is the string that the go command uses for a program without a version.
const unknown = "(devel)"

// Info describes the source from which a program was built.
type Info struct {
	Version  string // a module version such as v1.2.3, or "(devel)" if it is unknown
	Commit   string // the git commit in hex; empty if it is unknown
	Modified bool   // whether the source had uncommitted changes
}

// Of returns the version of the running program.
func Of() Info {
	build, _ := debug.ReadBuildInfo()
	return of(linked, build)
}

// of is like [Of], but uses the given linked version and build information. build may be
// nil.
func of(linked string, build *debug.BuildInfo) Info {
	if build == nil {
		build = &debug.BuildInfo{}
	}
	info := Info{Version: build.Main.Version}
	for _, setting := range build.Settings {
		switch setting.Key {
		case "vcs.revision":
			info.Commit = setting.Value
		case "vcs.modified":
			info.Modified = setting.Value == "true"
		}
	}
	if linked != "" {
		info.Version = linked
	}
	if info.Version == "" {
		info.Version = unknown
	}
	return info
}

// String returns the version and, if it is known, the commit. Examples are "v1.2.3
// (commit a2e5a07, modified)" and "(devel)".
func (i Info) String() string {
	var notes []string
	if i.Commit != "" {
		notes = append(notes, "commit "+i.Commit)
	}
	if i.Modified {
		notes = append(notes, "modified")
	}
	if len(notes) == 0 {
		return i.Version
	}
	return i.Version + " (" + strings.Join(notes, ", ") + ")"
}
