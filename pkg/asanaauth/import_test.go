package asanaauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	wantKind(t, err, asanaauth.TokenRejected)
	var e *asanaauth.Error
	if errors.As(err, &e); e.Reason != reason {
		t.Errorf("reason %q, want %q", e.Reason, reason)
	}
}

func TestImportOfALongLivedToken(t *testing.T) {
	for gid, kind := range map[string]store.Kind{asanatest.Bot: store.PersonalAccessToken, asanatest.ServiceAccount: store.ServiceAccount} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				d, value := p.importToken("o", gid)
				if d.Kind != kind || d.AttributedTo.GID != gid || d.AttributedTo.Name.IsZero() || d.Owner != "o" || d.Status != store.Active ||
					d.ID != store.ConnectionID(store.HashText("o"), gid, kind) || d.ScopeRequested != "" || !d.LastRefreshed.IsZero() {
					t.Errorf("got %+v", d)
				}
				if hot := h.hotOf(d.ID); !hot.LastIntrospected.Equal(time.Now()) || hot.ClientID != "" {
					t.Errorf("introspected at %v, client %q", hot.LastIntrospected, hot.ClientID)
				}
				token, err := p.tokenOf(d.ID, asanaauth.TokenRequest{MinTTL: 50 * time.Minute})
				if err != nil || token.Access.Reveal() != value.Reveal() {
					t.Fatalf("TokenOf() = %v", err)
				}
				time.Sleep(1000 * time.Hour)
				if token, err = p.tokenOf(d.ID, asanaauth.TokenRequest{}); err != nil || h.whose(token.Access) != gid {
					t.Errorf("weeks later: %v", err)
				}
				wantCount(t, "audit lines", h.log.says("audit", "imported"), 1)
				wantCount(t, "released", h.log.says("audit", "token_released"), 2)
				for _, row := range h.all() {
					for _, text := range []string{value.Reveal(), d.AttributedTo.Name.Reveal(), `"o"`} {
						if holds(row, text) {
							t.Errorf("a %T holds %q", row, text)
						}
					}
				}
				if strings.Contains(h.log.String(), value.Reveal()) {
					t.Error("a log line holds the token")
				}
			})
		})
	}
}

func TestImportRefuses(t *testing.T) {
	long := secret.New(strings.Repeat("x", 8193))
	good := secret.New("t")
	for name, r := range map[string]asanaauth.ImportRequest{
		"nothing":                  {Owner: "o"},
		"both":                     {Owner: "o", Token: good, RefreshToken: good, Kind: store.PersonalAccessToken},
		"no kind":                  {Owner: "o", Token: good},
		"kind oauth":               {Owner: "o", Token: good, Kind: store.OAuth},
		"a kind that is none":      {Owner: "o", Token: good, Kind: "bot"},
		"no owner":                 {Token: good, Kind: store.PersonalAccessToken},
		"an owner of sign-in":      {Owner: "asana:1", Token: good, Kind: store.PersonalAccessToken},
		"a token with a newline":   {Owner: "o", Token: secret.New("a\r\nb"), Kind: store.PersonalAccessToken},
		"a token with a space":     {Owner: "o", Token: secret.New("a b"), Kind: store.PersonalAccessToken},
		"a token that is too long": {Owner: "o", Token: long, Kind: store.ServiceAccount},
		"a long refresh token":     {Owner: "o", RefreshToken: long},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				_, err := p.importOf(r)
				wantKind(t, err, asanaauth.InvalidRequest)
				_, err = p.conns.CheckImport(t.Context(), r)
				wantKind(t, err, asanaauth.InvalidRequest)
				h.wantNothingKept()
				wantCount(t, "requests to Asana", len(h.asana.Requests()), 0)
			})
		})
	}
}

func TestImportsThatAsanaRejects(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		make   func(h *house) asanaauth.ImportRequest
	}{
		"no token of Asana's": {"inactive", func(*house) asanaauth.ImportRequest {
			return asanaauth.ImportRequest{Token: secret.New("0/made-up"), Kind: store.PersonalAccessToken}
		}},
		"a revoked one": {"inactive", func(h *house) asanaauth.ImportRequest {
			value := h.asana.PersonalAccessToken(asanatest.Bot)
			if err := h.asana.RevokeToken(value); err != nil {
				h.t.Fatal(err)
			}
			return asanaauth.ImportRequest{Token: secret.New(value), Kind: store.PersonalAccessToken}
		}},
		"an app's access token": {"oauth-token", func(h *house) asanaauth.ImportRequest {
			elsewhere := newHouse(h.t)
			elsewhere.asana, elsewhere.wire.next = h.asana, h.asana.Transport()
			p := elsewhere.process()
			token := p.mustToken(p.signIn(asanatest.Member), 0)
			return asanaauth.ImportRequest{Token: token.Access, Kind: store.PersonalAccessToken}
		}},
		"a refresh token that names no app": {"oauth-token", func(h *house) asanaauth.ImportRequest {
			h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":true,"token_type":"refresh"}`})
			return asanaauth.ImportRequest{Token: secret.New("0/of-no-app"), Kind: store.ServiceAccount}
		}},
		"one whose time is over": {"inactive", func(h *house) asanaauth.ImportRequest {
			h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Unix())})
			return asanaauth.ImportRequest{Token: secret.New(h.asana.PersonalAccessToken(asanatest.Bot)), Kind: store.PersonalAccessToken}
		}},
		"one that Asana takes, and then not": {"identity-refused", func(h *house) asanaauth.ImportRequest {
			h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Status: http.StatusUnauthorized, Body: `{}`})
			return asanaauth.ImportRequest{Token: secret.New(h.asana.PersonalAccessToken(asanatest.Bot)), Kind: store.PersonalAccessToken}
		}},
		"an app's refresh token": {"oauth-token", func(h *house) asanaauth.ImportRequest {
			return asanaauth.ImportRequest{Token: h.grant(asanatest.Member), Kind: store.PersonalAccessToken}
		}},
		"an account that may not say who it is": {"identity-refused", func(h *house) asanaauth.ImportRequest {
			h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Status: http.StatusForbidden, Body: `{"errors":[{"message":"Not allowed"}]}`})
			return asanaauth.ImportRequest{Token: secret.New(h.asana.ServiceAccountToken(asanatest.ServiceAccount)), Kind: store.ServiceAccount}
		}},
		"a long-lived token for a refresh token": {"inactive", func(h *house) asanaauth.ImportRequest {
			return asanaauth.ImportRequest{RefreshToken: secret.New(h.asana.PersonalAccessToken(asanatest.Bot))}
		}},
		"a refresh token that is over": {"inactive", func(h *house) asanaauth.ImportRequest {
			r := asanaauth.ImportRequest{RefreshToken: h.grant(asanatest.Member)}
			if err := h.asana.RevokeGrants(""); err != nil {
				h.t.Fatal(err)
			}
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				r := c.make(h)
				r.Owner = "o"
				_, err := h.process().importOf(r)
				wantReason(t, err, c.reason)
				h.wantNothingKept()
				for _, text := range []string{r.Token.Reveal(), r.RefreshToken.Reveal()} {
					if text != "" && (strings.Contains(h.log.String(), text) || strings.Contains(err.Error(), text)) {
						t.Error("the token is in a log line or an error")
					}
				}
			})
		})
	}
}

func TestImportOfAGrant(t *testing.T) {
	for name, rotate := range map[string]bool{"rotated": true, "not rotated": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				grant := h.grant(asanatest.Member)
				h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = rotate })
				got, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: grant})
				if err != nil || got.Already {
					t.Fatalf("Import() = %+v, %v", got, err)
				}
				if got.Kind != store.OAuth || got.AttributedTo.GID != asanatest.Member || got.AttributedTo.Email.Reveal() != "mia@acme.example" {
					t.Errorf("got %+v", got.Details)
				}
				wantCount(t, "refreshes", h.refreshes(), 1)
				time.Sleep(2 * time.Hour)
				if token, err := p.tokenOf(got.ID, asanaauth.TokenRequest{}); err != nil || h.whose(token.Access) != asanatest.Member {
					t.Errorf("two hours later: %v", err)
				}
				// The same import once more, as after an answer that was lost.
				before := len(h.asana.Requests())
				again, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: grant})
				if err != nil || !again.Already || again.ID != got.ID {
					t.Errorf("again: %+v, %v", again, err)
				}
				already, err := p.conns.CheckImport(t.Context(), asanaauth.ImportRequest{Owner: "o", RefreshToken: grant})
				if err != nil || !already {
					t.Errorf("CheckImport() = %v, %v", already, err)
				}
				wantCount(t, "requests to Asana", len(h.asana.Requests())-before, 0)
			})
		})
	}
}

// An import takes the place of what is broken, but of an active consent only where
// it is told to.
func TestAnImportAndAnActiveConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		before := h.hotOf(d.ID)
		grant := h.grant(asanatest.Member)
		_, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: grant})
		wantKind(t, err, asanaauth.AlreadyConnected)
		if now := h.hotOf(d.ID); now.Rev != before.Rev {
			t.Error("the connection was written")
		}
		got, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: grant, Replace: true})
		if err != nil || got.ID != d.ID {
			t.Fatalf("with replace: %+v, %v", got, err)
		}
		if now := h.hotOf(d.ID); now.Generation != before.Generation+1 || now.Grant <= before.Grant || now.Epoch != before.Epoch {
			t.Errorf("got %+v", now)
		}
		h.editOf(d.ID, func(hot *store.Hot) { hot.Status, hot.Reason = store.Broken, "invalid-grant" })
		if _, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: h.grant(asanatest.Member)}); err != nil {
			t.Errorf("in place of a broken one: %v", err)
		}
		// Another person's of the same tenant is a connection of its own.
		if _, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: h.grant(asanatest.Guest)}); err != nil {
			t.Errorf("another person's: %v", err)
		}
		// And a personal access token never takes the place of a consent.
		pat, _ := p.importToken("o", asanatest.Member)
		if pat.ID == d.ID || h.hotOf(d.ID).Kind != store.OAuth {
			t.Error("a personal access token replaced a consent")
		}
	})
}

// A rotated token that cannot be kept is the loudest alarm there is.
func TestARotatedImportThatIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		grant := h.grant(asanatest.Member)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		p.connect("first", asanatest.Guest) // the keyring is there
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			return op.Name != "write", failIf(op.Name == "write", errAway)
		}
		_, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: grant})
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "alarms", h.log.says("alarm", "rotated_token_unsaved"), 1)
	})
}

// Whatever operation fails, saved or not: the same import again ends with one
// connection that works. (Where Asana rotates, that a token was not kept is alarmed.)
func TestCrashPointsOfAnImport(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			reached := false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newHouse(t)
					p := h.process()
					p.connect("first", asanatest.Guest)
					r := asanaauth.ImportRequest{Owner: "o", RefreshToken: h.grant(asanatest.Member)}
					n := 0
					h.table.Hook = func(context.Context, storetest.Op) (bool, error) {
						if n++; n == at {
							return saved, errAway
						}
						return true, nil
					}
					_, err := p.importOf(r)
					h.table.Hook = nil
					if reached = n >= at; err != nil {
						wantKind(t, err, asanaauth.TryAgain)
					}
					got, err := h.process().importOf(r)
					if err != nil {
						t.Fatal(err)
					}
					if hot := h.hotOf(got.ID); hot.Generation != 1 {
						t.Errorf("%d consents", hot.Generation)
					}
					time.Sleep(2 * time.Hour)
					if _, err := p.tokenOf(got.ID, asanaauth.TokenRequest{}); err != nil {
						t.Error(err)
					}
				})
			})
			if !reached {
				break
			}
		}
	}
}

// A dry run sends no token request, and keeps nothing.
func TestADryRunOnlyIntrospects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		grant := h.grant(asanatest.Member)
		for _, r := range []asanaauth.ImportRequest{
			{Owner: "o", RefreshToken: grant},
			{Owner: "o", Token: secret.New(h.asana.PersonalAccessToken(asanatest.Bot)), Kind: store.PersonalAccessToken},
		} {
			if already, err := p.conns.CheckImport(t.Context(), r); err != nil || already {
				t.Errorf("CheckImport() = %v, %v", already, err)
			}
		}
		_, err := p.conns.CheckImport(t.Context(), asanaauth.ImportRequest{Owner: "o", RefreshToken: secret.New("made-up")})
		wantReason(t, err, "inactive")
		wantCount(t, "refreshes", h.refreshes(), 0)
		h.wantNothingKept()
	})
}

// Tokens of another client id are none for us.
func TestAGrantOfAnotherApp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		grant := h.grant(asanatest.Member)
		p := h.process(func(s *settings) { s.clientID = "1300000000000099" })
		_, err := p.conns.CheckImport(t.Context(), asanaauth.ImportRequest{Owner: "o", RefreshToken: grant})
		wantReason(t, err, "inactive")
	})
}

// A long-lived token dies without a word: who is told so finds out, and says it.
func TestARefusedLongLivedToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		hash := store.HashText(value.Reveal())
		r := asanaauth.TokenRequest{Refused: &hash}
		introspections := func() int { return h.asana.CountRequests("/-/token_info") }
		time.Sleep(time.Minute)
		before := introspections()
		// Asana says that it is active: a 401 is also how it answers of a workspace
		// that blocks it. That holds for 30 seconds.
		for range 3 {
			if _, err := p.tokenOf(d.ID, r); err != nil {
				t.Fatal(err)
			}
		}
		wantCount(t, "introspections", introspections()-before, 1)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.tokenOf(d.ID, asanaauth.TokenRequest{}); err != nil {
			t.Errorf("nobody has said so: %v", err)
		}
		time.Sleep(31 * time.Second)
		other := store.HashText("another")
		if _, err := p.tokenOf(d.ID, asanaauth.TokenRequest{Refused: &other}); err != nil {
			t.Errorf("another token was refused: %v", err)
		}
		_, err := p.tokenOf(d.ID, r)
		wantKind(t, err, asanaauth.ReconnectRequired)
		got, err := p.conns.Describe(t.Context(), p.opened(d.ID))
		if err != nil || got.Status != store.Broken || got.StatusReason != "inactive" || got.BrokenAt.IsZero() {
			t.Errorf("got %+v, %v", got, err)
		}
		if hot := h.hotOf(d.ID); len(hot.Access) > 0 {
			t.Error("the dead token is kept")
		}
		wantCount(t, "audit lines", h.log.says("audit", "reconnect_required"), 1)
		// A new token of the same account mends it.
		if again, _ := p.importToken("o", asanatest.Bot); again.ID != d.ID || again.Status != store.Active {
			t.Errorf("a new token: %+v", again)
		}
	})
}

// Nothing is concluded from an Asana that cannot be asked.
func TestALongLivedTokenWithAsanaAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		hash := store.HashText(value.Reveal())
		time.Sleep(time.Minute)
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Status: 503, Times: -1})
		_, err := p.tokenOf(d.ID, asanaauth.TokenRequest{Refused: &hash})
		wantKind(t, err, asanaauth.AsanaUnavailable)
		if hot := h.hotOf(d.ID); hot.Status != store.Active {
			t.Errorf("it is %s", hot.Status)
		}
	})
}

// What is imported again while the old token is judged is not broken by that.
func TestAVerdictOnAnOldTokenHitsNoNewOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		time.Sleep(time.Minute)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Before: func(*http.Request) { h.process().importToken("o", asanatest.Bot) }})
		hash := store.HashText(value.Reveal())
		token, err := p.tokenOf(d.ID, asanaauth.TokenRequest{Refused: &hash})
		if err != nil || h.whose(token.Access) != asanatest.Bot {
			t.Errorf("TokenOf() = %v", err)
		}
		if hot := h.hotOf(d.ID); hot.Status != store.Active {
			t.Errorf("it is %s", hot.Status)
		}
	})
}

// The same credential once more serves to mend what was broken, and what was ended.
func TestAnImportOfWhatIsBrokenAsksAsana(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		r := asanaauth.ImportRequest{Owner: "o", Kind: store.PersonalAccessToken, Token: value}
		h.editOf(d.ID, func(hot *store.Hot) { hot.Status, hot.Reason, hot.Access = store.Broken, "inactive", nil })
		got, err := p.importOf(r)
		if err != nil || got.Already || got.Status != store.Active {
			t.Errorf("Import() = %+v, %v", got, err)
		}
		// As another kind it is another connection.
		r.Kind = store.ServiceAccount
		if got, err := p.importOf(r); err != nil || got.Already || got.ID == d.ID {
			t.Errorf("as another kind: %+v, %v", got, err)
		}
		// And of another owner too.
		r.Owner = "another"
		if got, err := p.importOf(r); err != nil || got.Already {
			t.Errorf("of another owner: %+v, %v", got, err)
		}
	})
}

// A grant that does not open users/me says otherwise whose it is, where it can.
func TestAnImportWithoutUsersMe(t *testing.T) {
	for name, c := range map[string]struct {
		scopes string
		data   bool
		ok     bool
	}{
		"by OpenID Connect":   {openID, false, true},
		"by the token answer": {"default", true, true},
		"by nothing":          {"default", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				elsewhere := newHouse(t)
				elsewhere.asana, elsewhere.wire.next = h.asana, h.asana.Transport()
				elsewhere.process(func(s *settings) { s.scopes = c.scopes }).signIn(asanatest.Member)
				h.switches(func(s *asanatest.Switches) { s.DataOnRefresh = c.data })
				h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Status: http.StatusForbidden})
				got, err := h.process().importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: secret.New(elsewhere.wire.tokens[0])})
				if c.ok && (err != nil || got.AttributedTo.GID != asanatest.Member) {
					t.Errorf("Import() = %+v, %v", got, err)
				}
				if !c.ok {
					wantReason(t, err, "identity-refused")
					h.wantNothingKept()
				}
			})
		})
	}
}

// Identities that disagree are believed by nobody.
func TestAnImportWhoseIdentitiesDisagree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		r := asanaauth.ImportRequest{Owner: "o", RefreshToken: h.grant(asanatest.Member)}
		h.switches(func(s *asanatest.Switches) { s.DataOnRefresh = true })
		h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Body: `{"data":{"gid":"1299999999999999"}}`})
		_, err := h.process().importOf(r)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		h.wantNothingKept()
	})
}

// The answer to an import's write is lost, and before it is looked for somebody
// refreshes: it still knows itself by the cold row.
func TestALostImportKnowsItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		r := asanaauth.ImportRequest{Owner: "o", RefreshToken: h.grant(asanatest.Member)}
		id := store.ConnectionID(store.HashText("o"), asanatest.Member, store.OAuth)
		lost := false
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 3 && !lost {
				lost = true
				return true, errAway
			}
			if op.Name == "read" && lost && len(op.Keys) == 3 {
				h.editOf(id, func(hot *store.Hot) { hot.Grant++ })
			}
			return true, nil
		}
		if _, err := p.importOf(r); err != nil || !lost {
			t.Fatal(err, lost)
		}
		if hot := h.hotOf(id); hot.Generation != 1 || hot.Grant != 2 {
			t.Errorf("the row that moved was written over: %+v", hot)
		}
	})
}

// A token can die at any moment, also right after its import.
func TestAFreshImportThatIsReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		hash := store.HashText(value.Reveal())
		_, err := p.tokenOf(d.ID, asanaauth.TokenRequest{Refused: &hash})
		wantKind(t, err, asanaauth.ReconnectRequired)
		if hot := h.hotOf(d.ID); hot.Status != store.Broken || hot.Reason != "inactive" {
			t.Errorf("it is %s, %s", hot.Status, hot.Reason)
		}
	})
}

// What Asana tells of a long-lived token's end is told on; what it does not, is not.
func TestTheEndOfALongLivedToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":true,"scope":"default"}`})
		d, _ := p.importToken("without", asanatest.Bot)
		token, err := p.tokenOf(d.ID, asanaauth.TokenRequest{})
		if err != nil || !d.ExpiresAt.IsZero() || token.ExpiresIn != 0 || token.Scope != "default" {
			t.Errorf("without an end: %v, %+v, %v", d.ExpiresAt, token, err)
		}
		end := time.Now().Add(time.Hour)
		h.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: fmt.Sprintf(`{"active":true,"exp":%d}`, end.Unix())})
		d, value := p.importToken("with", asanatest.Bot)
		token, err = p.tokenOf(d.ID, asanaauth.TokenRequest{})
		if err != nil || !d.ExpiresAt.Equal(end) || token.ExpiresIn != time.Hour {
			t.Errorf("with an end: %v, %v, %v", d.ExpiresAt, token.ExpiresIn, err)
		}
		time.Sleep(time.Hour)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		_, err = p.tokenOf(d.ID, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.ReconnectRequired)
	})
}
