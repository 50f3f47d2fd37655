package weburl_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.255.0.9": true, "::1": true, "0:0::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "app.localhost": false, "localhost.example": false, "127.0.0.1.example": false, "127.1": false,
		"127.000.0.1": false, "0.0.0.0": false, "::": false, "128.0.0.1": false, "192.0.2.1": false, "[::1]": false, "127.0.0.1:80": false,
		"::1%lo": false,
	} {
		if got := weburl.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestParseSecure(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://a.example": true, "HTTPS://a.example/x?y#z": true, "http://localhost:8484/x": true, "http://[::1]": true,
		"": false, "/x": false, "//a.example": false, "https:a.example": false, "https://": false, "https://%zz": false, "https://a\n.example": false,
		"http://a.example": false, "http://app.localhost": false, "http://[::1%25lo]": false, "ftp://localhost": false, "javascript:alert(1)": false,
		"https://user@a.example": false, "https://:@a.example": false,
	} {
		u, ok := weburl.ParseSecure(raw)
		if ok != want || (u != nil) != want {
			t.Errorf("ParseSecure(%q) = %v, %v; want %v", raw, u, ok, want)
		}
	}
}

func TestParseServer(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://a.example": true, "http://localhost:8484/x": true, "http://host.docker.internal": true, "http://Host.Docker.Internal:8485/x": true,
		"http://a.example": false, "http://host.docker.internal.": false, "http://x.host.docker.internal": false, "ftp://host.docker.internal": false,
		"http://host.docker.internal@a.example": false, "http://host.docker.internal.a.example": false,
	} {
		if u, ok := weburl.ParseServer(raw); ok != want || (u != nil) != want {
			t.Errorf("ParseServer(%q) = %v, %v; want %v", raw, u, ok, want)
		}
	}
	if _, ok := weburl.ParseSecure("http://host.docker.internal"); ok {
		t.Error("ParseSecure accepts http://host.docker.internal, want it only in ParseServer")
	}
}

func TestSameOrigin(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"https://a.example", "https://a.example/x?y", true},
		{"https://a.example:443", "https://A.example", true},
		{"https://a.example:", "https://a.example", true},
		{"http://a.example:80", "http://a.example", true},
		{"https://[::1]:443", "https://[::1]", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example:80", "https://a.example", false},
		{"http://a.example:443", "http://a.example", false},
		{"https://a.example:8443", "https://a.example", false},
		{"https://a.example", "https://b.example", false},
		{"https://a.example", "https://x.a.example", false},
		{"https://a.example", "https://a.example.", false},
		{"https://s.example", "https://ſ.example", false},
	}
	for _, test := range tests {
		a, b := parse(t, test.a), parse(t, test.b)
		if weburl.SameOrigin(a, b) != test.want || weburl.SameOrigin(b, a) != test.want {
			t.Errorf("SameOrigin(%s, %s) is not %v, want it in both orders", a, b, test.want)
		}
	}
}

func TestAddressedTo(t *testing.T) {
	const origin = "https://app.asana.com"
	tests := []struct {
		to, host string
		want     bool
	}{
		{"https://app.asana.com/api/1.0/users/me?x=y", "", true},
		{"https://app.asana.com/", "app.asana.com", true},
		{"HTTPS://APP.asana.com:443/", "App.Asana.com:443", true},
		{"http://app.asana.com/", "", false},
		{"http://app.asana.com:443/", "", false},
		{"https://app.asana.com:8443/", "", false},
		{"https://app.asana.com.evil.example/", "", false},
		{"https://evil.example/", "app.asana.com", false},
		{"https://app.asana.com/", "evil.example", false},
		{"https://app.asana.com/", "app.asana.com:80", false},
		{"https:app.asana.com", "app.asana.com", false},
		{"/api/1.0", "app.asana.com", false},
	}
	for _, test := range tests {
		r := &http.Request{URL: parse(t, test.to), Host: test.host}
		if got := weburl.AddressedTo(r, origin); got != test.want {
			t.Errorf("AddressedTo(%s with Host %q) = %v, want %v", test.to, test.host, got, test.want)
		}
	}
	upper := &http.Request{URL: &url.URL{Scheme: "HTTPS", Host: "app.asana.com"}}
	if !weburl.AddressedTo(upper, origin) {
		t.Error("AddressedTo with an upper-case scheme = false, want true")
	}
	opaque := &http.Request{URL: &url.URL{Scheme: "https", Host: "app.asana.com", Opaque: "//evil.example/"}}
	if weburl.AddressedTo(opaque, origin) {
		t.Error("AddressedTo with an opaque URL = true, want false")
	}
	if weburl.AddressedTo(&http.Request{}, origin) || weburl.AddressedTo(upper, "https://%zz") {
		t.Error("AddressedTo without a URL or with a malformed origin = true, want false")
	}
	local := &http.Request{URL: parse(t, "http://localhost/x"), Host: "localhost:80"}
	if !weburl.AddressedTo(local, "http://localhost:80") {
		t.Error("AddressedTo with port 80 and http = false, want true")
	}
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

type faultTest struct{ raw, reason string }

func checkFaults(t *testing.T, fault func(string) string, tests []faultTest) {
	t.Helper()
	for _, test := range tests {
		got := fault(test.raw)
		if (got == "") != (test.reason == "") || !strings.Contains(got, test.reason) {
			t.Errorf("%q: got %q, want %q", test.raw, got, test.reason)
		}
		if len(test.raw) > 3 && strings.Contains(got, test.raw) {
			t.Errorf("%q: the reason %q contains the value", test.raw, got)
		}
	}
}

func TestOriginFault(t *testing.T) {
	checkFaults(t, weburl.OriginFault, []faultTest{
		{"https://auth.example.com", ""},
		{"https://auth.example.com:8443", ""},
		{"https://a_b.xn--bcher-kva.example", ""},
		{"https://192.0.2.1", ""},
		{"https://[2001:db8::1]:8443", ""},
		{"http://localhost:8484", ""},
		{"http://127.0.0.1:8484", ""},
		{"http://[::1]", ""},

		{"*", "is not an absolute URL"},
		{"null", "is not an absolute URL"},
		{"auth.example.com", "is not an absolute URL"},
		{"//auth.example.com", "is neither https nor http"},
		{"https:auth.example.com", "is not an absolute URL"},
		{"https://", "is not an absolute URL"},
		{"https://:443", "malformed host"},
		{"https://auth.example.com/", "more than a scheme, host and port"},
		{"https://auth.example.com/x", "more than a scheme, host and port"},
		{"https://auth.example.com?", "more than a scheme, host and port"},
		{"https://auth.example.com#", "more than a scheme, host and port"},
		{"HTTPS://auth.example.com", "has a scheme in upper case"},
		{"https://Auth.example.com", "upper case"},
		{"https://auth.example.com:443", "default port"},
		{"http://localhost:80", "default port"},
		{"https://auth.example.com:", "malformed host"},
		{"https://auth.example.com:0", "malformed host"},
		{"https://auth.example.com:08443", "malformed host"},
		{"https://auth.example.com:70000", "malformed host"},
		{"https://*.example.com", "has a malformed host or port (wildcards are not supported)"},
		{"https://auth..example.com", "malformed host"},
		{"https://auth.example.com.", "malformed host"},
		{"https://-x.example", "malformed host"},
		{"https://x,y.example", "malformed host"},
		{"https://" + strings.Repeat("x", 64) + ".example", "malformed host"},
		{"https://%65xample.com", "is not an absolute URL"},
		{"https://127.1", "malformed host"},
		{"https://0x7f.1", "malformed host"},
		{"https://127.000.0.1", "malformed host"},
		{"https://[127.0.0.1]", "not an absolute URL"},
		{"https://[::ffff:127.0.0.1]", "malformed host"},
		{"https://[2001:DB8::1]", "malformed host"},
		{"https://[::1%25eth0]", "malformed host"},
		{"https://bücher.example", "must be escaped"},
		{"https://user@auth.example.com", "user information"},
		{"https://good.example\\@evil.example", "must be escaped"},
		{"http://auth.example.com", "only for loopback hosts"},
		{"http://localhost.example.com", "only for loopback hosts"},
		{"http://app.localhost", "only for loopback hosts"},
		{"javascript:alert(1)", "is not an absolute URL"},
		{"ftp://auth.example.com", "is neither https nor http"},
		{"", "is not an absolute URL"},
		{"https://auth.example.com ", "must be escaped"},
		{"https://auth.example.com\n", "must be escaped"},
	})
}

func TestBaseFault(t *testing.T) {
	checkFaults(t, weburl.BaseFault, []faultTest{
		{"https://app.asana.com", ""},
		{"https://App.asana.com:443/api/1.0", ""},
		{"http://127.0.0.1:8485", ""},
		{"https://app.asana.com/", "ends with a slash"},
		{"https://app.asana.com?x", "has a query"},
		{"https://app.asana.com/#", "has a query or a fragment"},
		{"http://app.asana.com", "only for loopback hosts"},
		{"https://a:b@app.asana.com", "user information"},
	})
}

func TestFault(t *testing.T) {
	checkFaults(t, weburl.Fault, []faultTest{
		{"https://a.example/x?y=%2F#z", ""},
		{"https://App.example:443/", ""},
		{"http://localhost:3000/done", ""},
		{"/relative", "is not an absolute URL"},
		{"//b.example/", "is neither https nor http"},
		{"http://a.example/", "only for loopback hosts"},
		{"https://a.example@b.example/", "user information"},
		{"https://a.example/\\b", "must be escaped"},
		{"https://a.example/%zz", "is not an absolute URL"},
		{"https://a.example/ü", "must be escaped"},
		{"data:text/html,x", "is not an absolute URL"},
		{"myapp://done", "is neither https nor http"},
	})
}
