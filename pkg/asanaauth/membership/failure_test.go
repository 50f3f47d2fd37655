package membership_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
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
		"a 408":             {asanatest.Fault{Status: 408}, asanaauth.AsanaUnavailable, 0},
		"a 425":             {asanatest.Fault{Status: 425}, asanaauth.AsanaUnavailable, 0},
		"nonsense":          {asanatest.Fault{Body: "nonsense"}, asanaauth.AsanaUnavailable, 0},
		"an empty object":   {asanatest.Fault{Body: "{}"}, asanaauth.AsanaUnavailable, 0},
		"a cut connection":  {asanatest.Fault{Cut: true}, asanaauth.AsanaUnavailable, 0},
		"no response":       {asanatest.Fault{Delay: time.Hour}, asanaauth.AsanaUnavailable, 0},
		"no list":           {asanatest.Fault{Body: `{"data":{"gid":"x"}}`}, asanaauth.AsanaUnavailable, 0},
		"a long list":       {asanatest.Fault{Body: `{"data":[` + strings.Repeat("null,", 85000) + `null]}`}, asanaauth.AsanaUnavailable, 0},
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

// refusals returns the 4xx statuses that waiting does not fix. The statuses 401, 408, 425
// and 429 are not among them.
func refusals() []int { return []int{400, 402, 403, 404, 409, 410, 422, 451, 499} }

// If Asana refuses to report memberships, each flag is unknown. This is not an outage.
func TestRefusedMembershipsAreUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range refusals() {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				inst.Switches(func(s *asanatest.Switches) { s.MembershipStatus = status })
				list := mustMembers(p, cookie)
				if len(list) != 1 || flags(list[0]) != allUnknown("Acme", membership.NotAllowed) || list[0].AskedWith != "connection" {
					t.Errorf("List() = %+v", list)
				}
				conn := p.Session(cookie).Connection()
				in, err := p.Memberships.In(t.Context(), conn, asanatest.Acme, "")
				if err != nil || flags(in) != flags(list[0]) {
					t.Errorf("In() = %s, %v", flags(in), err)
				}
				_, err = p.Memberships.In(t.Context(), conn, asanatest.Globex, "")
				authtest.WantKind(t, err, asanaauth.NotFound)
				got, err := can(p, authtest.ConnectionOf(cookie))
				if err != nil || len(got.Workspaces) != 1 || flags(got.Workspaces[0]) != flags(list[0]) {
					t.Errorf("Capabilities() = %+v, %v", got, err)
				}
			})
		})
	}
}

// If Asana refuses to list workspaces, the workspaces are those of the memberships. If it
// refuses memberships too, the flags in one workspace are unknown. A list is then an error,
// because an empty list would look like a person without workspaces. The error is not an
// outage.
func TestRefusedWorkspaces(t *testing.T) {
	t.Parallel()
	for _, status := range refusals() {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.ViewOnly)
				conn := p.Session(cookie).Connection()
				inst.Asana.Inject(asanatest.Fault{Path: authtest.WorkspacesPath, Status: status, Times: -1})
				list := mustMembers(p, cookie)
				if len(list) != 1 || flags(list[0]) != "Acme: active y, admin n, guest n, view only y, can write n" {
					t.Errorf("List() = %+v", list)
				}
				_, err := p.Memberships.In(t.Context(), conn, asanatest.Globex, "")
				authtest.WantKind(t, err, asanaauth.NotFound)
				time.Sleep(6 * time.Minute)
				inst.Switches(func(s *asanatest.Switches) { s.MembershipStatus = 402 })
				_, err = p.Members(cookie)
				authtest.WantKind(t, err, asanaauth.Misconfigured)
				in, err := p.Memberships.In(t.Context(), conn, asanatest.Acme, "")
				if err != nil || flags(in) != allUnknown("", membership.NotAllowed) || in.Workspace.GID != asanatest.Acme {
					t.Errorf("In() = %+v, %v", in, err)
				}
				got, err := can(p, authtest.ConnectionOf(cookie))
				if err != nil || got.Workspaces != nil || got.Unknown["workspaces"] != membership.NotAllowed || !got.Active {
					t.Errorf("Capabilities() = %+v, %v", got, err)
				}
			})
		})
	}
}

// A token without the scope workspaces:read is the operator's mistake.
func TestATokenWithoutWorkspacesRead(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.App(func(a *asanatest.App) { a.Scopes = []string{"users:read"} })
		p := inst.Process(func(s *authtest.Settings) { s.Scopes = "users:read" })
		cookie := p.SignIn(asanatest.Member)
		_, err := p.Members(cookie)
		authtest.WantKind(t, err, asanaauth.Misconfigured)
		var e *asana.Error
		if !errors.As(err, &e) || e.Code != asana.MissingScope {
			t.Errorf("the cause is %v", err)
		}
		in, err := p.Memberships.In(t.Context(), p.Session(cookie).Connection(), asanatest.Acme, "")
		if err != nil || flags(in) != allUnknown("", membership.FullPermissionsRequired) {
			t.Errorf("In() = %+v, %v", in, err)
		}
	})
}

// One malformed entry in Asana's list does not prevent the others from being read. The
// flags of the malformed entry are unknown.
func TestAnOddMembershipDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"null", "no_workspace", "wrong_flags", "other_user"} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Several)
				inst.Switches(func(s *asanatest.Switches) { s.OddMembership = odd })
				list := mustMembers(p, cookie)
				if len(list) != 2 || flags(list[0]) != allUnknown("Acme", membership.NotReported) ||
					flags(list[1]) != "Globex: active y, admin n, guest n, view only n, can write y" {
					t.Errorf("got %+v", list)
				}
			})
		})
	}
}
