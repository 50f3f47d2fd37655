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

// imported runs lines, and returns the report by line.
func imported(t *testing.T, ctx context.Context, in io.Reader, workers int, do importer.Import) (report map[int64]reported, told string, err error) {
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

func owned(owners ...string) io.Reader {
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
		`{"owner":"o",` + token + `,"replace":true}`:                 "can be used with token: owner, kind.",
		`{"owner":"o","refresh_token":"r","kind":"x"}`:               "can be used with refresh_token: owner, replace.",
		`{"owner":"o","refresh_token":"r",` + token + `}`:            "can be used with token: owner, kind.",
		`{"Owner":"o",` + token + `}`:                                "unknown member. Accepted: token, owner, kind, refresh_token, replace.",
		`{"owner":"o","owner":"p",` + token + `}`:                    "twice",
		`{"owner":null,"owner":"p",` + token + `}`:                   "twice",
		`{"owner":7,` + token + `}`:                                  "owner must be a string",
		`{"owner":"o","refresh_token":"r","replace":"yes"}`:          "true or false",
		`{"owner":"o",` + token + `} {}`:                             "after the JSON object",
		`{"owner":"o",` + token + `}x`:                               "after the JSON object",
		`{"owner":"o",` + token:                                      "must be a JSON object",
		`["owner"]`:                                                  "must be a JSON object",
		`1/2:hunter2`:                                                "must be a JSON object",
		`{"owner":"acme \ud800",` + token + `}`:                      "owner must be a string", // half of a character
		`{"owner":"",` + token + `}`:                                 "owner must not be empty",
		`{"owner":"o"}`:                                              "one of these members: token, refresh_token",
		"{\"owner\":\"\xff\"," + token + "}":                         "valid UTF-8",
	} {
		r, err := importer.Parse(text)
		switch {
		case want == "" && (err != nil || r.Owner != "o" || r.Token.IsZero() == r.RefreshToken.IsZero()):
			t.Errorf("%s: %+v, %v", text, r, err)
		case want != "" && !strings.Contains(detail(err), want):
			t.Errorf("%s: %v, want %q", text, err, want)
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

// Malformed lines are told by their number, and the others go on.
func TestLines(t *testing.T) {
	const head, tail = `{"owner":"`, `","refresh_token":"r"}`
	fits := head + strings.Repeat("x", 64<<10-len(head)-len(tail)) + tail
	in := strings.NewReader("\n{}\r\n  \n" + fits + "\r\n" + fits + " \n" + strings.Repeat("x", 200<<10) + "\nnonsense\n" + `{"owner":"last","refresh_token":"r"}`)
	var mu sync.Mutex
	var got []int64
	report, told, err := imported(t, t.Context(), in, 3, func(_ context.Context, line int64, _ connection.ImportRequest) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, line)
		return nil
	})
	slices.Sort(got)
	if want := []int64{4, 8}; !slices.Equal(got, want) {
		t.Errorf("imported %v, want %v", got, want)
	}
	for line, reason := range map[int64]string{5: "64 KiB", 6: "64 KiB", 2: "one of these members: token, refresh_token", 7: "must be a JSON object"} {
		if r := report[line]; r.Status != "rejected" || r.Type != "invalid-request" || !strings.Contains(r.Reason, reason) {
			t.Errorf("line %d: %+v", line, r)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "4 lines are not in") || !strings.Contains(told, "6 lines, 2 imported, 4 rejected") {
		t.Errorf("%v; told %q", err, told)
	}
}

// The lines of one owner follow each other; those of others go on meanwhile.
func TestOwnersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var owners []string
		for i := range 60 {
			owners = append(owners, fmt.Sprint("owner ", i%12))
		}
		var mu sync.Mutex
		busy, most, last := map[string]bool{}, 0, map[string]int64{}
		_, _, err := imported(t, t.Context(), owned(owners...), 4, func(_ context.Context, line int64, r connection.ImportRequest) error {
			mu.Lock()
			if busy[r.Owner] || last[r.Owner] > line {
				t.Errorf("line %d of %s: out of order, or beside another", line, r.Owner)
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
			t.Errorf("%v; at most %d at once", err, most)
		}
	})
}

// One refresh token under two owners is not used by both at once.
func TestOneTokenOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		for i := range 12 {
			fmt.Fprintf(&text, "{\"owner\":\"o%d\",\"refresh_token\":\"t%d\"}\n", i, i%2)
		}
		var mu sync.Mutex
		busy, most := map[string]bool{}, 0
		_, _, err := imported(t, t.Context(), strings.NewReader(text.String()), 4, func(_ context.Context, line int64, r connection.ImportRequest) error {
			token := r.RefreshToken.Reveal()
			mu.Lock()
			if busy[token] {
				t.Errorf("line %d: its token is in use", line)
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
			t.Errorf("%v; %d tokens in use at most, want two", err, most)
		}
	})
}

func TestPassingTroubleIsTriedAgain(t *testing.T) {
	asked := &asanaauth.Error{Kind: asanaauth.TryAgain, RetryAfter: time.Minute}
	for name, c := range map[string]struct {
		fails      []error
		calls      int
		least      time.Duration
		want, kind string
	}{
		"once":          {[]error{&asanaauth.Error{Kind: asanaauth.AsanaUnavailable}}, 2, 2 * time.Second, "imported", ""},
		"Retry-After":   {[]error{asked, asked}, 3, 2 * time.Minute, "imported", ""},
		"all the time":  {slices.Repeat([]error{&asanaauth.Error{Kind: asanaauth.TryAgain}}, 9), 5, 30 * time.Second, "failed", "try-again"},
		"no such thing": {[]error{&asanaauth.Error{Kind: asanaauth.TokenRejected, Reason: "inactive"}}, 1, 0, "rejected", "token-rejected"},
		"connected":     {[]error{&asanaauth.Error{Kind: asanaauth.AlreadyConnected}}, 1, 0, "rejected", "already-connected"},
		"internal":      {[]error{errors.New("hunter2")}, 1, 0, "failed", "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, calls := time.Now(), 0
				report, _, err := imported(t, t.Context(), owned("o"), 2, func(context.Context, int64, connection.ImportRequest) error {
					if calls++; calls <= len(c.fails) {
						return c.fails[calls-1]
					}
					return nil
				})
				if r := report[1]; calls != c.calls || r.Status != c.want || r.Type != c.kind || strings.Contains(r.Reason, "hunter2") {
					t.Errorf("%d calls, %+v", calls, r)
				}
				if (err == nil) != (c.want == "imported") {
					t.Errorf("it ends with %v", err)
				}
				if took := time.Since(began); took < c.least || took > 2*c.least+time.Second {
					t.Errorf("it took %v, want about %v", took, c.least)
				}
			})
		})
	}
}

// An interruption lets what is under way come to its end, and begins nothing more.
func TestInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		report, _, err := imported(t, ctx, owned("a", "b", "c", "d", "e", "f", "g", "h"), 1, func(ctx context.Context, _ int64, _ connection.ImportRequest) error {
			time.Sleep(time.Second)
			return ctx.Err()
		})
		if len(report) != 2 || report[2].Status != "imported" {
			t.Errorf("reported %+v, want two lines, both in", report)
		}
		if err == nil || !strings.Contains(err.Error(), "run it again") {
			t.Errorf("it ends with %v", err)
		}
	})
}

// One that waits to try again waits no longer, and a terminal that sends nothing holds
// up nobody.
func TestInterruptionOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		terminal, typed := io.Pipe()
		go io.Copy(typed, owned("a"))
		began := time.Now()
		report, _, err := imported(t, ctx, terminal, 2, func(context.Context, int64, connection.ImportRequest) error {
			return &asanaauth.Error{Kind: asanaauth.TryAgain, RetryAfter: time.Hour}
		})
		if r := report[1]; r.Status != "failed" || err == nil || time.Since(began) > time.Second {
			t.Errorf("%+v, %v after %v", r, err, time.Since(began))
		}
		typed.Close() // the reader that was left behind
	})
}

// Where every line would fail, or nobody reads the report, it stops.
func TestStops(t *testing.T) {
	many := slices.Repeat([]string{"o"}, 100)
	calls := 0
	report, _, err := imported(t, t.Context(), owned(many...), 1, func(context.Context, int64, connection.ImportRequest) error {
		calls++
		return &asanaauth.Error{Kind: asanaauth.Misconfigured}
	})
	if calls != 1 || len(report) != 1 || err == nil || !strings.Contains(err.Error(), "client secret") {
		t.Errorf("%d calls, %d reported: %v", calls, len(report), err)
	}
	calls = 0
	err = importer.RunWith(t.Context(), owned(many...), broken{}, io.Discard, 1, func(context.Context, int64, connection.ImportRequest) error {
		calls++
		return nil
	})
	if calls != 1 || err == nil || !strings.Contains(err.Error(), "writing the report") {
		t.Errorf("%d calls: %v", calls, err)
	}
	if _, _, err := imported(t, t.Context(), io.MultiReader(owned("o"), failing{}), 1, func(context.Context, int64, connection.ImportRequest) error { return nil }); err == nil || !strings.Contains(err.Error(), "reading FILE") {
		t.Errorf("a file that cannot be read on: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("nobody listens") }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is broken") }

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, told, err := imported(t, t.Context(), owned(slices.Repeat([]string{"o"}, 9)...), 1, func(context.Context, int64, connection.ImportRequest) error {
			time.Sleep(time.Second + time.Millisecond)
			return nil
		})
		if err != nil || strings.Count(told, "\n") != 5 || !strings.HasPrefix(told, "1 lines, 1 imported; 0.5 a second\n") {
			t.Errorf("%v; told %q", err, told)
		}
	})
}
