package main_test

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documentedRoutes returns the methods of each path in docs/openapi.yaml. If backend is
// true, the result contains only the routes for backends.
func documentedRoutes(t *testing.T, backend bool) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	routes := map[string][]string{}
	for path, item := range document.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var operation struct{ Security []map[string][]string }
			if err := node.Decode(&operation); err != nil {
				t.Fatal(err)
			}
			isBackend := slices.ContainsFunc(operation.Security, func(s map[string][]string) bool { return s["local"] != nil })
			if isBackend || !backend {
				routes[path] = append(routes[path], strings.ToUpper(method))
			}
		}
	}
	return routes
}

// TestEveryDocumentedRoute checks that "asanaauth local" serves every path in
// docs/openapi.yaml, and records requests to these paths in the trace.
func TestEveryDocumentedRoute(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "-backend-key", ownKey)
	b := newBrowser(t)
	paths := slices.Sorted(maps.Keys(documentedRoutes(t, false)))
	for _, path := range paths {
		// The method BREW does not exist, so every existing route responds with 405.
		to := p.publicURL + strings.ReplaceAll(path, "{id}", "con_x")
		if a := b.mustSend("BREW", to, "", "Authorization: "+bearer(ownKey)); a.status != http.StatusMethodNotAllowed {
			t.Errorf("BREW %s: got %d, want 405: add the path to serviceRoutes in cmd/asanaauth/internal/local/parts.go", path, a.status)
		}
	}
	trace := b.mustSend("GET", p.publicURL+"/local/trip", "").body
	for _, path := range paths {
		if !strings.Contains(trace, `"what":"BREW `+path+`"`) {
			t.Errorf("the trace has no request to %s: add the path to isServiceRequest in cmd/asanaauth/internal/local/routes.go, "+
				"or to isBackend in backend.go", path)
		}
	}
}
