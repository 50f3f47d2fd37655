package httpapi_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestProblemTable(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"invalid-request": 400, "login-expired": 400, "link-expired": 400, "unauthenticated": 401, "access-denied": 403,
		"forbidden-origin": 403, "token-rejected": 422, "wrong-account": 409, "not-allowed-for-kind": 409, "reconnect-required": 409,
		"already-connected": 409, "not-found": 404, "method-not-allowed": 405, "payload-too-large": 413, "unsupported-media-type": 415,
		"try-again": 503, "asana-unavailable": 502, "misconfigured": 500, "internal": 500,
	}
	got, titles := map[string]int{}, map[string]bool{}
	for _, row := range httpapi.ProblemTypes() {
		got[string(row.Kind)] = row.Status
		if row.Title == "" || titles[row.Title] {
			t.Errorf("%s: the title %q is empty or not unique", row.Kind, row.Title)
		}
		if !strings.HasSuffix(row.Usual, ".") {
			t.Errorf("%s: the detail %q is not a sentence", row.Kind, row.Usual)
		}
		titles[row.Title] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(httpapi.ProblemTypes()) != len(want) {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// Every kind in the source code must have a row in problemTypes. A kind without a row
// would get the type of Internal.
func TestEveryKindHasARow(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for _, row := range httpapi.ProblemTypes() {
		rows[string(row.Kind)] = true
	}
	kinds := 0
	for _, name := range []string{"../errors.go", "problem.go"} {
		source, err := os.ReadFile(name)
		must(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil || len(spec.Values) != 1 || !strings.HasSuffix(string(source[spec.Type.Pos()-1:spec.Type.End()-1]), "ErrorKind") {
				return true
			}
			kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			must(t, err)
			kinds++
			if !rows[kind] {
				t.Errorf("%s has no row in the table", kind)
			}
			return true
		})
	}
	if kinds != len(rows) {
		t.Errorf("got %d kinds in the source, want %d", kinds, len(rows))
	}
}

func TestRefreshProblems(t *testing.T) {
	t.Parallel()
	respond := func(status int, body string) func(b *browser) {
		return func(b *browser) {
			b.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", Status: status, Body: body, Times: -1})
		}
	}
	for name, c := range map[string]struct {
		fault  func(b *browser)
		status int
		kind   string
		level  string
	}{
		"invalid_grant":  {respond(400, `{"error":"invalid_grant"}`), 409, "reconnect-required", "INFO"},
		"invalid_client": {respond(401, `{"error":"invalid_client"}`), 500, "misconfigured", "ERROR"},
		"Asana is down":  {respond(503, `marker`), 502, "asana-unavailable", "ERROR"},
		"not JSON":       {respond(200, `marker`), 502, "asana-unavailable", "ERROR"},
		"Asana is slow": {func(b *browser) {
			b.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", Delay: time.Minute, Times: -1})
		}, 504, "asana-unavailable", "ERROR"},
		"no table": {func(b *browser) { b.fail("read") }, 503, "try-again", "WARN"},
		"an unknown format": {func(b *browser) {
			b.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, store.ErrFormat }
		}, 500, "internal", "ERROR"},
		"a panic": {func(b *browser) {
			b.table.Hook = func(context.Context, storetest.Op) (bool, error) { panic("marker") }
		}, 500, "internal", "ERROR"},
		"a runtime error": {func(b *browser) {
			b.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) { return op.Keys[99].PK == "", nil }
		}, 500, "internal", "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newSite(t).browser().signIn(asanatest.Member)
				time.Sleep(time.Hour) // until the token expires
				c.fault(b)
				a := b.refresh("")
				a.problem(c.status, c.kind)
				if got := a.header.Get("Retry-After") != ""; got != (c.kind == "try-again") {
					t.Errorf("got Retry-After %q", a.header.Get("Retry-After"))
				}
				line := b.lastLine()
				if line["type"] != c.kind || line["level"] != c.level || line["status"] != float64(c.status) {
					t.Errorf("got line %v, want type %s, level %s and status %d", line, c.kind, c.level, c.status)
				}
				checkCORS(t, name, a, appOrigin)
				if strings.Contains(a.body+b.log.String(), "marker") {
					t.Errorf("the cause is in the response or in the log: %s\n%s", a.body, b.log)
				}
			})
		})
	}
}

func TestPanicsAreTraced(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		b.table.Hook = func(context.Context, storetest.Op) (bool, error) { panic("marker") }
		b.refresh("").problem(500, "internal")
		stack, _ := b.lastLine()["stack"].(string)
		if !strings.Contains(stack, "problem_test.go") {
			t.Errorf("got stack %q, want this file in it", stack)
		}
	})
}

func TestCallbackPanics(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		back := b.allow(b.begin(""), asanatest.Member)
		b.table.Hook = func(context.Context, storetest.Op) (bool, error) { panic("marker") }
		if a := b.do(get(back)).page(500); a.header["Set-Cookie"] != nil {
			t.Errorf("got cookies %q, want none", a.header["Set-Cookie"])
		}
	})
}

// TestRuntimeErrors checks that the log contains the text of a Go runtime error if the
// error makes a handler panic.
func TestRuntimeErrors(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		b.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) { return op.Keys[99].PK == "", nil }
		b.refresh("").problem(500, "internal")
		if err, _ := b.lastLine()["err"].(string); !strings.Contains(err, "index out of range [99]") {
			t.Errorf("got err %q", err)
		}
	})
}

// TestAbortedHandlers checks that a handler does not recover a panic with
// http.ErrAbortHandler, because net/http must receive it.
func TestAbortedHandlers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.table.Hook = func(context.Context, storetest.Op) (bool, error) { panic(http.ErrAbortHandler) }
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v, want ErrAbortHandler", v)
		}
	}()
	s.do(get("/authorize"))
}

// TestRetryAfter checks that the header Retry-After contains the delay in seconds,
// rounded up.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		time.Sleep(time.Hour)
		b.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", Status: 429, Body: `{}`, Header: http.Header{"Retry-After": {"90"}}})
		for _, when := range []string{"at first", "half a second later"} {
			a := b.refresh("")
			a.problem(503, "try-again")
			if got := a.header.Get("Retry-After"); got != "90" {
				t.Errorf("%s: got Retry-After %q, want 90", when, got)
			}
			time.Sleep(500 * time.Millisecond)
		}
	})
}

func TestSessionOfABrokenConnection(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		must(t, b.asana.RevokeGrants(asanatest.Member))
		time.Sleep(time.Hour)
		b.refresh("").problem(409, "reconnect-required")
		b.do(get("/membership", "Origin", appOrigin)).problem(409, "reconnect-required")
		if got := b.do(get("/session", "Origin", appOrigin)).want(200).json()["status"]; got != "broken" {
			t.Errorf("got status %v, want broken", got)
		}
	})
}

func TestMembershipOverTheLimit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		must(t, b.asana.SetSwitches(func(s *asanatest.Switches) { s.RateLimited, s.RetryAfter = true, 42 }))
		a := b.do(get("/membership", "Origin", appOrigin))
		a.problem(503, "try-again")
		if got := a.header.Get("Retry-After"); got != "42" {
			t.Errorf("got Retry-After %q, want 42", got)
		}
	})
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do(get("/nothing")).problem(404, "not-found")
	s.do(get("/")).problem(404, "not-found")
	s.do(get("/bad-event")).problem(400, "invalid-request")
	for path := range frontendRoutes() {
		for _, below := range []string{"/", "/x", "/x/"} {
			s.do(get(path+below, "Origin", appOrigin)).problem(404, "not-found")
		}
	}
}
