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
	for status, kind := range map[int]string{400: "invalid-request", 500: "internal"} {
		w := httptest.NewRecorder()
		wire.Problem(func(name string) (string, bool) { return "https://auth.example.com", name == "PUBLIC_URL" })(w, "req-1", status)
		var got struct {
			Type, Title, Instance string
			Status                int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%d: %v: %s", status, err, w.Body)
		}
		if w.Code != status || got.Status != status || got.Type != "urn:asanaauth:problem:"+kind || got.Title == "" || got.Instance != "req-1" {
			t.Errorf("%d: status %d, %s", status, w.Code, w.Body)
		}
		want := http.Header{
			"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
			"Referrer-Policy": {"no-referrer"}, "X-Request-Id": {"req-1"}, "Strict-Transport-Security": {"max-age=31536000"},
		}
		if diff := cmp.Diff(want, w.Header()); diff != "" {
			t.Errorf("%d: headers (-want +got):\n%s", status, diff)
		}
	}
}
