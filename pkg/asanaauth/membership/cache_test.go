package membership_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestMembershipsAreCachedForFiveMinutes(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		asked := func(want int) {
			t.Helper()
			authtest.WantCount(t, "workspaces asked", inst.Asana.CountRequests(authtest.WorkspacesPath), want)
			authtest.WantCount(t, "memberships asked", inst.Asana.CountRequests(authtest.MembershipsPath(asanatest.Member)), want)
		}
		mustMembers(p, cookie)
		at := time.Now()
		time.Sleep(5*time.Minute - time.Nanosecond)
		if list := mustMembers(p, cookie); !list[0].CheckedAt.Equal(at) {
			t.Errorf("checked at %v, want %v", list[0].CheckedAt, at)
		}
		asked(1)
		if err := inst.Asana.UpdatePerson(asanatest.Member, func(p *asanatest.Person) { p.Memberships[0].ViewOnly = true }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		if list := mustMembers(p, cookie); !list[0].ViewOnly.Value || !list[0].CheckedAt.Equal(time.Now()) {
			t.Errorf("got %+v, want a new response with view only", list)
		}
		asked(2)
		mustMembers(inst.Process(), cookie) // another process has its own cache
		asked(3)
	})
}

// List does not use a response that was cached for a different person, or before a new
// consent of the same person.
func TestMembershipsAreCachedByConsent(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		asked := func(what string, want int) {
			t.Helper()
			authtest.WantCount(t, what, inst.Asana.CountRequests(authtest.WorkspacesPath), want)
		}
		first := p.SignIn(asanatest.Member)
		mustMembers(p, first)
		if list := mustMembers(p, p.SignIn(asanatest.Guest)); list[0].UserGID != asanatest.Guest {
			t.Errorf("another person's: %v", list)
		}
		asked("another person", 2)
		second := p.SignIn(asanatest.Member)
		mustMembers(p, second)
		asked("another generation", 3)
		mustMembers(p, first)
		asked("the same one", 3)
		generation := inst.Rows.Hot(second.Reveal()).Generation
		if _, err := p.Disconnect(second); err != nil {
			t.Fatal(err)
		}
		inst.Rows.Delete(store.HotKey(authtest.ConnectionOf(second)))
		for range generation {
			second = p.SignIn(asanatest.Member)
		}
		mustMembers(p, second)
		asked("another epoch, the same generation", 4)
	})
}

// List does not use a cached response to a request with a reader's token after the person
// has connected again, or after a new token was imported for the reader.
func TestAReadersResponsesAreCachedByConsent(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		first := p.SignIn(asanatest.Member)
		id := importReader(p, "it", asanatest.Acme)
		asked := func(what string, want int) {
			t.Helper()
			mustMembers(p, first)
			authtest.WantCount(t, what, inst.Asana.CountRequests(authtest.MembershipsPath(asanatest.Member)), want)
		}
		asked("own and reader's", 2)
		asked("kept", 2)
		p.ImportToken("it", asanatest.ServiceAccount)
		asked("another generation of the reader", 3)
		inst.Rows.Edit(id, func(hot *store.Hot) { hot.RefusedGrant = -1 })
		asked("a write that changes no consent", 3)
		second := importReader(p, "other", asanatest.Acme)
		asked("another reader", 4)
		first = p.SignIn(asanatest.Member)
		asked("another generation of the asking connection", 6)
		setReader(p, second)
		setReader(p, second, asanatest.Acme)
		asked("dismissed and named again with the same consent", 6)
	})
}

// Two connections never share a response, even if their epochs are the same.
func TestMembershipsAreCachedByConnection(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		for i, owner := range []string{"one", "another"} {
			d, _ := p.ImportToken(owner, asanatest.Bot)
			inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Epoch, hot.Generation = "same", 1 })
			if _, err := p.Memberships.List(t.Context(), p.Open(d.ID), ""); err != nil {
				t.Fatal(err)
			}
			authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), i+1)
		}
	})
}

// Each caller gets a copy of a cached response, so a caller cannot change the cache.
func TestMembershipsAreCopies(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.ViewOnly)
		for range 3 { // only the first call sends a request
			list := mustMembers(p, cookie)
			if !list[0].ViewOnly.Value {
				t.Fatal("another caller's change is returned")
			}
			list[0].ViewOnly = membership.Flag{Known: true}
		}
	})
}

type movedClock struct {
	asanaauth.Clock
	by time.Duration
}

func (c *movedClock) Now() time.Time { return c.Clock.Now().Add(c.by) }

func (c *movedClock) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	return c.Clock.WithDeadline(ctx, at.Add(-c.by))
}

// If the clock is set back after a response was cached, the time of the response is in
// the future. List does not use the response, because otherwise it could stay in use for
// more than five minutes.
func TestMembershipsFromTheFuture(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		clock := &movedClock{Clock: asanaauth.SystemClock{}}
		p := inst.Process(func(s *authtest.Settings) { s.Clock = clock })
		cookie := p.SignIn(asanatest.Member)
		clock.by = 2 * time.Second
		mustMembers(p, cookie)
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 1)
		clock.by = 0
		mustMembers(p, cookie)
		authtest.WantCount(t, "requests afterwards", inst.Asana.CountRequests(authtest.WorkspacesPath), 2)
	})
}

// The cache contains at most a thousand responses.
func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		conn := p.Open(p.Connect("o", asanatest.Member).ID)
		inst.Asana.Inject(asanatest.Fault{Path: "/api/1.0/users/*", Body: `{"data":[]}`, Times: -1})
		asked := func(i int) int {
			t.Helper()
			before := inst.Asana.CountRequests(authtest.WorkspacesPath)
			if _, err := p.Memberships.List(t.Context(), conn, fmt.Sprint(1_300_000_000_000_000+i)); err != nil {
				t.Fatal(err)
			}
			return inst.Asana.CountRequests(authtest.WorkspacesPath) - before
		}
		for i := range 1000 {
			asked(i)
		}
		authtest.WantCount(t, "requests for a kept one", asked(0), 0)
		asked(1000)
		authtest.WantCount(t, "requests for one that was dropped", asked(0), 1)
	})
}

// A Retry-After of more than five minutes counts as five minutes, so that a wrong value
// cannot block a connection for long.
func TestARateLimitEnds(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.WorkspacesPath, Status: 429, Header: http.Header{"Retry-After": {"3600"}}})
		_, err := p.Members(cookie)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		time.Sleep(5*time.Minute - time.Second)
		_, err = p.Members(cookie)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 1)
		time.Sleep(time.Second)
		mustMembers(p, cookie)
	})
}
