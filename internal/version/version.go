// Package version reports which version of asanaauth a program was built from.
//
// "go build" in a git clone and "go install" of a module version record the version in
// the program, and [Of] reads that record. A build of a source archive records nothing.
// It can set the version with the linker instead:
//
//	go build -ldflags "-X github.com/asanaauth/asanaauth/internal/version.linked=v1.2.3"
package version

import (
	"runtime/debug"
	"strings"
)

// linked is set by the linker, and takes the place of the version that the go command
// recorded. It is empty if the build does not set it.
var linked string

// unknown is the version of a program that was built without one. The go command uses
// the same name.
const unknown = "(devel)"

// Info is the version of a program.
type Info struct {
	Version  string // a module version such as v1.2.3, or "(devel)" if it is unknown
	Commit   string // the git commit in hex; empty if it is unknown
	Modified bool   // the source had changes that were not committed
}

// Of returns the version of the running program.
func Of() Info {
	build, _ := debug.ReadBuildInfo()
	return of(linked, build)
}

// of returns the version in build, which may be nil. If linked is not empty, it is the
// version.
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

// String returns the version, followed by the commit if it is known. For example
// "v1.2.3 (commit a2e5a07, modified)" or "(devel)".
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
