package boot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/internal/lambdahttp"
	"github.com/asanaauth/asanaauth/internal/version"
)

func logger() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

func TestWarmRunsConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := logger()
		start, met := time.Now(), make(chan struct{})
		boot.Warm(t.Context(), log,
			func(context.Context) error { met <- struct{}{}; return nil },
			func(context.Context) error { <-met; return errors.New("table is unavailable") },
			func(context.Context) error { panic("secret") },
		)
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v, want 0s", took)
		}
		if got := lines.String(); !strings.Contains(got, "table is unavailable") || !strings.Contains(got, "panicked") || strings.Contains(got, "secret") {
			t.Errorf("got log %s, want the error, and the panic without its value", got)
		}
	})
}

func TestWarmEndsAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := logger()
		start := time.Now()
		boot.Warm(t.Context(), log,
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			func(context.Context) error { time.Sleep(time.Minute); return nil },
		)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v, want 2s", took)
		}
		if !strings.Contains(lines.String(), "deadline exceeded") {
			t.Errorf("got log %s, want the exceeded deadline", lines)
		}
		time.Sleep(time.Minute) // until the second function returns
	})
}

func TestSettle(t *testing.T) {
	log, lines := logger()
	r := env.NewReader(lookup(map[string]string{"SCOPES": "default openid"}))
	r.Scopes("SCOPES")
	r.String("TABLE_NAME")
	if err := boot.Settle(t.Context(), log, r); err == nil || err.Error() != "TABLE_NAME: is missing" {
		t.Errorf("Settle = %v, want TABLE_NAME: is missing", err)
	}
	if got := lines.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "SCOPES: has default and other scopes") {
		t.Errorf("got log %s, want the warning", got)
	}
}

func TestLogVersion(t *testing.T) {
	tests := []struct {
		v    version.Info
		want string
	}{
		{version.Info{Version: "v1.2.3"}, "version=v1.2.3\n"},
		{version.Info{Version: "(devel)", Commit: "a2e5a07"}, "version=(devel) commit=a2e5a07\n"},
		{version.Info{Version: "v1.2.3", Commit: "a2e5a07", Modified: true}, "version=v1.2.3 commit=a2e5a07 modified=true\n"},
	}
	for _, test := range tests {
		log, lines := logger()
		boot.LogVersion(log, test.v)
		if want := `level=INFO msg="function starting" ` + test.want; !strings.HasSuffix(lines.String(), want) {
			t.Errorf("%+v: got log %s, want %s", test.v, lines, want)
		}
	}
}

func TestResponsesWithoutHandler(t *testing.T) {
	problem := func(w http.ResponseWriter, id string, status int) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "%d %q", status, id)
	}
	const event = `{"version":"2.0","rawPath":%q,"requestContext":{"requestId":"req-1","http":{"method":"GET"}}}`
	tests := []struct{ name, payload, body, log, never string }{
		{"no event", "", `400 ""`, "level=INFO msg=\"bad event\" request_id=\"\" status=400 err=\"event is not a JSON object", "GET"},
		{"panic", fmt.Sprintf(event, "/hunter2"), `500 "req-1"`, "level=ERROR msg=panic request_id=req-1 status=500 err=\"panic with a value that is not shown\"", "hunter2"},
		{"runtime error", fmt.Sprintf(event, "/"), `500 "req-1"`, "index out of range", "hunter2"},
	}
	for _, test := range tests {
		log, lines := logger()
		h := lambdahttp.New(http.HandlerFunc(crash), boot.Options(log, problem))
		out, err := h.Invoke(t.Context(), []byte(test.payload))
		if want := strings.ReplaceAll(test.body, `"`, `\"`); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got response %s, %v; want %s", test.name, out, err, want)
		}
		got := lines.String()
		if !strings.Contains(got, test.log) || strings.Contains(got, test.never) {
			t.Errorf("%s: got log %s, want %s, and no %s", test.name, got, test.log, test.never)
		}
		if strings.Contains(test.payload, "version") && (!strings.Contains(got, "boot_test.crash:") || strings.Contains(got, "boot.options")) {
			t.Errorf("%s: got log %s, want a stack that begins with the function that panicked", test.name, got)
		}
	}
}

// crash writes half of a response, and then panics with the request's path, or with a
// runtime error if the path is "/".
func crash(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "half")
	if r.URL.Path != "/" {
		panic(r.URL.Path)
	}
	_ = []int{}[len(r.URL.RawQuery)]
}
