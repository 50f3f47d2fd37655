package env_test

import "testing"

func TestOrigin(t *testing.T) {
	tests := []struct{ value, reason string }{
		{"https://auth.example.com:8443", ""},
		{"http://localhost:8484", ""},
		{unset, "is missing"},
		{"auth.example.com", "is not an absolute URL"},
		{"https://auth.example.com/", "more than a scheme, host and port"},
		{"http://auth.example.com", "only for loopback hosts"},
		{"https://auth.example.com ", "begins or ends with white space"},
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
		{"*", nil, "entry 1 is not an absolute URL"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.Origins(name), test.want, test.reason)
	}
}

func TestServerOrigin(t *testing.T) {
	const def = "https://app.asana.com"
	tests := []struct{ value, want, reason string }{
		{unset, def, ""},
		{"", def, ""},
		{"http://127.0.0.1:8485", "http://127.0.0.1:8485", ""},
		{"http://host.docker.internal:8485", "http://host.docker.internal:8485", ""},
		{"http://x.host.docker.internal", "", "only for loopback hosts and host.docker.internal"},
		{"http://Host.Docker.Internal", "", "upper case"},
		{"https://app.asana.com/api/1.0", "", "more than a scheme, host and port"},
		{"https://app.asana.com/", "", "more than a scheme, host and port"},
		{"https://a:b@app.asana.com", "", "user information"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.ServerOrigin(name, def), test.want, test.reason)
	}
}

// TestOnlyServersMayBeAtDockersHost checks the variables with the URLs of pages. Browsers
// send cookies to such URLs, so http must not leave the machine.
func TestOnlyServersMayBeAtDockersHost(t *testing.T) {
	const value = "http://host.docker.internal:3000"
	r := reader(value)
	want(t, r, value, r.Origin(name), "", "only for loopback hosts")
	r = reader(value)
	want(t, r, value, r.Origins(name), nil, "only for loopback hosts")
	r = reader(value)
	want(t, r, value, r.ReturnURLs(name), nil, "only for loopback hosts")
}

func TestBaseURL(t *testing.T) {
	tests := []struct{ value, want, reason string }{
		{unset, "", "is missing"},
		{"http://127.0.0.1:8485", "http://127.0.0.1:8485", ""},
		{"http://host.docker.internal:8485/api/1.0", "http://host.docker.internal:8485/api/1.0", ""},
		{"https://app.asana.com/api/1.0", "https://app.asana.com/api/1.0", ""},
		{"https://app.asana.com/", "", "ends with a slash"},
		{"https://app.asana.com?x", "", "has a query"},
		{"https://app.asana.com/#", "", "has a query or a fragment"},
		{"http://app.asana.com", "", "only for loopback hosts"},
		{"https://a:b@app.asana.com", "", "user information"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.BaseURL(name), test.want, test.reason)
	}
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
		{"/relative", nil, "entry 1 is not an absolute URL"},
		{"https://a.example/ //b.example/", nil, "entry 2 is neither https nor http"},
		{"http://a.example/", nil, "entry 1 is http"},
		{"https://a.example@b.example/", nil, "user information"},
		{"https://a.example/\\b", nil, "must be escaped"},
		{"https://a.example/%zz", nil, "is not an absolute URL"},
		{"https://a.example/ü", nil, "must be escaped"},
		{"data:text/html", nil, "is not an absolute URL"},
		{"myapp://done", nil, "is neither https nor http"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.ReturnURLs(name), test.want, test.reason)
	}
}

func TestReturnURLsRefuseParametersOfTheRedirect(t *testing.T) {
	for _, own := range []string{"asana", "asana_error", "connect_code", "app_state"} {
		r := reader("https://a.example/done?x=1&" + own + "=y")
		want(t, r, own, r.ReturnURLs(name), []string(nil), "parameter that is reserved for the redirect")
	}
	r := reader("https://a.example/done?asanas=1#asana")
	want(t, r, "others", r.ReturnURLs(name), []string{"https://a.example/done?asanas=1#asana"}, "")
}
