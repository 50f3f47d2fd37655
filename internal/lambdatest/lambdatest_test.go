package lambdatest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

func start(t *testing.T, env map[string]string) *lambdatest.Function {
	t.Helper()
	return lambdatest.Start(t, lambdatest.Build(t, "./testdata/echo"), env)
}

func request(t *testing.T, method, url, body string, header http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

func decode(t *testing.T, r io.Reader) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDo(t *testing.T) {
	binary := lambdatest.Build(t, "./testdata/echo")
	t.Setenv("HOME", t.TempDir()) // the function must not inherit HOME
	f := lambdatest.Start(t, binary, map[string]string{"SOME": "value"})
	r := request(t, "POST", "https://auth.example.com/a%2Fb?x=%zz&y", "k=v", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {"c=1; d=2", "e=3"}, "Accept": {"a", "b"}})
	resp, err := f.Do(lambdatest.As(r, lambdatest.Identity{UserARN: "arn:aws:iam::1:user/x"}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a=1", "b=2"}; resp.StatusCode != http.StatusTeapot || !slices.Equal(resp.Header.Values("Set-Cookie"), want) {
		t.Errorf("got status %d, cookies %q; want 418, %q", resp.StatusCode, resp.Header.Values("Set-Cookie"), want)
	}
	want := map[string]any{
		"method": "POST", "uri": "/a%2Fb?x=%zz&y", "host": "auth.example.com", "cookie": "c=1; d=2; e=3",
		"accept": []any{"a,b"}, "body": "k=v", "arn": "arn:aws:iam::1:user/x", "deadline": true, "id": true,
		"home": "", "env": "value",
	}
	if diff := cmp.Diff(want, decode(t, resp.Body)); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if logs := f.Logs(); len(logs) != 1 || logs[0] != "starting " {
		t.Errorf("got logs %q, want one line", logs)
	}
}

func TestEvent(t *testing.T) {
	f := start(t, map[string]string{"MODE": "event"})
	body := map[string]struct {
		kind, sent, got string
		encoded         bool
	}{
		"form": {"application/x-www-form-urlencoded", "k=v", "az12", true},
		"json": {"application/json; charset=utf-8", "{}", "{}", false},
		"none": {"", "\xff", "/w==", true},
	}
	for name, b := range body {
		r := request(t, "POST", "http://127.0.0.1/p?a=1", b.sent, http.Header{"Content-Type": {b.kind}, "Cookie": {"c=1;d=2"}, "X-Up": {"1", "2"}, "Connection": {"close"}})
		event, err := lambdatest.Event(r, "id=")
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Invoke(event)
		if err != nil {
			t.Fatal(err)
		}
		e := decode(t, strings.NewReader(string(out)))
		if _, ok := e["requestContext"].(map[string]any)["authorizer"]; ok {
			t.Errorf("%s: the event has an authorizer, want none without an identity", name)
		}
		got := []any{e["version"], e["rawPath"], e["rawQueryString"], e["cookies"], e["body"], e["isBase64Encoded"],
			e["requestContext"].(map[string]any)["requestId"], e["requestContext"].(map[string]any)["stage"]}
		want := []any{"2.0", "/p", "a=1", []any{"c=1", "d=2"}, b.got, b.encoded, "id=", "$default"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		headers := map[string]any{"host": "127.0.0.1", "x-up": "1,2", "x-forwarded-port": "443", "x-forwarded-proto": "https",
			"content-type": b.kind, "content-length": fmt.Sprint(len(b.sent))}
		if diff := cmp.Diff(headers, e["headers"]); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", name, diff)
		}
	}
}

func TestFunctionThatFails(t *testing.T) {
	t.Run("at the start", func(t *testing.T) {
		f := start(t, map[string]string{"MODE": "exit"})
		if code, ok := f.Exited(); code != 1 || !ok {
			t.Errorf("Exited() = %d, %v; want 1, true", code, ok)
		}
		if _, err := f.Invoke([]byte("{}")); err == nil || !strings.Contains(err.Error(), "cannot start") {
			t.Errorf("Invoke: got error %v, want an error with the log", err)
		}
	})
	t.Run("with an error", func(t *testing.T) {
		f := start(t, map[string]string{"MODE": "error"})
		for range 2 {
			_, err := f.Invoke([]byte("{}"))
			var reported *lambdatest.Error
			if !errors.As(err, &reported) || !strings.Contains(reported.Report, "no luck") {
				t.Errorf("Invoke: got error %v, want the error that the function reported", err)
			}
		}
		if _, ok := f.Exited(); ok {
			t.Error("the function has exited, want it to run")
		}
	})
	t.Run("by exiting", func(t *testing.T) {
		f := start(t, map[string]string{"MODE": "crash"})
		if _, err := f.Invoke([]byte("{}")); err == nil || !strings.Contains(err.Error(), "exited with 3") {
			t.Errorf("Invoke: got error %v, want an error with the exit code", err)
		}
	})
	t.Run("by kill -9", func(t *testing.T) {
		f := start(t, nil)
		f.Kill()
		if code, ok := f.Exited(); code != -1 || !ok {
			t.Errorf("Exited() = %d, %v; want -1, true", code, ok)
		}
	})
}

func TestResponseErrors(t *testing.T) {
	for _, payload := range []string{"", "{}", `{"statusCode":99}`, `{"statusCode":200,"headers":{"set-cookie":"a=1"}}`,
		`{"statusCode":200,"body":"!","isBase64Encoded":true}`} {
		if _, err := lambdatest.Response([]byte(payload), nil); err == nil {
			t.Errorf("Response(%s) returned no error", payload)
		}
	}
}

func TestHandlerRoutesByTheFirstSegment(t *testing.T) {
	f := start(t, nil)
	dead := start(t, map[string]string{"MODE": "exit"})
	server := httptest.NewServer(lambdatest.Handler(map[string]*lambdatest.Function{"session": f, "connections": f, "refresh": dead}))
	defer server.Close()
	const signed = "AWS4-HMAC-SHA256 Credential=backend/20260303/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=00"
	tests := []struct {
		path, authorization string
		status              int
		arn                 any
	}{
		{"/session/code?x=1", "", 418, ""},
		{"/session", signed, 418, ""},
		{"/connections/con_1/token", signed, 418, "arn:aws:iam::111122223333:user/backend"},
		{"/links", signed, 418, "arn:aws:iam::111122223333:user/backend"},
		{"/links", "", 403, nil},
		{"/links", "Bearer x", 403, nil},
		{"/refresh", "", 500, nil},
		{"/", "", 404, nil},
		{"/sessions", "", 404, nil},
	}
	var wg sync.WaitGroup
	for _, test := range tests {
		wg.Go(func() {
			r := request(t, "GET", server.URL+test.path, "", http.Header{"Authorization": {test.authorization}})
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			got := decode(t, resp.Body)
			if resp.StatusCode != test.status || got["arn"] != test.arn || test.status == 418 && got["uri"] != test.path {
				t.Errorf("%s: got %d %v, want %d and the ARN %v", test.path, resp.StatusCode, got, test.status, test.arn)
			}
		})
	}
	wg.Wait()
}
