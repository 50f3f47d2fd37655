package functions_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

func backendRoutes(t *testing.T) []string {
	t.Helper()
	_, section, found := strings.Cut(apiPage(t), "\n## Backend routes\n")
	if !found {
		t.Fatal("docs/api.md has no section on backend routes")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return routesIn(section)
}

func apiPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// routesIn returns the routes in the headings of text, such as "GET /session", sorted.
func routesIn(text string) []string {
	var out []string
	for _, heading := range regexp.MustCompile("(?m)^### `([A-Z]+ /[^` ]*)`").FindAllStringSubmatch(text, -1) {
		out = append(out, heading[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestTemplateRoutes checks that template.yaml serves exactly the routes in docs/api.md,
// and that only the backend routes have an authorizer.
func TestTemplateRoutes(t *testing.T) {
	t.Parallel()
	routes := routesIn(apiPage(t))
	for _, route := range routes {
		_, path, _ := strings.Cut(route, " ")
		want := strings.Split(path, "/")[1] + " "
		if slices.Contains(backendRoutes(t), route) {
			want = "connections AWS_IAM"
		}
		if by := servedBy(t, path); by != want {
			t.Errorf("template.yaml serves %s with %q, want %q: correct Events of the function", path, by, want)
		}
	}
	for name, f := range template.Load(t).Functions {
		for _, pattern := range f.Routes {
			if !slices.ContainsFunc(routes, func(route string) bool {
				_, path, _ := strings.Cut(route, " ")
				return matchesRoute(pattern, path)
			}) {
				t.Errorf("the function %s serves %s, which docs/api.md does not describe: add a section, or remove the path from template.yaml", name, pattern)
			}
		}
	}
}

// TestBackendRouteTable checks that docs/api.md describes exactly the methods that the
// handler serves for each path.
func TestBackendRouteTable(t *testing.T) {
	t.Parallel()
	h, err := httpapi.NewBackend(httpapi.Config{PublicURL: public,
		Identity: func(*http.Request) (string, bool) { return saasARN, true }}, unusedBackend())
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	for _, route := range backendRoutes(t) {
		_, path, _ := strings.Cut(route, " ")
		// No route allows TRACE, so the response is a 405 whose header Allow lists the
		// allowed methods.
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodTrace, public+strings.Replace(path, "{id}", "con_x", 1), nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("TRACE %s: got %d, want 405: docs/api.md describes a path that no handler serves", path, w.Code)
		}
		for _, method := range strings.Split(w.Header().Get("Allow"), ", ") {
			served = append(served, method+" "+path)
		}
	}
	slices.Sort(served)
	if diff := cmp.Diff(backendRoutes(t), slices.Compact(served)); diff != "" {
		t.Errorf("each backend route needs a section in docs/api.md with the heading ### `METHOD /path` (-docs/api.md +code):\n%s", diff)
	}
}

// unusedBackend returns a Backend for requests that the handler refuses before it uses
// the Backend.
func unusedBackend() httpapi.Backend {
	return httpapi.Backend{
		Connections: new(connection.Connections), Tokens: new(token.Tokens), Memberships: new(membership.Memberships),
		Links: new(link.Links), ConnectCodes: new(link.Redeemer), SessionCodes: new(session.Redeemer),
	}
}

// In a route of template.yaml, {proxy+} matches one or more segments.
func matchesRoute(route, path string) bool {
	pattern := strings.Replace(strings.TrimPrefix(route, "ANY "), "{proxy+}", "*", 1)
	return matches(pattern, path) && !strings.HasSuffix(path, "/")
}

// servedBy returns the names of the function and of the authorizer that serve path,
// separated by a space.
func servedBy(t *testing.T, path string) string {
	t.Helper()
	for name, f := range template.Load(t).Functions {
		for _, route := range f.Routes {
			if matchesRoute(route, path) {
				return name + " " + strings.Join(slices.Compact(slices.Sorted(slices.Values(f.SignedBy))), "+")
			}
		}
	}
	return ""
}

// TestPolicyPaths checks that every path in the policies is a backend route. Other routes
// have no IAM authorizer, so a permission for them would have no effect.
func TestPolicyPaths(t *testing.T) {
	for _, name := range []string{"read-tokens", "connect", "import", "off-board"} {
		for _, s := range policy(t, name) {
			for _, arn := range s.Resource {
				request, ok := strings.CutPrefix(arn, "arn:aws:execute-api:REGION:ACCOUNT:API/$default/")
				method, path, named := strings.Cut(request, "/")
				if !ok || !named || strings.Contains(method, "*") {
					t.Errorf("%s: the ARN %s has no method and path", name, arn)
				}
				if !slices.ContainsFunc(backendRoutes(t), func(route string) bool {
					return matches(method+" /"+path, strings.Replace(route, "{id}", "con_x", 1))
				}) {
					t.Errorf("%s allows %s, which is not a backend route", name, request)
				}
			}
		}
	}
}
