package lambdahttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/asanaauth/asanaauth/internal/lambdahttp"
)

var _ lambda.Handler = (*lambdahttp.Handler)(nil)

type response struct {
	StatusCode      int
	Headers         map[string]string
	Cookies         []string
	Body            string
	IsBase64Encoded bool
}

func invoke(t *testing.T, h *lambdahttp.Handler, payload []byte) response {
	t.Helper()
	out, err := h.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("Invoke returned error %v, want a response to every event", err)
	}
	var a response
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("response %q is not JSON: %v", out, err)
	}
	return a
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// event returns an event for a GET request, which f changes unless f is nil.
func event(t testing.TB, path string, f func(map[string]any)) []byte {
	t.Helper()
	e := map[string]any{
		"version": "2.0", "rawPath": path, "headers": map[string]any{},
		"requestContext": map[string]any{"stage": "$default", "http": map[string]any{"method": "GET"}},
	}
	if f != nil {
		f(e)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContextReachesTheHandler(t *testing.T) {
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "invocation"})
	ctx, cancel := context.WithCancelCause(ctx)
	why := errors.New("the sandbox is shutting down")
	h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel(why)
		if got := context.Cause(r.Context()); got != why {
			t.Errorf("got cause %v, want the cause in Invoke's context", got)
		}
		io.WriteString(w, lambdahttp.RequestID(r.Context()))
	}), lambdahttp.Options{})
	out, _ := h.Invoke(ctx, event(t, "/", nil))
	if !strings.Contains(string(out), `"body":"invocation"`) {
		t.Errorf("got response %s, want Lambda's request id, because the event has no id", out)
	}
}

func badEvents(t testing.TB) map[string][]byte {
	change := func(name string, v any) []byte {
		return event(t, "/", func(e map[string]any) { e[name] = v })
	}
	return map[string][]byte{
		"empty":           {},
		"null":            []byte("null"),
		"not JSON":        []byte("GET / HTTP/1.1"),
		"array":           []byte("[]"),
		"wrong type":      change("headers", "x"),
		"trailing":        append(event(t, "/", nil), "{}"...),
		"version 1.0":     change("version", "1.0"),
		"version 3.0":     change("version", "3.0"),
		"no version":      change("version", nil),
		"no method":       change("requestContext", nil),
		"no path":         event(t, "", nil),
		"relative path":   event(t, "x", nil),
		"malformed path":  event(t, "/%zz", nil),
		"cut path":        event(t, "/%4", nil),
		"not base64":      event(t, "/", func(e map[string]any) { e["body"], e["isBase64Encoded"] = "!", true }),
		"scheduled":       testdata(t, "scheduled.json"),
		"REST version 1":  testdata(t, "rest-v1.json"),
		"larger than 10M": change("body", strings.Repeat("x", 10<<20)),
	}
}

func TestBadEventGetsAResponse(t *testing.T) {
	var reason error
	h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}), lambdahttp.Options{BadEvent: func(w http.ResponseWriter, r *http.Request, err error) {
		reason = err
		if r.Method != "GET" || r.URL.Path != "/" || len(r.Header) != 0 || r.ContentLength != 0 {
			t.Errorf("BadEvent got request %v, want an empty GET /", r)
		}
		w.Header().Set("X-Request-Id", lambdahttp.RequestID(r.Context()))
		w.WriteHeader(http.StatusBadRequest)
	}})
	for name, payload := range badEvents(t) {
		reason = nil
		a := invoke(t, h, payload)
		if a.StatusCode != 400 || reason == nil {
			t.Errorf("%s: got status %d, error %v; want 400 and an error", name, a.StatusCode, reason)
		}
		if name == "REST version 1" && a.Headers["X-Request-Id"] != "c6af9ac6-7b61-11e6-9a41-93e8deadbeef" {
			t.Errorf("%s: got request id %q, want the event's", name, a.Headers["X-Request-Id"])
		}
		if a := invoke(t, h, event(t, "/", nil)); a.StatusCode != 204 {
			t.Errorf("good event after %s: got status %d, want 204", name, a.StatusCode)
		}
	}
	plain := lambdahttp.New(http.NotFoundHandler(), lambdahttp.Options{})
	if a := invoke(t, plain, nil); a.StatusCode != 400 || a.Body != "Bad Request\n" {
		t.Errorf("without a hook: got %+v, want a plain 400", a)
	}
}

func TestPanicGetsAResponse(t *testing.T) {
	crash := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ok" {
			return
		}
		w.Header().Set("X-Half", "done")
		io.WriteString(w, "half a response")
		panic(r.URL.Path)
	})
	var got any
	tests := []struct {
		name string
		hook func(http.ResponseWriter, *http.Request, any)
		want int
	}{
		{"no hook", nil, 500},
		{"hook", func(w http.ResponseWriter, _ *http.Request, v any) { got = v; w.WriteHeader(503) }, 503},
		{"hook panics", func(http.ResponseWriter, *http.Request, any) { panic("again") }, 500},
	}
	for _, test := range tests {
		h := lambdahttp.New(crash, lambdahttp.Options{Panicked: test.hook})
		a := invoke(t, h, event(t, "/boom", nil))
		if a.StatusCode != test.want || strings.Contains(a.Body, "half") || a.Headers["X-Half"] != "" {
			t.Errorf("%s: got %+v, want %d and nothing from the handler", test.name, a, test.want)
		}
		if a := invoke(t, h, event(t, "/ok", nil)); a.StatusCode != 200 {
			t.Errorf("%s: got status %d after the panic, want 200", test.name, a.StatusCode)
		}
	}
	if got != "/boom" {
		t.Errorf("the hook got %v, want the value of the panic", got)
	}
}
