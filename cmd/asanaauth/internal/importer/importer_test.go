package importer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/importer"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
)

type reported struct {
	Line                 int64
	Status, Type, Reason string
}

// runImport returns the report's entries by line number. progress is the text on stderr.
func runImport(t *testing.T, ctx context.Context, in io.Reader, workers int, do importer.Import) (report map[int64]reported, progress string, err error) {
	t.Helper()
	var out, stderr bytes.Buffer
	err = importer.RunWith(ctx, in, &out, &stderr, workers, do)
	report = map[int64]reported{}
	for text := range strings.Lines(out.String()) {
		var r reported
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if _, twice := report[r.Line]; twice {
			t.Errorf("line %d is reported twice", r.Line)
		}
		report[r.Line] = r
	}
	return report, stderr.String(), err
}

func linesFor(owners ...string) io.Reader {
	var text strings.Builder
	for _, o := range owners {
		fmt.Fprintf(&text, "{\"owner\":%q,\"token\":\"t\",\"kind\":\"personal_access_token\"}\n", o)
	}
	return strings.NewReader(text.String())
}

func TestParse(t *testing.T) {
	const token = `"token":"1/2:hunter2"`
	for text, want := range map[string]string{
		`{"owner":"o",` + token + `,"kind":"personal_access_token"}`: "",
		`{"owner":"o","refresh_token":"r","replace":true}`:           "",
		` {"owner":"o","refresh_token":"r","replace":null} ` + "\r":  "",
		`{"owner":"o",` + token + `,"kind":"x","more":1}`:            "unknown member. Accepted: token, owner, kind, refresh_token, replace.",
		`{"owner":"o",` + token + `,"replace":true}`:                 "replace must not be given with token. Accepted: owner, kind.",
		`{"owner":"o","refresh_token":"r","kind":"x"}`:               "kind must not be given with refresh_token. Accepted: owner, replace.",
		`{"owner":"o","refresh_token":"r",` + token + `}`:            "refresh_token must not be given with token. Accepted: owner, kind.",
		`{"Owner":"o",` + token + `}`:                                "unknown member. Accepted: token, owner, kind, refresh_token, replace.",
		`{"owner":"o","owner":"p",` + token + `}`:                    "owner must not be repeated.",
		`{"owner":null,"owner":"p",` + token + `}`:                   "owner must not be repeated.",
		`{"owner":7,` + token + `}`:                                  "owner must be a string",
		`{"owner":"o","refresh_token":"r","replace":"yes"}`:          "true or false",
		`{"owner":"o",` + token + `} {}`:                             "after the JSON object",
		`{"owner":"o",` + token + `}x`:                               "after the JSON object",
		`{"owner":"o",` + token:                                      "The line must be a JSON object.",
		`["owner"]`:                                                  "The line must be a JSON object.",
		`1/2:hunter2`:                                                "The line must be a JSON object.",
		`{"owner":"acme \ud800",` + token + `}`:                      "owner must be a string", // a lone surrogate
		`{"owner":"",` + token + `}`:                                 "owner must not be empty",
		`{"owner":"o"}`:                                              "one of these members: token, refresh_token",
		"{\"owner\":\"\xff\"," + token + "}":                         "valid UTF-8",
	} {
		r, err := importer.Parse(text)
		switch {
		case want == "" && (err != nil || r.Owner != "o" || r.Token.IsZero() == r.RefreshToken.IsZero()):
			t.Errorf("%s: got %+v, %v", text, r, err)
		case want != "" && !strings.Contains(detail(err), want):
			t.Errorf("%s: got %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error()+detail(err), "hunter2"):
			t.Errorf("%s: the error repeats the token", text)
		}
	}
	r, _ := importer.Parse(`{"owner":"o","refresh_token":"r","replace":true}`)
	if !r.Replace || r.RefreshToken.Reveal() != "r" {
		t.Errorf("got %+v", r)
	}
}

func detail(err error) string {
	var e *asanaauth.Error
	if !errors.As(err, &e) || e.Kind != asanaauth.InvalidRequest {
		return ""
	}
	return e.Detail
}

// TestLines checks that malformed lines are reported with their line numbers, and that
// all other lines are imported.
func TestLines(t *testing.T) {
	const head, tail = `{"owner":"`, `","refresh_token":"r"}`
	fits := head + strings.Repeat("x", 64<<10-len(head)-len(tail)) + tail
	in := strings.NewReader("\n{}\r\n  \n" + fits + "\r\n" + fits + " \n" + strings.Repeat("x", 200<<10) + "\nnonsense\n" + `{"owner":"last","refresh_token":"r"}`)
	var mu sync.Mutex
	var got []int64
	report, progress, err := runImport(t, t.Context(), in, 3, func(_ context.Context, line int64, _ connection.ImportRequest) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, line)
		return nil
	})
	slices.Sort(got)
	if want := []int64{4, 8}; !slices.Equal(got, want) {
		t.Errorf("imported %v, want %v", got, want)
	}
	for line, reason := range map[int64]string{5: "64 KiB", 6: "64 KiB", 2: "one of these members: token, refresh_token", 7: "The line must be a JSON object."} {
		if r := report[line]; r.Status != "rejected" || r.Type != "invalid-request" || !strings.Contains(r.Reason, reason) {
			t.Errorf("line %d: got %+v, want it rejected with %q", line, r, reason)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "4 lines were not imported: ") || !strings.Contains(progress, "lines: 6, imported: 2, rejected: 4; ") {
		t.Errorf("got error %v, progress %q", err, progress)
	}
}

// TestOwnersInOrder checks that lines of one owner are imported in order, because a later
// line may replace an earlier line's connection. It also checks that lines of different
// owners are imported concurrently.
func TestOwnersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var owners []string
		for i := range 60 {
			owners = append(owners, fmt.Sprint("owner ", i%12))
		}
		var mu sync.Mutex
		busy, most, last := map[string]bool{}, 0, map[string]int64{}
		_, _, err := runImport(t, t.Context(), linesFor(owners...), 4, func(_ context.Context, line int64, r connection.ImportRequest) error {
			mu.Lock()
			if busy[r.Owner] || last[r.Owner] > line {
				t.Errorf("line %d of %s is out of order, or concurrent with another line of the owner", line, r.Owner)
			}
			busy[r.Owner], last[r.Owner] = true, line
			most = max(most, len(busy))
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			delete(busy, r.Owner)
			return nil
		})
		if err != nil || most < 3 || most > 4 || len(last) != 12 {
			t.Errorf("got error %v, %d lines at once, %d owners; want 3 or 4 lines at once, 12 owners", err, most, len(last))
		}
	})
}

// TestOneTokenOnceAtATime checks that two lines with the same refresh token are not
// imported concurrently, even if their owners differ, because Asana may rotate the token.
func TestOneTokenOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		for i := range 12 {
			fmt.Fprintf(&text, "{\"owner\":\"o%d\",\"refresh_token\":\"t%d\"}\n", i, i%2)
		}
		var mu sync.Mutex
		busy, most := map[string]bool{}, 0
		_, _, err := runImport(t, t.Context(), strings.NewReader(text.String()), 4, func(_ context.Context, line int64, r connection.ImportRequest) error {
			token := r.RefreshToken.Reveal()
			mu.Lock()
			if busy[token] {
				t.Errorf("line %d: another line uses its token at the same time", line)
			}
			busy[token] = true
			most = max(most, len(busy))
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			delete(busy, token)
			return nil
		})
		if err != nil || most != 2 {
			t.Errorf("got error %v, at most %d tokens in use; want 2", err, most)
		}
	})
}

func TestTemporaryFailuresAreRetried(t *testing.T) {
	limited := &asanaauth.Error{Kind: asanaauth.TryAgain, RetryAfter: time.Minute}
	for name, c := range map[string]struct {
		fails      []error
		calls      int
		least      time.Duration
		want, kind string
	}{
		"once":           {[]error{&asanaauth.Error{Kind: asanaauth.AsanaUnavailable}}, 2, 2 * time.Second, "imported", ""},
		"Retry-After":    {[]error{limited, limited}, 3, 2 * time.Minute, "imported", ""},
		"every time":     {slices.Repeat([]error{&asanaauth.Error{Kind: asanaauth.TryAgain}}, 9), 5, 30 * time.Second, "failed", "try-again"},
		"rejected token": {[]error{&asanaauth.Error{Kind: asanaauth.TokenRejected, Reason: "inactive"}}, 1, 0, "rejected", "token-rejected"},
		"connected":      {[]error{&asanaauth.Error{Kind: asanaauth.AlreadyConnected}}, 1, 0, "rejected", "already-connected"},
		"internal":       {[]error{errors.New("hunter2")}, 1, 0, "failed", "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, calls := time.Now(), 0
				report, _, err := runImport(t, t.Context(), linesFor("o"), 2, func(context.Context, int64, connection.ImportRequest) error {
					if calls++; calls <= len(c.fails) {
						return c.fails[calls-1]
					}
					return nil
				})
				if r := report[1]; calls != c.calls || r.Status != c.want || r.Type != c.kind || strings.Contains(r.Reason, "hunter2") {
					t.Errorf("got %d calls, %+v; want %d calls, %s %s", calls, r, c.calls, c.want, c.kind)
				}
				if r := report[1]; r.Type == "try-again" && r.Reason != "Temporarily unavailable. Run the command again." {
					t.Errorf("got reason %q, want advice to run the command again", r.Reason)
				}
				if err != nil && !strings.HasPrefix(err.Error(), "1 line was not imported: ") {
					t.Errorf("got error %v, want it to begin with the number of lines", err)
				}
				if (err == nil) != (c.want == "imported") {
					t.Errorf("got error %v, want one only if the line was not imported", err)
				}
				if took := time.Since(began); took < c.least || took > 2*c.least+time.Second {
					t.Errorf("took %v, want about %v", took, c.least)
				}
			})
		})
	}
}

// TestInterruption checks that an interrupted import finishes the lines in progress, and
// does not start other lines.
func TestInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		report, _, err := runImport(t, ctx, linesFor("a", "b", "c", "d", "e", "f", "g", "h"), 1, func(ctx context.Context, _ int64, _ connection.ImportRequest) error {
			time.Sleep(time.Second)
			return ctx.Err()
		})
		if len(report) != 2 || report[2].Status != "imported" {
			t.Errorf("reported %+v, want two lines, both imported", report)
		}
		if err == nil || !strings.Contains(err.Error(), "run the command again") {
			t.Errorf("got error %v, want advice to run the command again", err)
		}
	})
}

// TestInterruptionOfWaiting checks that an interruption ends the wait before a retry, and
// that the import does not wait for a blocked read from a terminal.
func TestInterruptionOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		terminal, typed := io.Pipe()
		go io.Copy(typed, linesFor("a"))
		began := time.Now()
		report, _, err := runImport(t, ctx, terminal, 2, func(context.Context, int64, connection.ImportRequest) error {
			return &asanaauth.Error{Kind: asanaauth.TryAgain, RetryAfter: time.Hour}
		})
		if r := report[1]; r.Status != "failed" || err == nil || time.Since(began) > time.Second {
			t.Errorf("got %+v, %v after %v; want a failed line, an error, within a second", r, err, time.Since(began))
		}
		typed.Close() // makes the blocked read return
	})
}

// TestStops checks that the import stops early if every line would fail, or if the report
// cannot be written.
func TestStops(t *testing.T) {
	many := slices.Repeat([]string{"o"}, 100)
	calls := 0
	report, _, err := runImport(t, t.Context(), linesFor(many...), 1, func(context.Context, int64, connection.ImportRequest) error {
		calls++
		return &asanaauth.Error{Kind: asanaauth.Misconfigured}
	})
	if calls != 1 || len(report) != 1 || err == nil || !strings.Contains(err.Error(), "client secret") {
		t.Errorf("got %d calls, %d entries, %v; want 1, 1 and an error about the client secret", calls, len(report), err)
	}
	calls = 0
	err = importer.RunWith(t.Context(), linesFor(many...), broken{}, io.Discard, 1, func(context.Context, int64, connection.ImportRequest) error {
		calls++
		return nil
	})
	if calls != 1 || err == nil || !strings.Contains(err.Error(), "writing the report") {
		t.Errorf("got %d calls, %v; want 1 and an error about the report", calls, err)
	}
	if _, _, err := runImport(t, t.Context(), io.MultiReader(linesFor("o"), failing{}), 1, func(context.Context, int64, connection.ImportRequest) error { return nil }); err == nil || !strings.Contains(err.Error(), "reading FILE") {
		t.Errorf("got %v, want an error about reading FILE", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk failure") }

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, progress, err := runImport(t, t.Context(), linesFor(slices.Repeat([]string{"o"}, 9)...), 1, func(context.Context, int64, connection.ImportRequest) error {
			time.Sleep(time.Second + time.Millisecond)
			return nil
		})
		if err != nil || strings.Count(progress, "\r\x1b[K") != 5 || !strings.HasPrefix(progress, "\r\x1b[Klines: 1, imported: 1; 0.5 per second\r") || !strings.HasSuffix(progress, "lines: 9, imported: 9; 1.0 per second\n") {
			t.Errorf("got error %v, progress %q", err, progress)
		}
	})
}
