package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestBackendKey checks that every backend route rejects requests without the backend
// key.
func TestBackendKey(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "-backend-key", ownKey)
	b := newBrowser(t)
	type route struct{ method, path string }
	var routes []route
	for path, methods := range documentedRoutes(t, true) {
		for _, method := range methods {
			routes = append(routes, route{method, strings.ReplaceAll(path, "{id}", "con_x")})
		}
	}
	if len(routes) < 10 {
		t.Fatalf("docs/openapi.yaml has only %d routes for backends", len(routes))
	}
	for name, authorization := range map[string]string{
		"none": "", "another key": bearer(ownKey[1:] + "z"), "more than the key": bearer(ownKey + "2"), "less than the key": bearer(ownKey[1:]),
		"an empty key": bearer(""), "Basic": "Basic " + ownKey, "the key alone": ownKey,
	} {
		for _, route := range routes {
			var headers []string
			if authorization != "" {
				headers = []string{"Authorization: " + authorization}
			}
			a := b.mustSend(route.method, p.publicURL+route.path, "", headers...)
			if a.status != http.StatusUnauthorized || a.problem() != "unauthenticated" {
				t.Errorf("%s: %s %s: got %d %s, want 401", name, route.method, route.path, a.status, a.body)
			}
			if authorization != "" && strings.Contains(a.body, ownKey[1:]) {
				t.Errorf("%s: the response repeats the key", name)
			}
		}
	}
	r, err := http.NewRequest("GET", p.publicURL+"/connections?owner=a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{bearer(ownKey), bearer("other")}
	resp, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("two keys: got status %d, want 401", resp.StatusCode)
	}
	for _, authorization := range []string{bearer(ownKey), "bearer " + ownKey} {
		if a := b.mustSend("GET", p.publicURL+"/connections?owner=a", "", "Authorization: "+authorization); a.status != http.StatusOK {
			t.Errorf("%.8s…: got %d %s, want 200", authorization, a.status, a.body)
		}
	}
}

// TestBackendOrigins checks that web pages cannot use the backend routes, even with the
// backend key.
func TestBackendOrigins(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"ALLOWED_ORIGINS=http://localhost:3000"}, "-backend-key", ownKey)
	b := newBrowser(t)
	key := "Authorization: " + bearer(ownKey)
	for _, test := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"foreign origin", "POST", "/links", []string{key, "Content-Type: application/json", "Origin: http://evil.test"}, 403},
		{"null origin", "DELETE", "/connections?owner=a", []string{key, "Origin: null"}, 403},
		{"rebound name", "GET", "/connections?owner=a", []string{key, "Host: evil.test"}, 421},
	} {
		if a := b.mustSend(test.method, p.publicURL+test.path, `{"owner":"a"}`, test.headers...); a.status != test.want {
			t.Errorf("%s: got %d %s, want %d", test.name, a.status, a.body, test.want)
		}
	}
	for _, origin := range []string{"http://evil.test", "http://localhost:3000", p.publicURL} {
		for _, a := range []response{
			b.mustSend("OPTIONS", p.publicURL+"/connections", "", "Origin: "+origin, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"),
			b.mustSend("GET", p.publicURL+"/connections?owner=a", "", key, "Origin: "+origin),
		} {
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("origin %s: got header %s, want no CORS headers", origin, name)
				}
			}
		}
	}
}
