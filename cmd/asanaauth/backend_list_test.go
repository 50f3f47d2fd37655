package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestListings checks that a request for one owner neither returns nor changes the
// connections of a different owner.
func TestListings(t *testing.T) {
	t.Parallel()
	withEachHeader(t, func(t *testing.T, s *backend) {
		bot, account, mine := s.importToken("acme", asanatest.Bot), s.importToken("acme", asanatest.ServiceAccount), s.connect("acme", member)
		theirs := s.connect("globex", member)
		if list := s.list("owner=acme"); len(list) != 3 {
			t.Errorf("acme: got connections %+v, want 3", list)
		}
		if list := s.list("asana_user=" + member); len(list) != 2 {
			t.Errorf("member: got connections %+v, want 2", list)
		}
		seen := s.pages("acme")
		for _, c := range []connection{bot, account, mine} {
			if !seen[c.ID] {
				t.Errorf("the pages do not contain the %s", c.Kind)
			}
		}
		var shown connection
		s.get(http.StatusOK, &shown, "GET", "/connections/"+mine.ID, "")
		if shown.ID != mine.ID || *shown.Owner != "acme" || shown.user() != member || *shown.AttributedTo.Email != "mia@acme.example" {
			t.Errorf("got connection %+v", shown)
		}
		s.get(http.StatusOK, &shown, "GET", "/connections/"+mine.ID+"?owner=acme", "")
		for _, path := range []string{"/connections/" + theirs.ID + "?owner=acme", "/connections/con_unknown", "/connections/" + mine.ID + "/other", "/connections/"} {
			s.wantProblem(404, "not-found", "GET", path, "")
		}
		s.disconnectBoth(mine, theirs)
		s.offBoard(bot)
	})
}

// pages gets an owner's connections with limit=1, and returns their IDs.
func (s *backend) pages(owner string) map[string]bool {
	s.t.Helper()
	seen := map[string]bool{}
	for cursor, n := "", 0; ; n++ {
		var page struct {
			Data       []connection
			NextCursor *string `json:"next_cursor"`
		}
		s.get(http.StatusOK, &page, "GET", "/connections?owner="+owner+"&limit=1"+cursor, "")
		for _, c := range page.Data {
			seen[c.ID] = true
		}
		if len(page.Data) > 1 || n > 5 {
			s.t.Fatalf("page %d: got %d connections, want at most 1, on at most 5 pages", n, len(page.Data))
		}
		if page.NextCursor == nil {
			return seen
		}
		cursor = "&cursor=" + url.QueryEscape(*page.NextCursor)
		s.wantProblem(400, "invalid-request", "GET", "/connections?owner=globex"+cursor, "") // the cursor was returned for another owner
	}
}

// disconnectBoth disconnects two connections of the same Asana user. It checks that only
// the second disconnect sends a revocation to Asana, because a revocation would end both
// connections.
func (s *backend) disconnectBoth(mine, theirs connection) {
	s.t.Helper()
	path := "/connections/" + mine.ID
	s.wantProblem(404, "not-found", "DELETE", path+"?owner=globex", "")
	var ended struct {
		Status  string
		Revoked bool `json:"revoked_at_asana"`
	}
	for range 2 {
		s.get(http.StatusOK, &ended, "DELETE", path+"?owner=acme", "")
		if ended.Status != "disconnected" || ended.Revoked {
			s.t.Errorf("first disconnect: got %+v, want it not revoked at Asana, because the other connection is active", ended)
		}
	}
	var tombstone connection
	s.get(http.StatusOK, &tombstone, "GET", path+"?owner=acme", "")
	if tombstone.Status != "disconnected" || tombstone.Kind != "oauth" || *tombstone.Owner != "acme" || tombstone.UpdatedAt == nil || tombstone.AttributedTo != nil || tombstone.CreatedAt != nil {
		s.t.Errorf("got tombstone %+v, want only kind, status, owner and updated_at", tombstone)
	}
	s.get(http.StatusOK, &tombstone, "GET", path, "")
	if tombstone.Owner != nil {
		s.t.Errorf("tombstone: got owner %q, want none", *tombstone.Owner)
	}
	s.wantProblem(409, "reconnect-required", "POST", path+"/token", "")
	if list := s.list("owner=acme"); len(list) != 3 {
		s.t.Errorf("acme: got %d connections, want 3 with the tombstone", len(list))
	}
	s.get(http.StatusOK, &ended, "DELETE", "/connections/"+theirs.ID, "")
	if !ended.Revoked {
		s.t.Error("the second disconnect did not revoke access at Asana")
	}
}

func (s *backend) offBoard(bot connection) {
	s.t.Helper()
	s.wantProblem(400, "invalid-request", "DELETE", "/connections", "")
	var ended struct{ Disconnected, Revoking, Left int }
	s.get(http.StatusAccepted, &ended, "DELETE", "/connections?owner=acme", "")
	if ended.Disconnected != 2 || ended.Revoking != 0 || ended.Left != 0 {
		s.t.Errorf("off-boarding: got %+v, want 2 disconnected", ended)
	}
	s.get(http.StatusAccepted, &ended, "DELETE", "/connections?owner=acme", "")
	if ended.Disconnected != 0 {
		s.t.Errorf("second off-boarding: got %+v, want 0 disconnected", ended)
	}
	s.wantProblem(409, "reconnect-required", "POST", "/connections/"+bot.ID+"/token", "")
	for _, owner := range []string{"x", "y"} {
		s.importToken(owner, asanatest.Guest)
	}
	s.get(http.StatusAccepted, &ended, "DELETE", "/connections?asana_user="+asanatest.Guest, "")
	if ended.Disconnected != 2 {
		s.t.Errorf("off-boarding of an Asana user: got %+v, want 2 disconnected", ended)
	}
}

// TestOffBoardingWhileAsanaIsDown checks that repeating the off-boarding request
// completes the revocation when Asana is available again.
func TestOffBoardingWhileAsanaIsDown(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	c := s.connect("acme", member)
	s.setSwitches(p, `{"down":true}`)
	var ended struct{ Disconnected, Revoking, Left int }
	s.get(http.StatusAccepted, &ended, "DELETE", "/connections?owner=acme", "")
	if ended.Revoking != 1 || ended.Disconnected+ended.Left != 0 {
		t.Errorf("while Asana is down: got %+v, want 1 revoking", ended)
	}
	s.wantProblem(409, "reconnect-required", "POST", "/connections/"+c.ID+"/token", "")
	s.setSwitches(p, `{"down":false}`)
	waitUntil(t, "the connection is disconnected", func() bool {
		s.get(http.StatusAccepted, &ended, "DELETE", "/connections?owner=acme", "")
		return ended.Revoking+ended.Left == 0
	})
	var tombstone connection
	s.get(http.StatusOK, &tombstone, "GET", "/connections/"+c.ID, "")
	if tombstone.Status != "disconnected" {
		t.Errorf("got status %s, want disconnected", tombstone.Status)
	}
}

func TestBadListings(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	for _, query := range []string{
		"", "?owner=", "?owner=a&owner=b", "?owner=a&asana_user=1", "?asana_user=me", "?owner=a&limit=0", "?owner=a&limit=101", "?owner=a&limit=x",
		"?owner=a&cursor=x", "?owner=a%00b", "?owner=%ff", fmt.Sprintf("?owner=%0300d", 0),
	} {
		s.wantProblem(400, "invalid-request", "GET", "/connections"+query, "")
	}
	if a := s.wantProblem(405, "method-not-allowed", "PUT", "/connections", "{}"); a.header.Get("Allow") == "" {
		t.Error("Allow is missing")
	}
}
