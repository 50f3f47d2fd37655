package asana_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// An entry that is not a membership of the user does not prevent the other entries from
// being read. A flag of the wrong type counts as not sent, and never as false.
func TestOddMemberships(t *testing.T) {
	t.Parallel()
	const good = `{"gid":"11","user":{"gid":"4673218951","name":"Ada"},"workspace":{"gid":"7","name":"Seven"},"is_active":true,"is_view_only":false}`
	yes, no := true, false
	want := asana.Membership{GID: "11", Workspace: asana.Workspace{GID: "7", Name: "Seven"},
		User: asana.Member{GID: userGID, Name: secret.New("Ada")}, Active: &yes, ViewOnly: &no}
	user, workspace := `"user":{"gid":"4673218951"}`, `"workspace":{"gid":"8"}`
	odd := asana.Membership{Workspace: asana.Workspace{GID: "8"}, User: asana.Member{GID: userGID}}
	for entry, readable := range map[string]bool{
		`null`: false, `7`: false, `"x"`: false, `[]`: false, `{}`: false, `{` + user + `}`: false, `{` + workspace + `}`: false,
		`{` + user + `,"workspace":null}`:                                      false,
		`{` + user + `,"workspace":"8"}`:                                       false,
		`{` + user + `,"workspace":{"gid":8}}`:                                 false,
		`{` + user + `,"workspace":{"gid":"x"}}`:                               false,
		`{` + workspace + `,"user":[]}`:                                        false,
		`{` + workspace + `,"user":{"gid":"5"},"is_view_only":false}`:          false, // another user's
		`{` + workspace + `,` + user + `,"is_view_only":"false"}`:              true,
		`{` + workspace + `,` + user + `,"is_view_only":0,"is_active":1}`:      true,
		`{` + workspace + `,` + user + `,"is_view_only":{},"is_admin":[]}`:     true,
		`{` + workspace + `,` + user + `,"is_guest":"no","gid":11,"extra":{}}`: true,
		`{` + user + `,"workspace":{"gid":"8","name":{"x":1}}}`:                true,
		`{` + workspace + `,"user":{"gid":"4673218951","name":7}}`:             true,
	} {
		got, err := toAsana(t, respondWith(200, `{"data":[`+entry+`,`+good+`]}`)).Memberships(t.Context(), accessToken, userGID)
		all := []asana.Membership{want}
		if readable {
			all = []asana.Membership{odd, want}
		}
		if diff := cmp.Diff(all, got, equalSecrets); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", entry, err, diff)
		}
		// A list with only this entry is not an error, either.
		if _, err := toAsana(t, respondWith(200, `{"data":[`+entry+`]}`)).Memberships(t.Context(), accessToken, userGID); err != nil {
			t.Errorf("%s alone: %v", entry, err)
		}
	}
}

func TestOddWorkspaces(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string][]asana.Workspace{
		`null`: nil, `7`: nil, `"x"`: nil, `{}`: nil, `{"gid":8}`: nil, `{"gid":"x"}`: nil, `{"GID":"8"}`: nil,
		`{"gid":"8","name":7}`:    {{GID: "8"}},
		`{"gid":"8","name":null}`: {{GID: "8"}},
	} {
		got, err := toAsana(t, respondWith(200, `{"data":[`+entry+`,{"gid":"7","name":"Seven"}]}`)).Workspaces(t.Context(), accessToken)
		if diff := cmp.Diff(append(want, asana.Workspace{GID: "7", Name: "Seven"}), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", entry, err, diff)
		}
		// An empty list would look like a user without workspaces.
		got, err = toAsana(t, respondWith(200, `{"data":[`+entry+`]}`)).Workspaces(t.Context(), accessToken)
		if (err != nil) != (want == nil) {
			t.Errorf("%s alone: got %v, %v", entry, got, err)
		}
	}
}

// The limits of a list do not depend on how Asana divides the list into pages.
func TestListsAreBoundedOnEveryPage(t *testing.T) {
	t.Parallel()
	workspaces := func(n int, name string) string {
		return `{"data":[` + strings.TrimSuffix(strings.Repeat(`{"gid":"7","name":"`+name+`"},`, n), ",") + `]}`
	}
	for name, c := range map[string]struct {
		body string
		want int // 0: an error
	}{
		"as many as allowed":   {workspaces(5000, "x"), 5000},
		"one more":             {workspaces(5001, "x"), 0},
		"85,001 on one page":   {`{"data":[` + strings.Repeat("null,", 85000) + `null]}`, 0},
		"as many long entries": {workspaces(1000, strings.Repeat("x", 1000)), 1000},
	} {
		got, err := toAsana(t, respondWith(200, c.body)).Workspaces(t.Context(), accessToken)
		if (err == nil) != (c.want > 0) || len(got) != c.want {
			t.Errorf("%s: got %d workspaces, %v; want %d", name, len(got), err, c.want)
		}
		if got, err := toAsana(t, respondWith(200, c.body)).Memberships(t.Context(), accessToken, userGID); (err == nil) != (c.want > 0) {
			t.Errorf("%s: got %d memberships, %v", name, len(got), err)
		}
	}
	for name, size := range map[string]int{"1 KiB": 1024, "more than 1 KiB": 1025} {
		long := strings.Repeat("x", size)
		body := `{"data":[{"gid":"11","user":{"gid":"4673218951","name":"` + long + `"},"workspace":{"gid":"7","name":"` + long + `"}}]}`
		got, err := toAsana(t, respondWith(200, body)).Memberships(t.Context(), accessToken, userGID)
		if err != nil || len(got) != 1 || (got[0].Workspace.Name == long) != (size == 1024) || got[0].User.Name.IsZero() == (size == 1024) {
			t.Errorf("names of %s: got %d memberships, %v", name, len(got), err)
		}
	}
	requests := 0
	_, err := toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) {
		requests++
		page := workspaces(90, strings.Repeat("x", 10<<10))
		return reply(200, strings.TrimSuffix(page, "}")+fmt.Sprintf(`,"next_page":{"offset":"%d"}}`, requests)), nil
	})).Workspaces(t.Context(), accessToken)
	if err == nil || requests != 5 {
		t.Errorf("pages of 0.9 MiB: got %v after %d requests, want an error after 5", err, requests)
	}
}
