package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// FuzzConnect checks that POST /connections rejects every fuzzed body with a JSON
// response and status 400, 413 or 422. A rejected body must not cause a write.
func FuzzConnect(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"connect_code":"c","owner":"a"}`, `{"connect_code":"c","owner":"a","person":"p"}`, `{"session_code":"s"}`, `{"token":"t","owner":"a","kind":"service_account"}`,
		`{"refresh_token":"t","owner":"a","replace":true}`, `{"token":"t","refresh_token":"t","owner":"a"}`, `{"owner":"\ud800","connect_code":"c"}`, `{"connect_code":null,"session_code":"s"}`,
		"{\"owner\":\"\u0085\",\"connect_code\":\"c\"}", `{"session_code":"s","session_code":"s"}`, `{"connect_code":"` + strings.Repeat("0", 64) + `.x","owner":"a"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newSite(t)
		a := s.do(call(http.MethodPost, "/connections", string(body), "Content-Type", "application/json"))
		if !slices.Contains([]int{400, 413, 422}, a.status) || !json.Valid([]byte(a.body)) {
			t.Errorf("%q: got %d %s", body, a.status, a.body)
		}
		for _, op := range s.table.Calls() {
			if op.Name == "write" && !strings.HasPrefix(op.Keys[0].PK, "k#") {
				t.Errorf("%q: got %d and a write of %v", body, a.status, op.Keys)
			}
		}
		if a.status == 422 {
			return
		}
		if n := len(s.asana.Requests()); n != 0 {
			t.Errorf("%q: got %d and %d requests to Asana, want 0", body, a.status, n)
		}
	})
}

// FuzzBackendQueries checks that GET and DELETE /connections accept a query only if it
// names either an owner or an Asana user, and not both.
func FuzzBackendQueries(f *testing.F) {
	for _, seed := range []string{"", "owner=a", "owner=a&limit=1", "owner=a&cursor=x", "owner=a&owner=b", "asana_user=1", "owner=%c2%85", "owner=%ff", "limit=1", "owner=a&limit=%2b1", "owner=;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, "#") || strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Skip("a request line cannot have these characters")
		}
		s := newSite(t)
		for _, c := range []struct {
			method string
			good   int
		}{{"GET", 200}, {"DELETE", 202}} {
			a := s.do(call(c.method, "/connections?"+query, ""))
			if a.status != c.good && a.status != 400 {
				t.Errorf("%s ?%s: got %d %s", c.method, query, a.status, a.body)
			}
			if p, err := httpapi.ParseParams(query, "owner", "asana_user"); a.status == c.good && (err != nil || (p["owner"] == "") == (p["asana_user"] == "") || len(p["owner"]) > 256) {
				t.Errorf("%s ?%s: accepted, want 400", c.method, query)
			}
		}
	})
}
