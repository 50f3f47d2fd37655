package asana_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

func expectGet(t *testing.T, want, body string) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		got, _ := url.QueryUnescape(r.URL.String())
		if r.Method != "GET" || got != "https://app.asana.com/api/1.0"+want || r.Header.Get("Authorization") != "Bearer "+accessToken.Reveal() {
			t.Errorf("got request %s %s, want GET %s with the access token", r.Method, got, want)
		}
		return reply(200, body), nil
	})
}

func TestMe(t *testing.T) {
	t.Parallel()
	const path = "/users/me?opt_fields=name,email,photo"
	for body, want := range map[string]asana.User{
		`{"data":{"gid":"12","name":"Ada","email":"ada@example.com","photo":{"image_21x21":"https://p/21","image_128x128":"https://p/128"}}}`: {
			GID: "12", Name: secret.New("Ada"), Email: secret.New("ada@example.com"), Picture: secret.New("https://p/128")},
		`{"data":{"gid":"12","name":null,"email":null,"photo":null}}`:                               {GID: "12"},
		`{"data":{"gid":"12","name":["x"],"email":{},"photo":"https://p"}}`:                         {GID: "12"},
		`{"data":{"gid":"12","photo":{"image_60x60":"javascript:alert(1)"}}}`:                       {GID: "12"},
		`{"data":{"gid":"12","photo":{"image_60x60":"http://p/"}}}`:                                 {GID: "12"},
		`{"data":{"gid":"12","photo":{"image_60x60":"http://127.0.0.1:8485/p.png"}}}`:               {GID: "12", Picture: secret.New("http://127.0.0.1:8485/p.png")},
		`{"data":{"gid":"12","photo":{"image_60x60":"https://` + strings.Repeat("x", 3000) + `"}}}`: {GID: "12"},
	} {
		got, err := toAsana(t, expectGet(t, path, body)).Me(t.Context(), accessToken)
		if err != nil {
			t.Errorf("Me() with body %s = %v, want no error", body, err)
		}
		if diff := cmp.Diff(want, got, equalSecrets); diff != "" {
			t.Errorf("Me() with body %s (-want +got):\n%s", body, diff)
		}
	}
	for _, body := range []string{`{}`, `null`, `{"data":null}`, `{"data":[]}`, `{"data":{}}`, `{"data":{"gid":12}}`, `{"data":{"gid":"me"}}`, `{"data":{"gid":""}}`, `{"gid":"12"}`} {
		if got, err := toAsana(t, respondWith(200, body)).Me(t.Context(), accessToken); err == nil {
			t.Errorf("Me() with body %s = %v, want an error", body, got)
		}
	}
}

// People choose their own names and e-mail addresses. A control character in them could
// change what an operator's terminal or log shows.
func TestControlCharactersInNamesAreReplaced(t *testing.T) {
	t.Parallel()
	const sent, want = `A\u0000d\u001b[31ma\r\n\t\u007f\u0085\u009f é\u200d😀`, "A\uFFFDd\uFFFD[31ma\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD é\u200d😀"
	const user = `"gid":"4673218951","name":"` + sent + `","email":"` + sent + `"`
	check := func(from, got string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", from, got, want)
		}
	}
	me, err1 := toAsana(t, respondWith(200, `{"data":{`+user+`}}`)).Me(t.Context(), accessToken)
	info, err2 := toAsana(t, respondWith(200, `{"sub":"4673218951",`+user+`}`)).UserInfo(t.Context(), accessToken)
	tokens, err3 := toAsana(t, respondWith(200, `{"access_token":"a","refresh_token":"r","token_type":"bearer","data":{`+user+`}}`)).
		Exchange(t.Context(), clientSecret, secret.New("code"), secret.New("verifier"), "https://app.example/callback")
	workspaces, err4 := toAsana(t, respondWith(200, `{"data":[{"gid":"7","name":"`+sent+`"}]}`)).Workspaces(t.Context(), accessToken)
	memberships, err5 := toAsana(t, respondWith(200, `{"data":[{"gid":"11","user":{`+user+`},"workspace":{"gid":"7","name":"`+sent+`"}}]}`)).
		Memberships(t.Context(), accessToken, "me")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	for from, u := range map[string]asana.User{"users/me": me, "UserInfo": info.User, "token response": tokens.User} {
		check("the name in "+from, u.Name.Reveal())
		check("the e-mail address in "+from, u.Email.Reveal())
	}
	check("a workspace's name", workspaces[0].Name)
	check("the workspace's name in a membership", memberships[0].Workspace.Name)
	check("the user's name in a membership", memberships[0].User.Name.Reveal())
}

func TestUserInfo(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]asana.UserInfo{
		`{"sub":"12","name":"Ada","email":"a@b","picture":"https://p/"}`: {Subject: "12", User: asana.User{
			GID: "12", Name: secret.New("Ada"), Email: secret.New("a@b"), Picture: secret.New("https://p/")}},
		`{"sub":"opaque-7","gid":"13"}`: {Subject: "opaque-7"},
	} {
		got, err := toAsana(t, expectGet(t, "/openid_connect/userinfo", body)).UserInfo(t.Context(), accessToken)
		if err != nil {
			t.Errorf("UserInfo() with body %s = %v, want no error", body, err)
		}
		if diff := cmp.Diff(want, got, equalSecrets); diff != "" {
			t.Errorf("UserInfo() with body %s (-want +got):\n%s", body, diff)
		}
	}
	for _, body := range []string{`{}`, `null`, `[]`, `{"sub":""}`, `{"sub":null}`, `{"sub":12}`, `{"Sub":"12"}`, `{"sub":"1\u0000"}`, `{"sub":"` + strings.Repeat("1", 256) + `"}`, `{"data":{"sub":"1"}}`} {
		if got, err := toAsana(t, respondWith(200, body)).UserInfo(t.Context(), accessToken); err == nil {
			t.Errorf("UserInfo() with body %s = %v, want an error", body, got)
		}
	}
}

// pagedList is a transport that serves the pages of a list. The map pages contains the
// response body for each value of the query parameter "offset".
type pagedList struct {
	t        *testing.T
	path     string
	pages    map[string]string
	requests int
}

func (l *pagedList) RoundTrip(r *http.Request) (*http.Response, error) {
	l.requests++
	q := r.URL.Query()
	if r.URL.Path != l.path || q.Get("limit") != "100" || q.Get("opt_fields") == "" || r.URL.Host != "app.asana.com" {
		l.t.Errorf("got request to %s, want path %s with limit and opt_fields", r.URL, l.path)
	}
	return reply(200, l.pages[q.Get("offset")]), nil
}

func TestWorkspaces(t *testing.T) {
	t.Parallel()
	list := &pagedList{t: t, path: "/api/1.0/workspaces", pages: map[string]string{
		"":     `{"data":[{"gid":"1","resource_type":"workspace","name":"One"}],"next_page":{"offset":"a&b=","path":"/x","uri":"https://evil.example/"}}`,
		"a&b=": `{"data":[],"next_page":{"offset":"c"}}`,
		"c":    `{"data":[{"gid":"2","name":null}],"next_page":null}`,
	}}
	got, err := toAsana(t, list).Workspaces(t.Context(), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]asana.Workspace{{"1", "One"}, {"2", ""}}, got); diff != "" || list.requests != 3 {
		t.Errorf("Workspaces() after %d requests, want 3 (-want +got):\n%s", list.requests, diff)
	}
	if got, err := toAsana(t, respondWith(200, `{"data":[]}`)).Workspaces(t.Context(), accessToken); err != nil || got == nil || len(got) != 0 {
		t.Errorf("Workspaces() with an empty list = %v, %v, want an empty slice", got, err)
	}
	for _, body := range []string{
		`{}`, `null`, `{"data":null}`, `{"data":{}}`, `{"data":[{"gid":"x"}]}`, `{"data":[{"gid":1}]}`, `{"data":[{}]}`, `{"data":[null]}`,
		`{"data":[],"next_page":"x"}`, `{"data":[],"next_page":{"offset":7}}`,
	} {
		if got, err := toAsana(t, respondWith(200, body)).Workspaces(t.Context(), accessToken); err == nil {
			t.Errorf("Workspaces() with body %s = %v, want an error", body, got)
		}
	}
}

func TestEndlessLists(t *testing.T) {
	t.Parallel()
	requests := 0
	endless := map[string]func() string{
		"same offset again":   func() string { return `{"data":[],"next_page":{"offset":"a"}}` },
		"always a new offset": func() string { return fmt.Sprintf(`{"data":[],"next_page":{"offset":"%d"}}`, requests) },
		"large offsets": func() string {
			return fmt.Sprintf(`{"data":[],"next_page":{"offset":"%5000d"}}`, requests)
		},
		"large pages": func() string {
			return fmt.Sprintf(`{"data":[%s{"gid":"1"}],"next_page":{"offset":"%d"}}`, strings.Repeat(`{"gid":"1"},`, 3000), requests)
		},
	}
	for name, limit := range map[string]int{"same offset again": 2, "always a new offset": 50, "large offsets": 1, "large pages": 2} {
		requests = 0
		_, err := toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) {
			requests++
			return reply(200, endless[name]()), nil
		})).Workspaces(t.Context(), accessToken)
		if err == nil || requests > limit {
			t.Errorf("%s: got %v after %d requests, want an error after at most %d", name, err, requests, limit)
		}
	}
}

func TestMemberships(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	const body = `{"data":[{"gid":"11","user":{"gid":"4673218951","name":"Ada"},"workspace":{"gid":"7","name":"Seven"},
		"is_active":true,"is_admin":false,"is_guest":false,"is_view_only":true,"created_at":"2026-05-15T13:12:35.328Z"},
		{"gid":"none","user":{"gid":"4673218951"},"workspace":{"gid":"8"},"is_view_only":null}],"next_page":null}`
	c := toAsana(t, expectGet(t, "/users/4673218951/workspace_memberships?limit=100&opt_fields=user,user.name,workspace,workspace.name,is_active,is_admin,is_guest,is_view_only", body))
	got, err := c.Memberships(t.Context(), accessToken, userGID)
	if err != nil {
		t.Fatal(err)
	}
	want := []asana.Membership{
		{GID: "11", Workspace: asana.Workspace{GID: "7", Name: "Seven"}, User: asana.Member{GID: userGID, Name: secret.New("Ada")}, Active: &yes, Admin: &no, Guest: &no, ViewOnly: &yes},
		{Workspace: asana.Workspace{GID: "8"}, User: asana.Member{GID: userGID}},
	}
	if diff := cmp.Diff(want, got, equalSecrets); diff != "" {
		t.Errorf("Memberships() (-want +got):\n%s", diff)
	}
	const other = `{"data":[{"gid":"11","user":{"gid":"5"},"workspace":{"gid":"7"}}]}`
	if got, err := toAsana(t, respondWith(200, other)).Memberships(t.Context(), accessToken, "me"); err != nil || len(got) != 1 {
		t.Errorf(`Memberships() of "me" = %v, %v, want one membership`, got, err)
	}
	for _, gid := range []string{"", "ada@example.com", "1/2", "1?x", "..", "Me"} {
		if _, err := c.Memberships(t.Context(), accessToken, gid); err == nil {
			t.Errorf("Memberships() of user %q succeeded, want an error", gid)
		}
	}
}
