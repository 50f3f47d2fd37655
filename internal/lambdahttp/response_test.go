package lambdahttp_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/lambdahttp"
)

func TestResponse(t *testing.T) {
	binary := string([]byte{0xff, 0x00, 0xfe})
	b64 := base64.StdEncoding.EncodeToString
	body := func(contentType, s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			io.WriteString(w, s)
		}
	}
	typed := func(contentType string) map[string]string { return map[string]string{"Content-Type": contentType} }
	tests := []struct {
		name, method string
		h            http.HandlerFunc
		want         response
	}{
		{"nothing", "GET", func(http.ResponseWriter, *http.Request) {}, response{StatusCode: 200, Headers: map[string]string{}}},
		{"json", "GET", body("application/json", `{"<>&":"é"}`), response{200, typed("application/json"), nil, `{"<>&":"é"}`, false}},
		{"problem", "GET", body("application/problem+json", "{}"), response{200, typed("application/problem+json"), nil, "{}", false}},
		{"html", "GET", body("text/html; charset=utf-8", "<p>"), response{200, typed("text/html; charset=utf-8"), nil, "<p>", false}},
		{"png", "GET", body("image/png", "png"), response{200, typed("image/png"), nil, b64([]byte("png")), true}},
		{"text that is not UTF-8", "GET", body("text/plain", binary), response{200, typed("text/plain"), nil, b64([]byte(binary)), true}},
		{"malformed type", "GET", body("a/b/c", "x"), response{200, typed("a/b/c"), nil, b64([]byte("x")), true}},
		{"sniffed", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
			response{200, typed("text/html; charset=utf-8"), nil, "<html>", false}},
		{"sniffed after WriteHeader", "GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); io.WriteString(w, "x") },
			response{201, typed("text/plain; charset=utf-8"), nil, "x", false}},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			if n, err := io.WriteString(w, "body"); n != 4 || err != nil {
				t.Errorf("Write in response to HEAD = %d, %v; want 4, nil", n, err)
			}
		}, response{StatusCode: 200, Headers: map[string]string{"Content-Length": "4", "Content-Type": "text/plain; charset=utf-8"}}},
		{"204", "GET", bodiless(t, 204), response{StatusCode: 204, Headers: map[string]string{}}},
		{"304", "GET", bodiless(t, 304), response{StatusCode: 304, Headers: map[string]string{}}},
		{"second WriteHeader, late header", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(100)
			w.WriteHeader(404)
			w.WriteHeader(200)
			w.Header().Set("X-Late", "1")
		}, response{StatusCode: 404, Headers: map[string]string{}}},
		{"cookies and repeated headers", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1; Expires=Tue, 03 Mar 2026 10:00:00 GMT", "b=2\r\nX-Evil: 1"}
			w.Header()["Vary"] = []string{"Origin", "Accept"}
			w.Header()["Date"] = nil
			w.Header().Set("X-Lines", "a\r\nb")
			w.WriteHeader(303)
		}, response{303, map[string]string{"Vary": "Origin, Accept", "X-Lines": "a  b"},
			[]string{"a=1; Expires=Tue, 03 Mar 2026 10:00:00 GMT", "b=2  X-Evil: 1"}, "", false}},
		{"invalid status", "GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(99) },
			response{500, map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}, nil, "Internal Server Error\n", false}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := invoke(t, lambdahttp.New(test.h, lambdahttp.Options{}), event(t, "/", func(e map[string]any) {
				e["requestContext"].(map[string]any)["http"].(map[string]any)["method"] = test.method
			}))
			if diff := cmp.Diff(test.want, a); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}

func bodiless(t *testing.T, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("Write after status %d: got %v, want ErrBodyNotAllowed", status, err)
		}
	}
}

func TestHTMLIsNotEscaped(t *testing.T) {
	h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<p>&</p>")
	}), lambdahttp.Options{})
	out, _ := h.Invoke(t.Context(), event(t, "/", nil))
	if !strings.Contains(string(out), `"body":"<p>&</p>"`) {
		t.Errorf("got response %s, want <, > and & without escapes", out)
	}
}
