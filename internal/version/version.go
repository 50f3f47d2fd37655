// Package version reports which version of asanaauth a program was built from.
//
// "go build" in a git clone and "go install" of a module version record the version in
// the program, and [Of] reads that record. A build without git, such as "sam build",
// records nothing. It can set the version with the linker instead:
//
//	go build -ldflags "-X github.com/asanaauth/asanaauth/internal/version.linked=$(git describe --tags --always --long --dirty)"
//
// A version set by the linker takes precedence over the record.
package version

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// linked is set by the linker: a version, a commit hash, or the output of "git
// describe". It is empty if the build does not set it.
var linked string

// unknown is the version of a program that was built without one. The go command uses
// the same name.
const unknown = "(devel)"

// Info is the version of a program.
type Info struct {
	Version  string // a module version such as v1.2.3, or "(devel)" if it is unknown
	Commit   string // the git commit in hex, often abbreviated; empty if it is unknown
	Modified bool   // the source had changes that were not committed
}

// Of returns the version of the running program.
func Of() Info {
	build, _ := debug.ReadBuildInfo()
	return parse(linked, build)
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

// parse returns the version in linked or, if linked is empty, the one in build, which
// may be nil.
func parse(linked string, build *debug.BuildInfo) Info {
	if linked != "" {
		return parseText(linked)
	}
	if build == nil {
		return Info{Version: unknown}
	}
	info := parseText(build.Main.Version)
	for _, setting := range build.Settings {
		switch setting.Key {
		case "vcs.revision":
			info.Commit = setting.Value
		case "vcs.modified":
			info.Modified = info.Modified || setting.Value == "true"
		}
	}
	return info
}

var (
	commitHash = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	// The commit is the end of "git describe" (v1.2.3-4-ga2e5a07) and of a
	// pseudo-version (https://go.dev/ref/mod#pseudo-versions).
	commitSuffix = regexp.MustCompile(`(?:-\d+-g|[.-]\d{14}-)([0-9a-f]{7,64})$`)
)

// parseText parses a module version, a commit hash or the output of "git describe".
func parseText(s string) Info {
	// The go command marks uncommitted changes with +dirty, git with -dirty.
	clean := strings.TrimSuffix(strings.TrimSuffix(s, "+dirty"), "-dirty")
	info := Info{Version: clean, Modified: clean != s}
	switch {
	case clean == "":
		info.Version = unknown
	case commitHash.MatchString(clean):
		info.Version, info.Commit = unknown, clean
	default:
		if m := commitSuffix.FindStringSubmatch(clean); m != nil {
			info.Commit = m[1]
		}
	}
	return info
}
