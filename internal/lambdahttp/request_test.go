package lambdahttp_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/lambdahttp"
)

type seen struct {
	Method, Host, RequestURI, Path, EscapedPath, RawQuery, RemoteAddr, Body, RequestID string
	Header                                                                             http.Header
	Length                                                                             int64
	IAM                                                                                lambdahttp.Identity
	Signed                                                                             bool
}

func capture(t *testing.T, payload []byte) seen {
	t.Helper()
	var got seen
	called := false
	h := lambdahttp.New(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called = true
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the body: %v", err)
		}
		got = seen{
			Method: r.Method, Host: r.Host, RequestURI: r.RequestURI, Path: r.URL.Path,
			EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, RemoteAddr: r.RemoteAddr,
			Body: string(body), Header: r.Header, Length: r.ContentLength,
			RequestID: lambdahttp.RequestID(r.Context()),
		}
		got.IAM, got.Signed = lambdahttp.IAM(r.Context())
	}), lambdahttp.Options{})
	if a := invoke(t, h, payload); !called || a.StatusCode != 200 {
		t.Fatalf("handler called: %v, got status %d; want true, 200", called, a.StatusCode)
	}
	return got
}

func TestRequestOfRealEvents(t *testing.T) {
	tests := []struct {
		file string
		want seen
	}{
		{"get-cookies.json", seen{
			Method: "GET", Host: "auth.example.com", RequestURI: "/session?a=1&a=2&b=%2F%zz+c",
			Path: "/session", EscapedPath: "/session", RawQuery: "a=1&a=2&b=%2F%zz+c",
			RemoteAddr: "198.51.100.7:0", RequestID: "YzAbCdEfFiAEJPw=",
			Header: http.Header{
				"Accept":            {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
				"Accept-Language":   {"en-GB,en;q=0.5"},
				"Content-Length":    {"0"},
				"Cookie":            {"first=one; second=two=2"},
				"If-Modified-Since": {"Tue, 03 Mar 2026 10:00:00 GMT,Wed, 04 Mar 2026 10:00:00 GMT"},
				"Origin":            {"https://app.example.com"},
				"Sec-Fetch-Mode":    {"cors"},
				"User-Agent":        {"Mozilla/5.0 (X11; Linux x86_64)"},
				"X-Amzn-Trace-Id":   {"Root=1-69a6b1c0-0123456789abcdef01234567"},
				"X-Forwarded-For":   {"198.51.100.7"},
				"X-Forwarded-Port":  {"443"},
				"X-Forwarded-Proto": {"https"},
			},
		}},
		{"post-form-base64.json", seen{
			Method: "POST", Host: "auth.example.com", RequestURI: "/callback",
			Path: "/callback", EscapedPath: "/callback", RemoteAddr: "[2001:db8::7]:0",
			RequestID: "YzAbDeFgFiAEMkQ=", Body: "code=a%2Fb&state=example%21", Length: 27,
			Header: http.Header{
				"Accept":            {"*/*"},
				"Content-Length":    {"27"},
				"Content-Type":      {"application/x-www-form-urlencoded"},
				"Cookie":            {"attempt=example"},
				"Origin":            {"null"},
				"Sec-Fetch-Site":    {"same-origin"},
				"X-Forwarded-For":   {"2001:db8::7"},
				"X-Forwarded-Port":  {"443"},
				"X-Forwarded-Proto": {"https"},
			},
		}},
		{"post-iam.json", seen{
			Method: "POST", Host: "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", RequestURI: "/links",
			Path: "/links", EscapedPath: "/links", RemoteAddr: "203.0.113.9:0",
			RequestID: "YzAbEgHhFiAEJzA=", Body: `{"owner":"tenant-é"}`, Length: 21, Signed: true,
			IAM: lambdahttp.Identity{
				AccessKey: "EXAMPLE-ACCESS-KEY-ID", AccountID: "111122223333",
				CallerID: "EXAMPLE-ROLE-ID:backend", PrincipalOrgID: "o-example",
				UserARN: "arn:aws:sts::111122223333:assumed-role/backend/backend", UserID: "EXAMPLE-ROLE-ID:backend",
			},
			Header: http.Header{
				"Accept-Encoding":   {"identity"},
				"Content-Length":    {"21"},
				"Content-Type":      {"application/json"},
				"X-Amz-Date":        {"20260303T100300Z"},
				"X-Forwarded-For":   {"203.0.113.9"},
				"X-Forwarded-Port":  {"443"},
				"X-Forwarded-Proto": {"https"},
			},
		}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			if diff := cmp.Diff(test.want, capture(t, testdata(t, test.file))); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// For an event with the path raw, URL.Path must be path, and URL.EscapedPath must return
// escaped.
var paths = []struct{ raw, stage, path, escaped string }{
	{"/connections/con_1", "$default", "/connections/con_1", "/connections/con_1"},
	{"/a%2Fb", "$default", "/a/b", "/a%2Fb"},
	{"/%61", "$default", "/a", "/%61"},
	{"//evil.example/x", "$default", "//evil.example/x", "//evil.example/x"},
	{"/a b/ü", "$default", "/a b/ü", "/a%20b/%C3%BC"},
	{"/a?b#c", "$default", "/a?b#c", "/a%3Fb%23c"},
	{"/prod/session", "prod", "/session", "/session"},
	{"/prod", "prod", "/", "/"},
	{"/production", "prod", "/production", "/production"},
	{"/session", "prod", "/session", "/session"},
}

func TestPathIsKept(t *testing.T) {
	for _, test := range paths {
		got := capture(t, event(t, test.raw, func(e map[string]any) {
			e["requestContext"].(map[string]any)["stage"] = test.stage
		}))
		if got.Path != test.path || got.EscapedPath != test.escaped {
			t.Errorf("path %q: got %q and %q escaped, want %q and %q", test.raw, got.Path, got.EscapedPath, test.path, test.escaped)
		}
	}
}

func TestQueryIsKeptByteForByte(t *testing.T) {
	for _, query := range []string{"a=1&a=2", "x=%zz", "a;b", "=&&=", "q=%2f%2F+ ü", "?"} {
		got := capture(t, event(t, "/p", func(e map[string]any) { e["rawQueryString"] = query }))
		if got.RawQuery != query || got.RequestURI != "/p?"+query {
			t.Errorf("query %q: got %q in %q", query, got.RawQuery, got.RequestURI)
		}
	}
}

// TestEmptyBodies checks each form in which an event can have an empty body.
func TestEmptyBodies(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"absent":        func(e map[string]any) {},
		"null":          func(e map[string]any) { e["body"] = nil },
		"null, base64":  func(e map[string]any) { e["body"], e["isBase64Encoded"] = nil, true },
		"empty":         func(e map[string]any) { e["body"] = "" },
		"empty, base64": func(e map[string]any) { e["body"], e["isBase64Encoded"] = "", true },
		"with a length": func(e map[string]any) { e["headers"] = map[string]any{"content-length": "0"} },
		"with a type":   func(e map[string]any) { e["headers"] = map[string]any{"content-type": "application/json"} },
	} {
		got := capture(t, event(t, "/", func(e map[string]any) {
			e["requestContext"].(map[string]any)["http"] = map[string]any{"method": "POST"}
			change(e)
		}))
		if got.Method != "POST" || got.Body != "" || got.Length != 0 {
			t.Errorf("%s: got %s with body %q of length %d, want POST with an empty body", name, got.Method, got.Body, got.Length)
		}
	}
}

func TestIdentityComesOnlyFromTheEvent(t *testing.T) {
	tests := []struct {
		name string
		iam  any
		want bool
	}{
		{"none", nil, false},
		{"empty", map[string]any{}, false},
		{"no ARN", map[string]any{"userId": "x"}, false},
		{"ARN", map[string]any{"userArn": "arn:aws:iam::1:user/x"}, true},
	}
	for _, test := range tests {
		got := capture(t, event(t, "/", func(e map[string]any) {
			e["requestContext"].(map[string]any)["authorizer"] = map[string]any{"iam": test.iam}
			e["headers"] = map[string]any{"authorizer": `{"iam":{"userArn":"arn:x"}}`, "x-request-id": "forged"}
		}))
		if got.Signed != test.want || got.RequestID != "" {
			t.Errorf("%s: got signed %v, request id %q; want %v and \"\"", test.name, got.Signed, got.RequestID, test.want)
		}
	}
}

func TestRepeatedHeadersAndCookies(t *testing.T) {
	got := capture(t, event(t, "/", func(e map[string]any) {
		e["headers"] = map[string]any{"Accept": "a,b", "accept": "c", "Cookie": "x=1"}
		e["cookies"] = []string{"x=1", "x=2"}
	}))
	want := http.Header{"Accept": {"a,b", "c"}, "Cookie": {"x=1; x=2"}}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	// "sam local" sends only the Cookie header, without the member "cookies".
	got = capture(t, event(t, "/", func(e map[string]any) { e["headers"] = map[string]any{"Cookie": "x=1; y=2"} }))
	if want := "x=1; y=2"; got.Header.Get("Cookie") != want {
		t.Errorf("Cookie = %q, want %q", got.Header.Get("Cookie"), want)
	}
}

func TestHostDefaultsToTheDomainName(t *testing.T) {
	got := capture(t, event(t, "/", func(e map[string]any) {
		e["requestContext"].(map[string]any)["domainName"] = "api.example.com"
	}))
	if got.Host != "api.example.com" {
		t.Errorf("Host = %q, want the domain name", got.Host)
	}
}
