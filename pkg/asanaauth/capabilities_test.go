package asanaauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func (p *process) can(id string) (asanaauth.Capabilities, error) {
	return p.memberships.Capabilities(p.h.t.Context(), p.opened(id))
}

func text(s *string) string {
	if s == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", *s)
}

func TestCapabilities(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		for kind, id := range map[store.Kind]string{
			store.OAuth:               p.connect("o", asanatest.Member).ID,
			store.PersonalAccessToken: func() string { d, _ := p.importToken("o", asanatest.Bot); return d.ID }(),
			store.ServiceAccount:      func() string { d, _ := p.importToken("o", asanatest.ServiceAccount); return d.ID }(),
		} {
			can, err := p.can(id)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if !can.Active || can.Kind != kind || can.AttributedTo == nil || can.AttributedTo.GID != h.hotOf(id).AsanaGID ||
				text(can.ScopeGranted) != `"default"` || text(can.ScopeMissing) != `""` || len(can.Workspaces) != 1 || len(can.Unknown) != 0 {
				t.Errorf("%s: %+v", kind, can)
			}
			// Asked of Asana now.
			before := len(h.asana.Requests())
			if _, err := p.can(id); err != nil || len(h.asana.Requests())-before < 4 {
				t.Errorf("%s: %d requests, %v", kind, len(h.asana.Requests())-before, err)
			}
		}
	})
}

func TestCapabilitiesSayWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		id := p.connect("o", asanatest.ViewOnly).ID
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":true,"client_id":"` + clientID + `","scope":"users:read"}`})
		can, err := p.can(id)
		if err != nil || text(can.ScopeGranted) != `"users:read"` || text(can.ScopeMissing) != `"workspaces:read"` || can.ScopeRequested != "users:read workspaces:read" {
			t.Errorf("got %+v, %v", can, err)
		}
		if len(can.Workspaces) != 1 || flags(can.Workspaces[0]) != allUnknown("Acme", asanaauth.FullPermissionsRequired) {
			t.Errorf("workspaces: %+v", can.Workspaces)
		}
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":true}`})
		if can, err = p.can(id); err != nil || can.ScopeGranted != nil || can.ScopeMissing != nil ||
			can.Unknown["scope_granted"] != "not-reported" || can.Unknown["scope_missing"] != "not-reported" {
			t.Errorf("not told: %+v, %v", can, err)
		}
		h.asana.Inject(asanatest.Fault{Path: workspacesPath, Status: http.StatusForbidden})
		h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Status: http.StatusForbidden})
		if can, err = p.can(id); err != nil || can.Workspaces != nil || can.AttributedTo != nil ||
			can.Unknown["workspaces"] != "not-allowed" || can.Unknown["attributed_to"] != "not-allowed" {
			t.Errorf("not allowed: %+v, %v", can, err)
		}
		// A reader is asked here, too.
		p.reader("it", asanatest.Acme)
		if can, err = p.can(id); err != nil || can.Workspaces[0].AskedWith != "reader" || !can.Workspaces[0].ViewOnly.Value {
			t.Errorf("with a reader: %+v, %v", can, err)
		}
	})
}

// What Asana does not take any more is not active, and asking finds out.
func TestCapabilitiesOfWhatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		grant := p.connect("o", asanatest.Member).ID
		if err := h.asana.RevokeGrants(asanatest.Member); err != nil {
			t.Fatal(err)
		}
		for id, reason := range map[string]string{d.ID: "inactive", grant: "invalid-grant"} {
			for range 2 { // found out, and then known
				can, err := p.can(id)
				if err != nil || can.Active || can.ScopeGranted != nil || can.Workspaces != nil || can.Unknown["workspaces"] != "inactive" ||
					can.Unknown["scope_granted"] != "inactive" || can.Unknown["scope_missing"] != "inactive" || can.AttributedTo.Name.IsZero() {
					t.Errorf("%s: %+v, %v", reason, can, err)
				}
			}
			if hot := h.hotOf(id); hot.Status != store.Broken || hot.Reason != reason {
				t.Errorf("it is %s, %s", hot.Status, hot.Reason)
			}
			before := len(h.asana.Requests())
			if _, err := p.can(id); err != nil || len(h.asana.Requests()) != before {
				t.Errorf("a broken one is asked about: %v", err)
			}
			if _, err := p.conns.End(t.Context(), p.opened(id)); err != nil {
				t.Fatal(err)
			}
			_, err := p.can(id)
			wantKind(t, err, asanaauth.ReconnectRequired)
		}
	})
}

// An access token that ended early is refreshed, and the grant is active.
func TestCapabilitiesRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		id := p.connect("o", asanatest.Member).ID
		if err := h.asana.ExpireAccessTokens(); err != nil {
			t.Fatal(err)
		}
		can, err := p.can(id)
		if err != nil || !can.Active || len(can.Workspaces) != 1 {
			t.Errorf("got %+v, %v", can, err)
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

func TestTroubleOfCapabilities(t *testing.T) {
	for _, path := range []string{"/-/token_info", "/api/1.0/users/me", workspacesPath} {
		bubble(t, func(t *testing.T) {
			h := newHouse(t)
			p := h.process()
			id := p.connect("o", asanatest.Member).ID
			h.asana.Inject(asanatest.Fault{Path: path, Status: 500})
			_, err := p.can(id)
			wantKind(t, err, asanaauth.AsanaUnavailable)
			h.asana.Inject(asanatest.Fault{Path: path, Status: 429, Header: http.Header{"Retry-After": {"7"}}})
			_, err = p.can(id)
			wantKind(t, err, asanaauth.TryAgain)
			time.Sleep(8 * time.Second)
			h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Body: `{"data":{"gid":"1299999999999999"}}`})
			_, err = p.can(id)
			wantKind(t, err, asanaauth.AsanaUnavailable)
			if hot := h.hotOf(id); hot.Status != store.Active {
				t.Errorf("it is %s", hot.Status)
			}
		})
	}
}

// Others write the row while Asana is asked about a long-lived token: what it said of
// this very token counts all the same.
func TestCapabilitiesWhileOthersWrite(t *testing.T) {
	for name, c := range map[string]struct {
		moves  int
		change func(*store.Hot)
		asked  int
		kind   asanaauth.ErrorKind
	}{
		"the same token":  {3, func(hot *store.Hot) { hot.LastIntrospected = time.Now() }, 1, ""},
		"another token":   {1, func(hot *store.Hot) { hot.Grant++ }, 2, ""},
		"more and more":   {4, func(hot *store.Hot) { hot.Grant++ }, 5, ""},
		"it is over":      {1, func(hot *store.Hot) { hot.Status = store.Revoking }, 1, asanaauth.ReconnectRequired},
		"another consent": {1, func(hot *store.Hot) { hot.Epoch = "another" }, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				d, _ := p.importToken("o", asanatest.Bot)
				before, whose := h.asana.CountRequests("/-/token_info"), h.asana.CountRequests("/api/1.0/users/me")
				for range c.moves {
					h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Before: func(*http.Request) { h.editOf(d.ID, c.change) }})
				}
				can, err := p.can(d.ID)
				if c.kind != "" {
					wantKind(t, err, c.kind)
					wantCount(t, "requests afterwards", h.asana.CountRequests("/api/1.0/users/me")-whose, 0)
				} else if err != nil || !can.Active || len(can.Workspaces) != 1 {
					t.Fatalf("got %+v, %v", can, err)
				}
				h.asana.ClearFaults()
				wantCount(t, "introspections", h.asana.CountRequests("/-/token_info")-before, c.asked)
			})
		})
	}
}

// What an import learnt of a long-lived token's scope is not what Asana says now.
func TestCapabilitiesOfAnImportWhoseScopeIsNotTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, _ := p.importToken("o", asanatest.Bot)
		grant := p.connect("o", asanatest.Member).ID
		for id, want := range map[string]string{d.ID: "nil", grant: `"default"`} {
			h.editCold(id, func(c *store.Cold) { c.ScopeGranted = "default" })
			h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":true}`})
			can, err := p.can(id)
			if err != nil || text(can.ScopeGranted) != want {
				t.Errorf("scope granted %s, want %s, %v", text(can.ScopeGranted), want, err)
			}
		}
	})
}

// A credential over its rate limit is not used before Asana said, whatever is asked.
func TestCapabilitiesOverALimit(t *testing.T) {
	for _, path := range []string{"/-/token_info", "/api/1.0/users/me", workspacesPath} {
		bubble(t, func(t *testing.T) {
			h := newHouse(t)
			p := h.process()
			id := p.connect("o", asanatest.Member).ID
			h.asana.Inject(asanatest.Fault{Path: path, Status: 429, Header: http.Header{"Retry-After": {"30"}}})
			_, err := p.can(id)
			wantKind(t, err, asanaauth.TryAgain)
			before := len(h.asana.Requests())
			time.Sleep(29 * time.Second)
			can, err := p.can(id)
			wantKind(t, err, asanaauth.TryAgain)
			var e *asanaauth.Error
			if !errors.As(err, &e) || e.RetryAfter != time.Second || can.Active || can.Unknown != nil {
				t.Errorf("%s: got %+v, %v", path, can, err)
			}
			_, err = p.memberships.List(t.Context(), p.opened(id), "")
			wantKind(t, err, asanaauth.TryAgain)
			wantCount(t, path+": requests meanwhile", len(h.asana.Requests())-before, 0)
			time.Sleep(time.Second)
			if _, err := p.can(id); err != nil {
				t.Errorf("%s: afterwards %v", path, err)
			}
		})
	}
}

func (h *house) editCold(id string, change func(*store.Cold)) {
	h.t.Helper()
	c := h.cold(secret.New(id + "."))
	change(c)
	h.writes(c)
}

// That a token is over is written down, however often others write meanwhile.
func TestCapabilitiesFindOutWhileOthersWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Before: func(*http.Request) {
			h.editOf(d.ID, func(hot *store.Hot) { hot.LastIntrospected = time.Now() })
		}})
		can, err := p.can(d.ID)
		if err != nil || can.Active {
			t.Errorf("got %+v, %v", can, err)
		}
		if hot := h.hotOf(d.ID); hot.Status != store.Broken || hot.Reason != "inactive" {
			t.Errorf("it is %s, %s", hot.Status, hot.Reason)
		}
	})
}

// A grant whose new token Asana calls inactive, too, is not active, and breaks nothing.
func TestCapabilitiesOfAGrantThatStaysInactive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		id := p.connect("o", asanatest.Member).ID
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":false}`, Times: -1})
		can, err := p.can(id)
		if err != nil || can.Active || can.AttributedTo == nil || can.Workspaces != nil || can.Unknown["workspaces"] != "inactive" {
			t.Errorf("got %+v, %v", can, err)
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
		wantCount(t, "introspections", h.asana.CountRequests("/-/token_info"), 2)
		if hot := h.hotOf(id); hot.Status != store.Active {
			t.Errorf("it is %s", hot.Status)
		}
	})
}
