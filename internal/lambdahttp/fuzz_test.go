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

// FuzzInvoke checks that Invoke returns a JSON response for any payload. If the payload
// is not an HTTP event, it checks that the status is 400. Otherwise, it checks that the
// handler receives the event's path, query and body unchanged.
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
			t.Errorf("handler called: %v, got status %d", served, a.StatusCode)
		}
		if got := a.bytes(t); served && !bytes.Equal(got, body) {
			t.Errorf("got body %q, want the request's body %q", got, body)
		}
	})
}

func (a response) bytes(t *testing.T) []byte {
	if !a.IsBase64Encoded {
		return []byte(a.Body)
	}
	b, err := base64.StdEncoding.DecodeString(a.Body)
	if err != nil {
		t.Errorf("body %q: %v", a.Body, err)
	}
	return b
}

// checkRequest checks that r matches the event in payload, and returns the response body
// that the test expects: the body of r, or nil if r is a HEAD request.
func checkRequest(t *testing.T, payload []byte, r *http.Request) []byte {
	var e struct {
		Version, RawPath, RawQueryString string
		RequestContext                   struct {
			HTTP struct{ Method string }
		}
	}
	if err := json.Unmarshal(payload, &e); err != nil || e.Version != "2.0" {
		t.Errorf("handler called for version %q, %v; want 2.0", e.Version, err)
	}
	if r.Method != e.RequestContext.HTTP.Method || r.URL.RawQuery != e.RawQueryString || !strings.HasSuffix(e.RawPath, r.URL.RawPath) && r.URL.RawPath != "/" {
		t.Errorf("got method %s, path %q, query %q of event %+v", r.Method, r.URL.RawPath, r.URL.RawQuery, e)
	}
	if path, err := url.PathUnescape(r.URL.RawPath); err != nil || path != r.URL.Path {
		t.Errorf("got path %q with raw path %q", r.URL.Path, r.URL.RawPath)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		t.Errorf("read %d bytes, %v; want Content-Length %d", len(body), err, r.ContentLength)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	return body
}
