package asanaauth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const repository = "../.."

// sources returns the repository's files whose names have one of the endings. The keys
// are the paths, and the values are the contents.
func sources(t *testing.T, endings ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == ".aws-sam" || d.Name() == ".venv" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		for _, ending := range endings {
			if !d.IsDir() && strings.HasSuffix(path, ending) {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				found[path] = string(text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	// absent matches references to pages that the repository does not contain.
	absent = regexp.MustCompile(`(?i)\bthe (contract|design)('s)? (says|names|has|wants|table)|contract\.md|design\.md|style\.md|asana-facts`)
)

// anchors returns the anchors that GitHub makes for a page's headings.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		text := strings.ToLower(strings.TrimSpace(m[1]))
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
				return r
			}
			return -1
		}, text)
		out[anchor] = true
	}
	return out
}

func TestLinksLeadToPagesAndAnchors(t *testing.T) {
	t.Parallel()
	pages := sources(t, ".md")
	if len(pages) < 5 {
		t.Fatalf("found %d pages", len(pages))
	}
	for path, text := range pages {
		for _, m := range pageLink.FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, ":") {
				continue // a link to another site
			}
			target := path
			if to != "" {
				target = filepath.Join(filepath.Dir(path), to)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, m[1])
				continue
			}
			if anchor != "" && strings.HasSuffix(target, ".md") && !anchors(pages[target])[anchor] {
				t.Errorf("%s links to %s, and the page has no such anchor", path, m[1])
			}
		}
	}
}

func TestNoTextRefersToAPageThatIsNotHere(t *testing.T) {
	t.Parallel()
	for path, text := range sources(t, ".go", ".md", ".yaml", ".py", ".sh", ".html", ".js") {
		if strings.HasSuffix(path, "pages_test.go") {
			continue
		}
		if !strings.Contains(text, "contract") && !strings.Contains(text, "design") && !strings.Contains(text, ".md") && !strings.Contains(text, "asana-facts") {
			continue // matching the expression against every file is slow
		}
		for _, found := range absent.FindAllString(text, -1) {
			t.Errorf("%s: %q refers to a page that is not in the repository", path, found)
		}
	}
}

// logged matches the names of audit events and alarms in Go code.
var logged = regexp.MustCompile(`(?:Audit|Alarm)\w+ += "(\w+)"|String\("(?:audit|alarm)", "(\w+)"`)

func TestDeployPageExplainsEachAuditLineAndAlarm(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for path, text := range sources(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range logged.FindAllStringSubmatch(text, -1) {
			names[m[1]+m[2]] = true
		}
	}
	if len(names) < 13 {
		t.Errorf("found only %d names in the code: %v", len(names), names)
	}
	for name := range names {
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("docs/deploy.md does not explain %q", name)
		}
	}
	for _, m := range regexp.MustCompile("\n\\| `(\\w+_?\\w*)` \\|").FindAllStringSubmatch(string(page), -1) {
		if m[1] != "audit" && m[1] != "alarm" && !names[m[1]] {
			t.Errorf("docs/deploy.md explains %q, which no code logs", m[1])
		}
	}
}

var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)")

func TestPagesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, text := range sources(t, "_test.go") {
		code.WriteString(text)
	}
	named := 0
	for path, text := range sources(t, ".md") {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			named++
			if !strings.Contains(code.String(), "\nfunc "+m[1]+"(") {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("the pages name only %d tests", named)
	}
}

// Each script in .ci must begin with "#!". Otherwise, make would run the script with sh,
// and a script for bash would fail.
func TestScriptsNameTheirInterpreter(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join(repository, ".ci", "*"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("found no scripts: %v", err)
	}
	for _, path := range scripts {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) == "" && !strings.HasPrefix(string(text), "#!/") {
			t.Errorf("the first line of %s does not name an interpreter, for example #!/bin/sh", path)
		}
	}
}
