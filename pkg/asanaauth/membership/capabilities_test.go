package membership_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func text(s *string) string {
	if s == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", *s)
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		for kind, id := range map[asanaauth.Kind]string{
			asanaauth.OAuth:               p.Connect("o", asanatest.Member).ID,
			asanaauth.PersonalAccessToken: func() string { d, _ := p.ImportToken("o", asanatest.Bot); return d.ID }(),
			asanaauth.ServiceAccount:      func() string { d, _ := p.ImportToken("o", asanatest.ServiceAccount); return d.ID }(),
		} {
			got, err := can(p, id)
			if err != nil {
				t.Fatalf("%s: Capabilities() = %v", kind, err)
			}
			if !got.Active || got.Kind != kind || got.AttributedTo == nil || got.AttributedTo.GID != inst.Rows.Hot(id).AsanaGID ||
				text(got.ScopeGranted) != `"default"` || text(got.ScopeMissing) != `""` || len(got.Workspaces) != 1 || len(got.Unknown) != 0 {
				t.Errorf("%s: %+v", kind, got)
			}
			// A second call sends requests again, because Capabilities does not use
			// cached responses.
			before := len(inst.Asana.Requests())
			if _, err := can(p, id); err != nil || len(inst.Asana.Requests())-before < 4 {
				t.Errorf("%s: %d requests, %v", kind, len(inst.Asana.Requests())-before, err)
			}
		}
	})
}

func TestCapabilitiesSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		id := p.Connect("o", asanatest.ViewOnly).ID
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: `{"active":true,"client_id":"` + authtest.ClientID + `","scope":"users:read"}`})
		got, err := can(p, id)
		if err != nil || text(got.ScopeGranted) != `"users:read"` || text(got.ScopeMissing) != `"workspaces:read"` || got.ScopeRequested != "users:read workspaces:read" {
			t.Errorf("Capabilities() = %+v, %v; want workspaces:read missing", got, err)
		}
		if len(got.Workspaces) != 1 || flags(got.Workspaces[0]) != allUnknown("Acme", membership.FullPermissionsRequired) {
			t.Errorf("workspaces: %+v", got.Workspaces)
		}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: `{"active":true}`})
		if got, err = can(p, id); err != nil || got.ScopeGranted != nil || got.ScopeMissing != nil ||
			got.Unknown["scope_granted"] != "not-reported" || got.Unknown["scope_missing"] != "not-reported" {
			t.Errorf("not reported: %+v, %v", got, err)
		}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.WorkspacesPath, Status: http.StatusForbidden})
		inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: http.StatusForbidden})
		if got, err = can(p, id); err != nil || got.Workspaces != nil || got.AttributedTo != nil ||
			got.Unknown["workspaces"] != "not-allowed" || got.Unknown["attributed_to"] != "not-allowed" {
			t.Errorf("not allowed: %+v, %v", got, err)
		}
		// Like List, Capabilities also uses the token of a workspace's reader.
		importReader(p, "it", asanatest.Acme)
		if got, err = can(p, id); err != nil || got.Workspaces[0].AskedWith != "reader" || !got.Workspaces[0].ViewOnly.Value {
			t.Errorf("with a reader: %+v, %v", got, err)
		}
	})
}

// If Asana no longer accepts a credential, Active is false, and Capabilities marks the
// connection as broken.
func TestCapabilitiesOfAnEndedCredential(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		grant := p.Connect("o", asanatest.Member).ID
		if err := inst.Asana.RevokeGrants(asanatest.Member); err != nil {
			t.Fatal(err)
		}
		for id, reason := range map[string]string{d.ID: "inactive", grant: "invalid-grant"} {
			for range 2 { // after the first call, the connection is broken
				got, err := can(p, id)
				if err != nil || got.Active || got.ScopeGranted != nil || got.Workspaces != nil || got.Unknown["workspaces"] != "inactive" ||
					got.Unknown["scope_granted"] != "inactive" || got.Unknown["scope_missing"] != "inactive" || got.AttributedTo.Name.IsZero() {
					t.Errorf("%s: %+v, %v", reason, got, err)
				}
			}
			if hot := inst.Rows.Hot(id); hot.Status != row.Broken || hot.Reason != reason {
				t.Errorf("status %s, reason %s, want broken, %s", hot.Status, hot.Reason, reason)
			}
			before := len(inst.Asana.Requests())
			if _, err := can(p, id); err != nil || len(inst.Asana.Requests()) != before {
				t.Errorf("Asana is asked about a broken connection: %v", err)
			}
			if _, err := p.Connections.Disconnect(t.Context(), p.Open(id)); err != nil {
				t.Fatal(err)
			}
			_, err := can(p, id)
			authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		}
	})
}

// If Asana rejects an access token before its expiry, Capabilities refreshes the token.
// Asana accepts the new token, so Active is true.
func TestCapabilitiesRefresh(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		id := p.Connect("o", asanatest.Member).ID
		if err := inst.Asana.ExpireAccessTokens(); err != nil {
			t.Fatal(err)
		}
		got, err := can(p, id)
		if err != nil || !got.Active || len(got.Workspaces) != 1 {
			t.Errorf("Capabilities() = %+v, %v; want it active, with one workspace", got, err)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

func TestFailuresOfCapabilities(t *testing.T) {
	t.Parallel()
	for _, path := range []string{authtest.IntrospectPath, authtest.MePath, authtest.WorkspacesPath} {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			id := p.Connect("o", asanatest.Member).ID
			inst.Asana.Inject(asanatest.Fault{Path: path, Status: 500})
			_, err := can(p, id)
			authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
			inst.Asana.Inject(asanatest.Fault{Path: path, Status: 429, Header: http.Header{"Retry-After": {"7"}}})
			_, err = can(p, id)
			authtest.WantKind(t, err, asanaauth.TryAgain)
			time.Sleep(8 * time.Second)
			inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Body: `{"data":{"gid":"1299999999999999"}}`})
			_, err = can(p, id)
			authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
			if hot := inst.Rows.Hot(id); hot.Status != row.Active {
				t.Errorf("status %s, want active", hot.Status)
			}
		})
	}
}

// If another writer changes the row while a long-lived token is introspected, the
// response is used only if the connection still has the same token.
func TestCapabilitiesWhileOthersWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moves  int
		change func(*store.Hot)
		asked  int
		kind   asanaauth.ErrorKind
	}{
		"the same token":             {3, func(hot *store.Hot) { hot.RefusedAt = time.Now() }, 1, ""},
		"another token":              {1, func(hot *store.Hot) { hot.Grant++ }, 2, ""},
		"another token each time":    {4, func(hot *store.Hot) { hot.Grant++ }, 5, ""},
		"the connection is revoking": {1, func(hot *store.Hot) { hot.Status = row.Revoking }, 1, asanaauth.ReconnectRequired},
		"another consent":            {1, func(hot *store.Hot) { hot.Epoch = "another" }, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				d, _ := p.ImportToken("o", asanatest.Bot)
				before, whose := inst.Asana.CountRequests(authtest.IntrospectPath), inst.Asana.CountRequests(authtest.MePath)
				for range c.moves {
					inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Before: func(*http.Request) { inst.Rows.Edit(d.ID, c.change) }})
				}
				got, err := can(p, d.ID)
				if c.kind != "" {
					authtest.WantKind(t, err, c.kind)
					authtest.WantCount(t, "requests afterwards", inst.Asana.CountRequests(authtest.MePath)-whose, 0)
				} else if err != nil || !got.Active || len(got.Workspaces) != 1 {
					t.Fatalf("got %+v, %v", got, err)
				}
				inst.Asana.ClearFaults()
				authtest.WantCount(t, "introspections", inst.Asana.CountRequests(authtest.IntrospectPath)-before, c.asked)
			})
		})
	}
}

// If the introspection response for an OAuth grant contains no scope, ScopeGranted is the
// scope that Asana reported when the person consented. For a long-lived token,
// ScopeGranted is then unknown, even if Asana reported a scope when the token was
// imported.
func TestCapabilitiesWithoutAReportedScope(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, _ := p.ImportToken("o", asanatest.Bot)
		grant := p.Connect("o", asanatest.Member).ID
		for id, want := range map[string]string{d.ID: "nil", grant: `"default"`} {
			inst.Rows.EditCold(id, func(c *store.Cold) { c.ScopeGranted = "default" })
			inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: `{"active":true}`})
			got, err := can(p, id)
			if err != nil || text(got.ScopeGranted) != want {
				t.Errorf("scope granted %s, want %s, %v", text(got.ScopeGranted), want, err)
			}
		}
	})
}

// A rate-limited credential is not used again before the time in Retry-After has passed.
func TestCapabilitiesOverALimit(t *testing.T) {
	t.Parallel()
	for _, path := range []string{authtest.IntrospectPath, authtest.MePath, authtest.WorkspacesPath} {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			id := p.Connect("o", asanatest.Member).ID
			inst.Asana.Inject(asanatest.Fault{Path: path, Status: 429, Header: http.Header{"Retry-After": {"30"}}})
			_, err := can(p, id)
			authtest.WantKind(t, err, asanaauth.TryAgain)
			before := len(inst.Asana.Requests())
			time.Sleep(29 * time.Second)
			got, err := can(p, id)
			authtest.WantKind(t, err, asanaauth.TryAgain)
			var e *asanaauth.Error
			if !errors.As(err, &e) || e.RetryAfter != time.Second || got.Active || got.Unknown != nil {
				t.Errorf("%s: got %+v, %v", path, got, err)
			}
			_, err = p.Memberships.List(t.Context(), p.Open(id), "")
			authtest.WantKind(t, err, asanaauth.TryAgain)
			authtest.WantCount(t, path+": requests meanwhile", len(inst.Asana.Requests())-before, 0)
			time.Sleep(time.Second)
			if _, err := can(p, id); err != nil {
				t.Errorf("%s: afterwards %v", path, err)
			}
		})
	}
}

// If a long-lived token is not active, Capabilities marks the connection as broken, even
// if another writer changes the row during the introspection.
func TestCapabilitiesBreakTheConnectionWhileOthersWrite(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Before: func(*http.Request) {
			inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.RefusedAt = time.Now() })
		}})
		got, err := can(p, d.ID)
		if err != nil || got.Active {
			t.Errorf("Capabilities() = %+v, %v; want it inactive", got, err)
		}
		if hot := inst.Rows.Hot(d.ID); hot.Status != row.Broken || hot.Reason != "inactive" {
			t.Errorf("status %s, reason %s, want broken, inactive", hot.Status, hot.Reason)
		}
	})
}

// If an access token of an OAuth grant is inactive, Capabilities refreshes it once. If
// the new token is inactive too, Active is false, but the connection does not become
// broken.
func TestCapabilitiesOfAGrantThatStaysInactive(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		id := p.Connect("o", asanatest.Member).ID
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: `{"active":false}`, Times: -1})
		got, err := can(p, id)
		if err != nil || got.Active || got.AttributedTo == nil || got.Workspaces != nil || got.Unknown["workspaces"] != "inactive" {
			t.Errorf("Capabilities() = %+v, %v; want it inactive", got, err)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		authtest.WantCount(t, "introspections", inst.Asana.CountRequests(authtest.IntrospectPath), 2)
		if hot := inst.Rows.Hot(id); hot.Status != row.Active {
			t.Errorf("status %s, want active", hot.Status)
		}
	})
}

// If Asana refuses to introspect the token, or to name its user, only the values in the
// refused response are unknown.
func TestRefusedCapabilitiesAreUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range refusals() {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				bot, _ := p.ImportToken("o", asanatest.Bot)
				for _, id := range []string{p.Connect("o", asanatest.Member).ID, bot.ID} {
					for path, member := range map[string]string{authtest.IntrospectPath: "scope_granted", authtest.MePath: "attributed_to"} {
						inst.Asana.Inject(asanatest.Fault{Path: path, Status: status, Body: `{}`})
						got, err := can(p, id)
						if err != nil || !got.Active || got.Unknown[member] != membership.NotAllowed || len(got.Workspaces) != 1 {
							t.Errorf("%s: got %+v, %v", path, got, err)
						}
					}
				}
			})
		})
	}
}
