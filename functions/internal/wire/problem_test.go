package wire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/wire"
)

func TestProblem(t *testing.T) {
	const detail = "The event is not an HTTP API event of payload version 2.0. Invoke the function through API Gateway."
	for status, want := range map[int]struct{ kind, detail string }{400: {"invalid-request", detail}, 500: {"internal", "Give the request ID in instance to the operator."}} {
		w := httptest.NewRecorder()
		wire.Problem(func(name string) (string, bool) { return "https://auth.example.com", name == "PUBLIC_URL" })(w, "req-1", status)
		var got struct {
			Type, Title, Detail, Instance string
			Status                        int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%d: decoding %s: %v", status, w.Body, err)
		}
		if w.Code != status || got.Status != status || got.Type != "urn:asanaauth:problem:"+want.kind || got.Detail != want.detail || got.Title == "" || got.Instance != "req-1" {
			t.Errorf("got status %d, body %s; want status %d, type %s, detail %q", w.Code, w.Body, status, want.kind, want.detail)
		}
		headers := http.Header{
			"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
			"Referrer-Policy": {"no-referrer"}, "X-Request-Id": {"req-1"}, "Cross-Origin-Resource-Policy": {"same-site"}, "Strict-Transport-Security": {"max-age=31536000"},
		}
		if diff := cmp.Diff(headers, w.Header()); diff != "" {
			t.Errorf("%d: headers (-want +got):\n%s", status, diff)
		}
	}
}
