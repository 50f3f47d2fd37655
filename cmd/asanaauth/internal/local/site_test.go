package local_test

import (
	"testing"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
)

func TestSites(t *testing.T) {
	for _, test := range []struct {
		origin, public string
		same           bool
	}{
		{"http://localhost:3000", "http://localhost:8484", true},
		{"http://localhost", "http://localhost:8484", true},
		{"http://127.0.0.1:3000", "http://127.0.0.1:8484", true},
		{"http://[::1]:3000", "http://[::1]", true},
		{"https://app.example.com", "https://auth.example.com", true},
		{"https://example.com:8443", "https://auth.dev.example.com", true},
		{"https://a.example.co.uk", "https://b.example.co.uk", true},
		{"https://tunnel.test", "https://tunnel.test", true},
		{"https://github.io", "https://github.io", true}, // a public suffix, but the same host

		{"http://127.0.0.1:3000", "http://localhost:8484", false},
		{"http://[::1]:3000", "http://localhost:8484", false},
		{"http://127.0.0.2:3000", "http://127.0.0.1:8484", false}, // "0.1" is not a domain
		{"http://127.0.0.1:3000", "http://127.1.0.1:8484", false},
		{"https://localhost:3000", "http://localhost:8484", false},
		{"http://localhost:3000", "https://tunnel.test", false},
		{"https://app.localhost", "https://localhost", false},
		{"https://example.com", "https://example.org", false},
		{"https://a.co.uk", "https://b.co.uk", false},
		{"https://me.github.io", "https://you.github.io", false},
		{"https://one.ngrok-free.app", "https://two.ngrok-free.app", false},
		{"https://app.example.com", "https://a1b2c3.execute-api.eu-central-1.amazonaws.com", false},
		{"https://x.execute-api.eu-central-1.amazonaws.com", "https://y.execute-api.eu-central-1.amazonaws.com", false},
		{"https://github.io", "https://me.github.io", false},
		{"https://evilexample.com", "https://example.com", false},
	} {
		if fault := local.SiteFault(test.origin, test.public); (fault == "") != test.same {
			t.Errorf("origin %s, PUBLIC_URL %s: got %q, want same site: %t", test.origin, test.public, fault, test.same)
		}
		if fault := local.SiteFault(test.public, test.origin); (fault == "") != test.same {
			t.Errorf("origin %s, PUBLIC_URL %s: got %q, want same site: %t", test.public, test.origin, fault, test.same)
		}
	}
}
