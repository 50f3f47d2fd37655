package asanaauth_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostWhere is the maximum number of times that comments may use "where", per 1,000 lines
// of comments. The word is right for a place and wrong for a condition.
const mostWhere = 15

// wordList returns an expression that matches the words to avoid. They are the words in
// backquotes in the first column of the table in CONTRIBUTING.md.
func wordList(t *testing.T) *regexp.Regexp {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| not | but |\n")
	if !found {
		t.Fatal("CONTRIBUTING.md has no table of words")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var words []string
	for row := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			words = append(words, regexp.QuoteMeta(m[1]))
		}
	}
	if len(words) < 8 {
		t.Fatalf("the table has only the words %q", words)
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
}

func TestCommentsUseTheWordList(t *testing.T) {
	t.Parallel()
	words := wordList(t)
	lines, where := 0, 0
	for path, text := range sources(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, comment := range file.Comments {
			prose := comment.Text()
			lines += strings.Count(prose, "\n")
			// A phrase can span two lines. The phrase "is no longer" is allowed.
			prose = strings.ReplaceAll(strings.Join(strings.Fields(prose), " "), "no longer", "")
			for _, word := range words.FindAllString(prose, -1) {
				if strings.EqualFold(word, "where") {
					where++
					continue
				}
				t.Errorf("%s: the comment uses %q; CONTRIBUTING.md says what to write", positions.Position(comment.Pos()), word)
			}
		}
	}
	if most := mostWhere * lines / 1000; where > most {
		t.Errorf("the comments use \"where\" %d times in %d lines, want at most %d", where, lines, most)
	}
	if lines < 1000 {
		t.Errorf("found only %d lines of comments", lines)
	}
}
