package asanaauth_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostWhere is the maximum number of times that comments may use the word "where", per
// 1,000 lines of comments. The word is right for a place and wrong for a condition.
const mostWhere = 15

// wordList returns an expression that matches the words to avoid. These are the words in
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

type usedWord struct {
	line int // the line of the text that contains the word, from 0
	word string
}

// wordsIn returns the parts of text that words matches, with their lines. A match may
// span two lines. The phrase "is no longer" is allowed.
func wordsIn(text string, words *regexp.Regexp) (used []usedWord) {
	var prose strings.Builder
	var ends []int // for each line, its end in prose
	for line := range strings.Lines(text) {
		prose.WriteString(strings.Join(strings.Fields(line), " ") + " ")
		ends = append(ends, prose.Len())
	}
	all := strings.TrimSuffix(prose.String(), " ")
	for _, at := range words.FindAllStringIndex(all, -1) {
		if strings.HasPrefix(all[at[1]:], " longer") {
			continue
		}
		line, _ := slices.BinarySearch(ends, at[0]+1)
		used = append(used, usedWord{line, all[at[0]:at[1]]})
	}
	return used
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
			lines += strings.Count(comment.Text(), "\n")
			for _, used := range wordsIn(comment.Text(), words) {
				if strings.EqualFold(used.word, "where") {
					where++
					continue
				}
				t.Errorf("%s:%d: the comment uses %q; CONTRIBUTING.md says what to write instead",
					path, positions.Position(comment.Pos()).Line+used.line, used.word)
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

// Unlike comments, pages in Markdown may use "where" without a limit.
func TestPagesUseTheWordList(t *testing.T) {
	t.Parallel()
	words := wordList(t)
	for path, text := range sources(t, ".md") {
		if strings.HasSuffix(path, "CONTRIBUTING.md") {
			before, after, _ := strings.Cut(text, "| not | but |\n")
			table, after, _ := strings.Cut(after, "\n\n")
			text = before + strings.Repeat("\n", strings.Count(table, "\n")+2) + after
		}
		for _, used := range wordsIn(text, words) {
			if !strings.EqualFold(used.word, "where") {
				t.Errorf("%s:%d: the page uses %q; CONTRIBUTING.md says what to write instead", path, used.line+1, used.word)
			}
		}
	}
}
