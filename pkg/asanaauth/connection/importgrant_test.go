package connection_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestImportOfAGrant(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]bool{"rotated": true, "not rotated": false} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				grant := inst.Grant(asanatest.Member)
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = rotate })
				got, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: grant})
				if err != nil || got.Already {
					t.Fatalf("Import() = %+v, %v", got, err)
				}
				if got.Kind != asanaauth.OAuth || got.AttributedTo.GID != asanatest.Member || got.AttributedTo.Email.Reveal() != "mia@acme.example" {
					t.Errorf("got %+v", got.Details)
				}
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
				time.Sleep(2 * time.Hour)
				if later, err := p.TokenOf(got.ID, token.Request{}); err != nil || inst.Whose(later.Access) != asanatest.Member {
					t.Errorf("two hours later: %v", err)
				}
				// Repeat the import, like a caller that got no response to the first
				// import.
				before := len(inst.Asana.Requests())
				again, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: grant})
				if err != nil || !again.Already || again.ID != got.ID {
					t.Errorf("Import() again = %+v, %v; want the same connection, and Already", again, err)
				}
				already, err := p.Connections.CheckImport(t.Context(), connection.ImportRequest{Owner: "o", RefreshToken: grant})
				if err != nil || !already {
					t.Errorf("CheckImport() = %v, %v", already, err)
				}
				authtest.WantCount(t, "requests to Asana", len(inst.Asana.Requests())-before, 0)
			})
		})
	}
}

// An import always replaces a broken connection, but replaces an active connection only
// if Replace is set.
func TestAnImportReplacesAnActiveConnectionOnlyIfAsked(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		before := inst.Rows.Hot(d.ID)
		grant := inst.Grant(asanatest.Member)
		_, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: grant})
		authtest.WantKind(t, err, asanaauth.AlreadyConnected)
		if now := inst.Rows.Hot(d.ID); now.Rev != before.Rev {
			t.Error("the connection was written")
		}
		got, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: grant, Replace: true})
		if err != nil || got.ID != d.ID {
			t.Fatalf("with replace: %+v, %v", got, err)
		}
		if now := inst.Rows.Hot(d.ID); now.Generation != before.Generation+1 || now.Grant <= before.Grant || now.Epoch != before.Epoch {
			t.Errorf("row %+v, want one more consent in the same epoch", now)
		}
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Status, hot.Reason = string(asanaauth.Broken), "invalid-grant" })
		if _, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}); err != nil {
			t.Errorf("replacing a broken one: %v", err)
		}
		// Another person's grant makes a separate connection for the same owner.
		if _, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Guest)}); err != nil {
			t.Errorf("another person's: %v", err)
		}
		// A personal access token never replaces an OAuth grant.
		pat, _ := p.ImportToken("o", asanatest.Member)
		if pat.ID == d.ID || inst.Rows.Hot(d.ID).Kind != string(asanaauth.OAuth) {
			t.Error("a personal access token replaced an OAuth grant")
		}
	})
}

// Asana accepts a refresh token only with the client ID of the app that it was issued to.
func TestAGrantOfAnotherApp(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		grant := inst.Grant(asanatest.Member)
		p := inst.Process(func(s *authtest.Settings) { s.ClientID = "1300000000000099" })
		_, err := p.Connections.CheckImport(t.Context(), connection.ImportRequest{Owner: "o", RefreshToken: grant})
		wantReason(t, err, "inactive")
	})
}

// If Asana does not allow a grant's token to read /users/me, or does not respond, Import
// gets the user from UserInfo or from the token response.
func TestAnImportWithoutUsersMe(t *testing.T) {
	t.Parallel()
	refused := asanatest.Fault{Path: authtest.MePath, Status: http.StatusForbidden}
	for name, c := range map[string]struct {
		scopes string
		data   bool
		ok     bool
		faults []asanatest.Fault
	}{
		"OpenID Connect says":     {authtest.OpenIDScopes, false, true, []asanatest.Fault{refused}},
		"the token response says": {"default", true, true, []asanatest.Fault{refused}},
		"nothing says":            {"default", false, false, []asanatest.Fault{refused}},
		"nothing exists": {"default", false, false, []asanatest.Fault{
			{Path: authtest.MePath, Status: http.StatusNotFound}, {Path: authtest.UserInfoPath, Status: http.StatusNotFound},
		}},
		"an outage": {"default", true, true, []asanatest.Fault{{Path: authtest.MePath, Status: http.StatusServiceUnavailable}}},
		"UserInfo names no gid": {authtest.OpenIDScopes, true, true, []asanatest.Fault{
			refused, {Path: authtest.UserInfoPath, Body: `{"sub":"mia"}`},
		}},
		"neither UserInfo nor the token response names a gid": {authtest.OpenIDScopes, false, false, []asanatest.Fault{
			refused, {Path: authtest.UserInfoPath, Body: `{"sub":"mia"}`},
		}},
		"everything is slow": {authtest.OpenIDScopes, true, true, []asanatest.Fault{
			{GrantType: "refresh_token", AnswerDelay: 7500 * time.Millisecond},
			{Path: authtest.MePath, Delay: time.Minute}, {Path: authtest.UserInfoPath, Delay: time.Minute},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				elsewhere := authtest.New(t)
				elsewhere.UseAsana(inst.Asana)
				elsewhere.Process(func(s *authtest.Settings) { s.Scopes = c.scopes }).SignIn(asanatest.Member)
				inst.Switches(func(s *asanatest.Switches) { s.DataOnRefresh = c.data })
				for _, fault := range c.faults {
					inst.Asana.Inject(fault)
				}
				began := time.Now()
				got, err := inst.Process().Import(connection.ImportRequest{Owner: "o", RefreshToken: secret.New(elsewhere.Wire.Seen()[0])})
				if took := time.Since(began); took > row.CallerTime-row.SaveReserve {
					t.Errorf("the save began after %v, and has no reserve", took)
				}
				if c.ok && (err != nil || got.AttributedTo.GID != asanatest.Member) {
					t.Errorf("Import() = %+v, %v", got, err)
				}
				if !c.ok {
					wantReason(t, err, "identity-refused")
					inst.Rows.WantNothingKept()
				}
			})
		})
	}
}

// Asana refuses one request for the user, and the other one fails. The same import may
// succeed later, so the grant must not be reported as refused.
func TestAnImportWhileUserInfoIsDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		r := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: http.StatusForbidden})
		inst.Asana.Inject(asanatest.Fault{Path: authtest.UserInfoPath, Status: http.StatusServiceUnavailable})
		_, err := inst.Process().Import(r)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		inst.Rows.WantNothingKept()
	})
}

// The access token of an imported grant expires an hour after Asana issued it, however long
// it takes to find out whose it is.
func TestAnImportedTokenAges(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		r := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Delay: 5 * time.Second})
		issued := time.Now()
		got, err := inst.Process().Import(r)
		if want := issued.Add(time.Hour); err != nil || !got.ExpiresAt.Equal(want) {
			t.Errorf("expires at %v, want %v; error %v", got.ExpiresAt, want, err)
		}
	})
}

// Each request of an import has a time limit of eight seconds.
func TestEachRequestOfAnImportHasEightSeconds(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct {
		kind  asanaauth.Kind
		fault asanatest.Fault // before the slow request
	}{
		authtest.IntrospectPath: {kind: asanaauth.PersonalAccessToken},
		authtest.MePath:         {kind: asanaauth.PersonalAccessToken},
		authtest.UserInfoPath:   {asanaauth.OAuth, asanatest.Fault{Path: authtest.MePath, Status: http.StatusForbidden}},
	} {
		t.Run(path, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				r := connection.ImportRequest{Owner: "o"}
				if c.kind == asanaauth.OAuth {
					r.RefreshToken = inst.Grant(asanatest.Member)
					inst.Asana.Inject(c.fault)
				} else {
					r.Kind, r.Token = c.kind, secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot))
				}
				inst.Asana.Inject(asanatest.Fault{Path: path, Delay: time.Minute})
				began := time.Now()
				_, err := inst.Process().Import(r)
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				if took := time.Since(began); took != row.RequestTime {
					t.Errorf("the import took %v, want %v", took, row.RequestTime)
				}
			})
		})
	}
}

// If two of Asana's responses name different users, the import fails.
func TestAnImportWhoseIdentitiesDisagree(t *testing.T) {
	t.Parallel()
	idToken := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1299999999999999"}`)) + ".c2ln"
	for name, fault := range map[string]asanatest.Fault{
		"data": {Path: authtest.MePath, Body: `{"data":{"gid":"1299999999999999"}}`},
		"ID token": {GrantType: "refresh_token", Apply: true,
			Body: `{"access_token":"new","token_type":"bearer","id_token":"` + idToken + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				r := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
				inst.Switches(func(s *asanatest.Switches) { s.DataOnRefresh = true })
				if fault.GrantType != "" {
					inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Body: `{"data":{"gid":"` + asanatest.Member + `"}}`})
				}
				inst.Asana.Inject(fault)
				_, err := inst.Process().Import(r)
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				inst.Rows.WantNothingKept()
			})
		})
	}
}

// If an import cannot save a rotated token, the token is lost, and the import logs an
// alarm.
func TestAnImportThatIsNotSaved(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]bool{"rotated": true, "absent": false, "same": false} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				grant := inst.Grant(asanatest.Member)
				inst.Switches(func(s *asanatest.Switches) {
					if s.RotateRefreshTokens = rotate; !rotate {
						s.RefreshTokenOnRefresh = name
					}
				})
				p.Connect("first", asanatest.Guest) // creates the keyring
				inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					return op.Name != "write", authtest.FailIf(op.Name == "write", authtest.ErrTableDown)
				}
				_, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: grant})
				authtest.WantKind(t, err, asanaauth.TryAgain)
				alarms := 0
				if rotate {
					alarms = 1
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "rotated_token_unsaved"), alarms)
			})
		})
	}
}

// A rotated token cannot be obtained again. The import tries to save it until the table is
// available, or until the import's time ends.
func TestAnImportIsSavedWhenTheTableIsBack(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		grant := inst.Grant(asanatest.Member)
		inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		inst.RefuseWritesAfter("refresh_token", 20*time.Second)
		got, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: grant})
		if err != nil {
			t.Fatal(err)
		}
		inst.Expire()
		if _, err := p.TokenOf(got.ID, token.Request{}); err != nil {
			t.Errorf("the imported connection: %v", err)
		}
	})
}

// If the context of an import's caller is canceled after the import sent the refresh
// request, the import continues, because Asana may have rotated the token.
func TestAnImportGoesOnWhenItsCallerIsGone(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]asanatest.Fault{
		"in the refresh":          {GrantType: "refresh_token", Delay: time.Second},
		"in the request for user": {Path: authtest.MePath, Delay: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				grant := inst.Grant(asanatest.Member)
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
				ctx, cancel := context.WithCancel(t.Context())
				fault.Before = func(*http.Request) { cancel() }
				inst.Asana.Inject(fault)
				if _, err := p.Connections.Import(ctx, connection.ImportRequest{Owner: "o", RefreshToken: grant}); err != nil {
					t.Errorf("Import() = %v", err)
				}
				id := store.ConnectionID(store.HashText("o"), asanatest.Member, string(asanaauth.OAuth))
				inst.Expire()
				if _, err := p.TokenOf(id, token.Request{}); err != nil {
					t.Errorf("the imported connection: %v", err)
				}
			})
		})
	}
}

// The refresh, the request for the user and the save take up to 8 + 8 + 2 seconds. With
// less time, the token is not sent, because it could be rotated and then not be saved.
func TestAnImportNeedsEighteenSeconds(t *testing.T) {
	t.Parallel()
	for left, refreshes := range map[time.Duration]int{17900 * time.Millisecond: 0, 18100 * time.Millisecond: 1} {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			grant := inst.Grant(asanatest.Member)
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			_, err := p.Connections.Import(ctx, connection.ImportRequest{Owner: "o", RefreshToken: grant})
			if (err == nil) != (refreshes == 1) {
				t.Errorf("with %v left: %v", left, err)
			}
			authtest.WantCount(t, "refreshes", inst.Refreshes(), refreshes)
		})
	}
}

// An import does not send a refresh token if too little of the import's 25 seconds is
// left to save a rotated token.
func TestAnImportWithoutTimeSendsNothing(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		r := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		p.Connect("first", asanatest.Guest) // creates the keyring
		inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
			time.Sleep(10 * time.Second)
			return true, nil
		}
		_, err := p.Import(r)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
	})
}

// If any table operation of an import fails, a repeated import must result in one working
// connection, provided that Asana does not rotate refresh tokens.
func TestCrashPointsOfAnImport(t *testing.T) {
	t.Parallel()
	authtest.CrashPoints(t, func(t *testing.T, fault *authtest.Fault) {
		inst := authtest.New(t)
		p := inst.Process()
		p.Connect("first", asanatest.Guest)
		r := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		var err error
		fault.During(inst, func() { _, err = p.Import(r) })
		if err != nil {
			authtest.WantKind(t, err, asanaauth.TryAgain)
		}
		got, err := inst.Process().Import(r)
		if err != nil {
			t.Fatal(err)
		}
		if hot := inst.Rows.Hot(got.ID); hot.Generation != 1 {
			t.Errorf("%d consents", hot.Generation)
		}
		time.Sleep(2 * time.Hour)
		if _, err := p.TokenOf(got.ID, token.Request{}); err != nil {
			t.Error(err)
		}
	})
}

// The response to an import's write is lost, and a refresh changes the hot row before the
// import repeats the write. From the cold row, the import must recognize that its first
// write succeeded.
func TestAnImportRecognizesItsOwnWrite(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		r := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		id := store.ConnectionID(store.HashText("o"), asanatest.Member, string(asanaauth.OAuth))
		lost := false
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			switch {
			case len(op.Changes) != 4:
			case !lost:
				lost = true
				return true, authtest.ErrTableDown
			default: // the import's second try
				inst.Rows.Edit(id, func(hot *store.Hot) { hot.Grant++ })
			}
			return true, nil
		}
		if _, err := p.Import(r); err != nil || !lost {
			t.Fatal(err, lost)
		}
		if hot := inst.Rows.Hot(id); hot.Generation != 1 || hot.Grant != 2 {
			t.Errorf("the refreshed row was overwritten: %+v", hot)
		}
	})
}
