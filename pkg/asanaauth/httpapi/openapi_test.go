package httpapi_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// TestDocumentedProblems checks that docs/openapi.yaml and the code have the same problem
// types.
func TestDocumentedProblems(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	want := node{}
	var types []any
	for _, p := range httpapi.ProblemTypes() {
		statuses := []any{p.Status}
		if p.Kind == "asana-unavailable" {
			statuses = append(statuses, 504) // a time-out
		}
		want[string(p.Kind)] = node{"title": p.Title, "statuses": statuses}
		types = append(types, "urn:asanaauth:problem:"+string(p.Kind))
	}
	if diff := cmp.Diff(want, d.root["x-problems"]); diff != "" {
		t.Errorf("x-problems (-code +document):\n%s", diff)
	}
	components := d.root["components"].(node)
	got := components["schemas"].(node)["ProblemType"].(node)["enum"].([]any)
	bySort := func(list []any) []any {
		return slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	if diff := cmp.Diff(bySort(types), bySort(got)); diff != "" {
		t.Errorf("ProblemType (-code +document):\n%s", diff)
	}
	for name, response := range components["responses"].(node) {
		content, _ := response.(node)["content"].(node)
		media, ok := content["application/problem+json"].(node)
		if !ok {
			continue
		}
		for kind, example := range media["examples"].(node) {
			value := example.(node)["value"].(node)
			row, ok := want[kind].(node)
			if !ok || value["type"] != "urn:asanaauth:problem:"+kind || value["title"] != row["title"] || !slices.Contains(row["statuses"].([]any), value["status"]) {
				t.Errorf("%s: the example %s does not match the code", name, kind)
			}
		}
	}
}

// TestDocumentedResponsesHaveTheirStatus checks that each example problem has the same
// status as the response that contains it.
func TestDocumentedResponsesHaveTheirStatus(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	for operation, op := range d.operations() {
		for status, response := range op["responses"].(node) {
			name, to := d.resolve(response)
			content, _ := to["content"].(node)
			media, ok := content["application/problem+json"].(node)
			if !ok {
				continue
			}
			for kind, example := range media["examples"].(node) {
				if got := fmt.Sprint(example.(node)["value"].(node)["status"]); got != status {
					t.Errorf("%s: response %s: example %s has status %s, want %s", operation, name, kind, got, status)
				}
			}
		}
	}
}

// TestDocumentedRoutes checks that docs/openapi.yaml and the code have the same routes.
func TestDocumentedRoutes(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	s := newSite(t)
	documented := map[string][]string{}
	for operation := range d.operations() {
		method, path, _ := strings.Cut(operation, " ")
		documented[path] = append(documented[path], method)
	}
	for path, methods := range documented {
		target := strings.ReplaceAll(path, "{id}", "con_x")
		a := s.do(call("BREW", target, "", "Origin", appOrigin))
		if a.status != 405 {
			t.Errorf("BREW %s: got status %d, want 405: no handler in site.serve (httpapi/kit_test.go) serves this path of docs/openapi.yaml", path, a.status)
			continue
		}
		allowed := strings.Split(a.header.Get("Allow"), ", ")
		slices.Sort(allowed)
		slices.Sort(methods)
		if !slices.Equal(allowed, methods) {
			t.Errorf("%s: the code has the methods %q, and docs/openapi.yaml has %q: change one of them", path, allowed, methods)
		}
	}
	for _, routes := range []map[string][]string{httpapi.BackendRoutes(), frontendRoutes()} {
		for path := range routes {
			if documented[path] == nil {
				t.Errorf("the code serves %s, which is not in docs/openapi.yaml: add the path there", path)
			}
		}
	}
}

// TestDocumentedSecurity checks the security schemes in docs/openapi.yaml. The frontend's
// routes need a session, except those on /session, which also work without one. The
// backend's routes need an IAM signature or the key of "asanaauth local", and all other
// routes need neither.
func TestDocumentedSecurity(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	frontend := []any{node{"sessionCookie": []any{}}}
	backend := []any{node{"iam": []any{}}, node{"local": []any{}}}
	for operation, op := range d.operations() {
		_, path, _ := strings.Cut(operation, " ")
		var want any = []any{}
		why := "is neither in frontendRoutes (httpapi/frontend_test.go) nor in backendRoutes (httpapi/backend.go)"
		switch {
		case path == "/session":
			want, why = append(slices.Clone(frontend), node{}), "works without a session"
		case frontendRoutes()[path] != nil:
			want, why = frontend, "is in frontendRoutes (httpapi/frontend_test.go)"
		case httpapi.BackendRoutes()[path] != nil:
			want, why = backend, "is in backendRoutes (httpapi/backend.go)"
		}
		if !reflect.DeepEqual(op["security"], want) {
			t.Errorf("%s: docs/openapi.yaml has the security %v, want %v, because the path %s", operation, op["security"], want, why)
		}
	}
}
