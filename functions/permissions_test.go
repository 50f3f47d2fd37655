package functions_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest/awsproxy"
	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// needsAnHour lists permissions that a function uses only if a session is at least an
// hour old. TestPermissions does not wait that long, so the functions do not use these
// permissions in TestPermissions.
var needsAnHour = map[string]string{
	"session dynamodb:PutItem s#*":    "a session is extended after an hour",
	"refresh dynamodb:PutItem s#*":    "a session is extended after an hour",
	"membership dynamodb:PutItem s#*": "a session is extended after an hour",
	"disconnect dynamodb:PutItem s#*": "a session is extended after an hour",
}

// TestPermissions runs the functions, and checks that template.yaml allows each of their
// AWS calls. The test fails if no call uses a permission in template.yaml, unless
// needsAnHour lists the permission.
func TestPermissions(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	f := d.startAll(t)
	b, signIn := newBrowser(), func(b *browser) { b.signIn(t, d, f["authorize"], f["callback"]) }
	signIn(b)
	// The new process reads the keyring that the first "callback" process created.
	f["callback"] = d.start(t, "callback")
	back := b.startSignIn(t, d, f["authorize"]).RequestURI()
	for range 2 { // the second request reads the session
		b.finishSignIn(t, f["callback"], b.request(t, http.MethodGet, back, "", false))
	}
	other := newBrowser()
	signIn(other)
	b.mustSend(t, f["session"], http.MethodGet, "/session", "", http.StatusOK)
	other.mustSend(t, f["session"], http.MethodDelete, "/session", "", http.StatusNoContent)
	other.mustSend(t, f["session"], http.MethodGet, "/session", "", http.StatusNoContent)
	signIn(other)
	other.mustSend(t, f["session"], http.MethodDelete, "/session", `{"everywhere":true}`, http.StatusNoContent)
	b.mustSend(t, f["session"], http.MethodGet, "/session", "", http.StatusNoContent)
	signIn(b)

	b.mustSend(t, f["refresh"], http.MethodPost, "/refresh", "", http.StatusOK)
	b.mustSend(t, f["membership"], http.MethodGet, "/membership", "", http.StatusOK)
	deleteDuringRefresh(t, d, b, f["refresh"], http.MethodPost, "/refresh")
	signIn(b)
	deleteDuringRefresh(t, d, b, f["membership"], http.MethodGet, "/membership")
	signIn(b)
	b.mustSend(t, f["disconnect"], http.MethodPost, "/disconnect", "", http.StatusOK)

	s := saas{connections: f["connections"], arn: saasARN}
	link := s.mustSend(t, http.MethodPost, "/links", `{"owner":"o"}`, http.StatusCreated).text("url")
	newBrowser().followLink(t, d, f, link, asanatest.Guest)
	signIn(b)
	b.mustSend(t, f["session"], http.MethodPost, "/session/code", "", http.StatusCreated)
	// After a 403, the function "membership" looks for a reader.
	d.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/" + asanatest.Member + "/workspace_memberships", Status: http.StatusForbidden})
	b.mustSend(t, f["membership"], http.MethodGet, "/membership", "", http.StatusOK)

	for name, function := range d.template.Functions {
		if name == "connections" {
			continue // TestBackend checks this function
		}
		for _, unused := range unusedOf(name, function, d.proxies[name]) {
			if needsAnHour[unused] == "" {
				t.Errorf("template.yaml has a permission that no call in TestPermissions used: %s", unused)
			}
		}
	}
}

// deleteDuringRefresh sends a request that makes the function f refresh a connection's
// tokens, and deletes the connection before Asana responds. It checks that the function
// revokes the new tokens, because the function cannot store them.
func deleteDuringRefresh(t *testing.T, d *deployment, b *browser, f *lambdatest.Function, method, path string) {
	t.Helper()
	d.expire(t)
	key := d.hot(t).Key()
	d.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", GrantType: "refresh_token", Before: func(*http.Request) {
		rows, err := d.store.Read(t.Context(), key)
		if hot, ok := rows[key].(*store.Hot); ok && err == nil {
			err = d.store.Write(t.Context(), store.Delete(key, hot.Rev))
		}
		if err != nil {
			t.Error(err)
		}
	}})
	before := d.asana.CountRequests("/-/oauth_revoke")
	b.mustSend(t, f, method, path, "", http.StatusConflict)
	if got := d.asana.CountRequests("/-/oauth_revoke") - before; got != 1 {
		t.Errorf("%s: got %d revocations, want 1", path, got)
	}
}

// unusedOf returns the permissions that no recorded call needed. It ignores the
// permissions for logs, because Lambda itself writes the logs.
func unusedOf(name string, f template.Function, g proxies) []string {
	used := map[string]bool{}
	for _, one := range g.all() {
		for _, c := range one.Calls() {
			markUsed(used, f, c)
		}
	}
	var out []string
	for _, s := range f.Allows {
		for _, action := range s.Actions {
			for _, key := range keysOf(s) {
				what := strings.TrimSpace(action + " " + key)
				if !used[what] && !strings.HasPrefix(action, "logs:") {
					out = append(out, name+" "+what)
				}
			}
		}
	}
	return slices.Sorted(slices.Values(out))
}

func markUsed(used map[string]bool, f template.Function, c awsproxy.Call) {
	if c.Status != http.StatusOK {
		return
	}
	for _, part := range c.Parts {
		i, _ := f.May(part)
		for _, pattern := range keysOf(f.Allows[i]) {
			if pattern == "" || slices.ContainsFunc(part.LeadingKeys, func(key string) bool { return template.Like(pattern, key) }) {
				used[strings.TrimSpace(part.Action+" "+pattern)] = true
			}
		}
	}
}

// TestExceptionsExist checks that needsAnHour lists only permissions that the functions
// have.
func TestExceptionsExist(t *testing.T) {
	t.Parallel()
	all := map[string]bool{}
	for name, list := range permissions() {
		for _, what := range list {
			all[name+" "+what] = true
		}
	}
	for what := range maps.Keys(needsAnHour) {
		if !all[what] {
			t.Errorf("needsAnHour has %s, which is not a permission of the function", what)
		}
	}
}
