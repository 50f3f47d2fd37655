package membership_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestFailuresOfMemberships(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault asanatest.Fault
		kind  asanaauth.ErrorKind
		after time.Duration
	}{
		"too many":          {asanatest.Fault{Status: 429, Header: http.Header{"Retry-After": {"30"}}}, asanaauth.TryAgain, 30 * time.Second},
		"too many, no wait": {asanatest.Fault{Status: 429}, asanaauth.TryAgain, time.Second},
		"a 500":             {asanatest.Fault{Status: 500}, asanaauth.AsanaUnavailable, 0},
		"a 404":             {asanatest.Fault{Status: 404}, asanaauth.AsanaUnavailable, 0},
		"nonsense":          {asanatest.Fault{Body: "nonsense"}, asanaauth.AsanaUnavailable, 0},
		"an empty object":   {asanatest.Fault{Body: "{}"}, asanaauth.AsanaUnavailable, 0},
		"a cut connection":  {asanatest.Fault{Cut: true}, asanaauth.AsanaUnavailable, 0},
		"no response":       {asanatest.Fault{Delay: time.Hour}, asanaauth.AsanaUnavailable, 0},
		"malformed gids":    {asanatest.Fault{Body: `{"data":[{"gid":"x"}]}`}, asanaauth.AsanaUnavailable, 0},
	} {
		for _, path := range []string{authtest.WorkspacesPath, authtest.MembershipsPath(asanatest.Member)} {
			t.Run(name+" "+path, func(t *testing.T) {
				authtest.Bubble(t, func(t *testing.T) {
					inst := authtest.New(t)
					p := inst.Process()
					cookie := p.SignIn(asanatest.Member)
					c.fault.Path = path
					inst.Asana.Inject(c.fault)
					began := time.Now()
					list, err := p.Members(cookie)
					authtest.WantKind(t, err, c.kind)
					var e *asanaauth.Error
					if errors.As(err, &e) && (e.RetryAfter != c.after || e.Timeout != (name == "no response")) {
						t.Errorf("RetryAfter %v, Timeout %v", e.RetryAfter, e.Timeout)
					}
					if took := time.Since(began); list != nil || took > 16*time.Second {
						t.Errorf("%v after %v", list, took)
					}
					if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != row.Active || inst.Refreshes() != 0 {
						t.Errorf("the connection is %s, %d refreshes", hot.Status, inst.Refreshes())
					}
					if c.after > 0 { // before that time, no request is sent
						before := len(inst.Asana.Requests())
						time.Sleep(c.after - time.Millisecond)
						_, err := p.Members(cookie)
						authtest.WantKind(t, err, asanaauth.TryAgain)
						authtest.WantCount(t, "requests meanwhile", len(inst.Asana.Requests())-before, 0)
						time.Sleep(time.Millisecond)
					}
					mustMembers(p, cookie)
				})
			})
		}
	}
}

// The wait for another caller's lease, the refresh and the requests for memberships share
// one time limit of 25 seconds.
func TestMembershipsTake25Seconds(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Expire()
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "dead", time.Now().Add(8*time.Second) })
		inst.Asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 3 * time.Second})
		inst.Asana.Inject(asanatest.Fault{Path: authtest.WorkspacesPath, Delay: time.Hour})
		began := time.Now()
		_, err := p.Members(cookie)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		if took := time.Since(began); took != 25*time.Second {
			t.Errorf("took %v, want 25s", took)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// If Asana refuses to list workspaces, List returns an error instead of an empty list,
// because an empty list would look like a person without workspaces.
func TestARefusedListOfWorkspacesIsAnError(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.App(func(a *asanatest.App) { a.Scopes = []string{"users:read"} })
		p := inst.Process(func(s *authtest.Settings) { s.Scopes = "users:read" })
		_, err := p.Members(p.SignIn(asanatest.Member))
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		var e *asana.Error
		if !errors.As(err, &e) || e.Code != asana.MissingScope {
			t.Errorf("the cause is %v", err)
		}
	})
}
