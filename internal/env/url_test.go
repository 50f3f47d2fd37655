package env_test

import (
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	tests := []struct{ value, reason string }{
		{"https://auth.example.com", ""},
		{"https://auth.example.com:8443", ""},
		{"https://a_b.xn--bcher-kva.example", ""},
		{"https://192.0.2.1", ""},
		{"https://[2001:db8::1]:8443", ""},
		{"http://localhost:8484", ""},
		{"http://127.0.0.1:8484", ""},
		{"http://[::1]", ""},

		{unset, "is missing"},
		{"*", "is no absolute URL"},
		{"null", "is no absolute URL"},
		{"auth.example.com", "is no absolute URL"},
		{"//auth.example.com", "is neither https nor http"},
		{"https:auth.example.com", "is no absolute URL"},
		{"https://", "is no absolute URL"},
		{"https://:443", "malformed host"},
		{"https://auth.example.com/", "more than scheme, host and port"},
		{"https://auth.example.com/x", "more than scheme, host and port"},
		{"https://auth.example.com?", "more than scheme, host and port"},
		{"https://auth.example.com#", "more than scheme, host and port"},
		{"HTTPS://auth.example.com", "more than scheme, host and port"},
		{"https://Auth.example.com", "upper case"},
		{"https://auth.example.com:443", "default port"},
		{"http://localhost:80", "default port"},
		{"https://auth.example.com:", "malformed host"},
		{"https://auth.example.com:0", "malformed host"},
		{"https://auth.example.com:08443", "malformed host"},
		{"https://auth.example.com:70000", "malformed host"},
		{"https://*.example.com", "malformed host"},
		{"https://auth..example.com", "malformed host"},
		{"https://auth.example.com.", "malformed host"},
		{"https://-x.example", "malformed host"},
		{"https://x,y.example", "malformed host"},
		{"https://" + strings.Repeat("x", 64) + ".example", "malformed host"},
		{"https://%65xample.com", "is no absolute URL"},
		{"https://127.1", "malformed host"},
		{"https://0x7f.1", "malformed host"},
		{"https://127.000.0.1", "malformed host"},
		{"https://[127.0.0.1]", "no absolute URL"},
		{"https://[::ffff:127.0.0.1]", "malformed host"},
		{"https://[2001:DB8::1]", "malformed host"},
		{"https://[::1%25eth0]", "malformed host"},
		{"https://bücher.example", "URLs have to escape"},
		{"https://user@auth.example.com", "user information"},
		{"https://good.example\\@evil.example", "URLs have to escape"},
		{"http://auth.example.com", "loopback hosts alone"},
		{"http://localhost.example.com", "loopback hosts alone"},
		{"http://app.localhost", "loopback hosts alone"},
		{"javascript:alert(1)", "is no absolute URL"},
		{"ftp://auth.example.com", "is neither https nor http"},
		{"https://auth.example.com ", "space around"},
		{"https://auth.example.com\n", "control characters"},
	}
	for _, test := range tests {
		r := reader(test.value)
		wanted := test.value
		if test.reason != "" {
			wanted = ""
		}
		want(t, r, test.value, r.Origin(name), wanted, test.reason)
	}
}

func TestOrigins(t *testing.T) {
	tests := []struct {
		value  string
		want   []string
		reason string
	}{
		{"https://a.example\nhttp://localhost:3000", []string{"https://a.example", "http://localhost:3000"}, ""},
		{"https://a.example https://b.example/", nil, "entry 2 has more than"},
		{"https://a.example https://a.example", nil, "entry 2 repeats"},
		{"https://a.example,https://b.example", nil, "malformed host"},
		{"*", nil, "entry 1 is no absolute URL"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.Origins(name), test.want, test.reason)
	}
}

func TestBaseURL(t *testing.T) {
	const def = "https://app.asana.com"
	tests := []struct{ value, want, reason string }{
		{unset, def, ""},
		{"", def, ""},
		{"http://127.0.0.1:8485", "http://127.0.0.1:8485", ""},
		{"https://app.asana.com/api/1.0", "https://app.asana.com/api/1.0", ""},
		{"https://app.asana.com/", "", "ends with a slash"},
		{"https://app.asana.com?x", "", "has a query"},
		{"https://app.asana.com/#", "", "has a query or a fragment"},
		{"http://app.asana.com", "", "loopback hosts alone"},
		{"https://a:b@app.asana.com", "", "user information"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.BaseURL(name, def), test.want, test.reason)
	}
	r := reader(unset)
	want(t, r, unset, r.BaseURL(name, ""), "", "is missing")
}

func TestReturnURLs(t *testing.T) {
	tests := []struct {
		value  string
		want   []string
		reason string
	}{
		{"https://b.example/ https://a.example/x?y=%2F#z", []string{"https://b.example/", "https://a.example/x?y=%2F#z"}, ""},
		{"https://App.example", []string{"https://App.example"}, ""},
		{"http://localhost:3000/done", []string{"http://localhost:3000/done"}, ""},
		{"https://a.example/ https://a.example/", nil, "entry 2 repeats"},
		{"/relative", nil, "entry 1 is no absolute URL"},
		{"https://a.example/ //b.example/", nil, "entry 2 is neither https nor http"},
		{"http://a.example/", nil, "entry 1 is http"},
		{"https://a.example@b.example/", nil, "user information"},
		{"https://a.example/\\b", nil, "URLs have to escape"},
		{"https://a.example/%zz", nil, "is no absolute URL"},
		{"https://a.example/ü", nil, "URLs have to escape"},
		{"data:text/html,x", nil, "is no absolute URL"},
		{"myapp://done", nil, "is neither https nor http"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.ReturnURLs(name), test.want, test.reason)
	}
}

func TestReturnURLsLeaveTheRedirectItsParameters(t *testing.T) {
	for _, own := range []string{"asana", "asana_error", "connect_code", "app_state"} {
		r := reader("https://a.example/done?x=1&" + own + "=y")
		want(t, r, own, r.ReturnURLs(name), []string(nil), "parameter that the redirect itself brings")
	}
	r := reader("https://a.example/done?asanas=1#asana")
	want(t, r, "others", r.ReturnURLs(name), []string{"https://a.example/done?asanas=1#asana"}, "")
}
