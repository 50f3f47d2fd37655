package lambdahttp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/internal/lambdahttp"
)

// FuzzInvoke holds for any bytes whatever: there is an answer, it is JSON, what
// was no request is a 400, and what was one keeps path, query and length.
func FuzzInvoke(f *testing.F) {
	for _, payload := range badEvents(f) {
		if len(payload) < 1<<16 {
			f.Add(payload)
		}
	}
	for _, p := range paths {
		f.Add(event(f, p.raw, nil))
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".json") {
			f.Add(testdata(f, file.Name()))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		served, body := false, []byte(nil)
		h := lambdahttp.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served = true
			body = checkRequest(t, payload, r)
			w.WriteHeader(http.StatusTeapot)
			w.Write(body)
		}), lambdahttp.Options{Panicked: func(_ http.ResponseWriter, _ *http.Request, v any) {
			t.Fatalf("panic: %v", v)
		}})
		a := invoke(t, h, payload)
		if served != (a.StatusCode == http.StatusTeapot) || !served && a.StatusCode != http.StatusBadRequest {
			t.Errorf("served %v, status %d", served, a.StatusCode)
		}
		if got := a.bytes(t); served && !bytes.Equal(got, body) {
			t.Errorf("answered %q, want the request's body %q", got, body)
		}
	})
}

// bytes is the body that API Gateway would send.
func (a answer) bytes(t *testing.T) []byte {
	if !a.IsBase64Encoded {
		return []byte(a.Body)
	}
	b, err := base64.StdEncoding.DecodeString(a.Body)
	if err != nil {
		t.Errorf("body %q: %v", a.Body, err)
	}
	return b
}

func checkRequest(t *testing.T, payload []byte, r *http.Request) []byte {
	var e struct {
		Version, RawPath, RawQueryString string
		RequestContext                   struct {
			HTTP struct{ Method string }
		}
	}
	if err := json.Unmarshal(payload, &e); err != nil || e.Version != "2.0" {
		t.Errorf("served version %q, %v", e.Version, err)
	}
	if r.Method != e.RequestContext.HTTP.Method || r.URL.RawQuery != e.RawQueryString || !strings.HasSuffix(e.RawPath, r.URL.RawPath) && r.URL.RawPath != "/" {
		t.Errorf("got %s %q ? %q of %+v", r.Method, r.URL.RawPath, r.URL.RawQuery, e)
	}
	if path, err := url.PathUnescape(r.URL.RawPath); err != nil || path != r.URL.Path {
		t.Errorf("path %q of %q", r.URL.Path, r.URL.RawPath)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		t.Errorf("%d bytes of %d, %v", len(body), r.ContentLength, err)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	return body
}
