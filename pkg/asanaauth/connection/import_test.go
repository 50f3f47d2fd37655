package connection_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	authtest.WantKind(t, err, asanaauth.TokenRejected)
	var e *asanaauth.Error
	if errors.As(err, &e); e.Reason != reason {
		t.Errorf("reason %q, want %q", e.Reason, reason)
	}
}

func TestImportOfALongLivedToken(t *testing.T) {
	t.Parallel()
	for gid, kind := range map[string]asanaauth.Kind{asanatest.Bot: asanaauth.PersonalAccessToken, asanatest.ServiceAccount: asanaauth.ServiceAccount} {
		t.Run(string(kind), func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				d, value := p.ImportToken("o", gid)
				if d.Kind != kind || d.AttributedTo.GID != gid || d.AttributedTo.Name.IsZero() || d.Owner != "o" || d.Status != asanaauth.Active ||
					d.ID != store.ConnectionID(store.HashText("o"), gid, string(kind)) || d.ScopeRequested != "" || !d.LastRefreshed.IsZero() {
					t.Errorf("got %+v", d)
				}
				if hot := inst.Rows.Hot(d.ID); hot.ClientID != "" {
					t.Errorf("client id %q", hot.ClientID)
				}
				got, err := p.TokenOf(d.ID, token.Request{MinTTL: 50 * time.Minute})
				if err != nil || !got.Access.Equal(value) {
					t.Fatalf("TokenOf() = %v", err)
				}
				time.Sleep(1000 * time.Hour)
				if got, err = p.TokenOf(d.ID, token.Request{}); err != nil || inst.Whose(got.Access) != gid {
					t.Errorf("weeks later: %v", err)
				}
				authtest.WantCount(t, "audit lines", inst.Log.Says("audit", "imported"), 1)
				authtest.WantCount(t, "released", inst.Log.Says("audit", "token_released"), 2)
				for _, row := range inst.Rows.All() {
					for _, text := range []string{value.Reveal(), d.AttributedTo.Name.Reveal(), `"o"`} {
						if authtest.Holds(row, text) {
							t.Errorf("a %T contains %q", row, text)
						}
					}
				}
				if strings.Contains(inst.Log.String(), value.Reveal()) {
					t.Error("a log line contains the token")
				}
			})
		})
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	long := secret.New(strings.Repeat("x", 8193))
	good := secret.New("t")
	for name, r := range map[string]connection.ImportRequest{
		"nothing":                  {Owner: "o"},
		"both":                     {Owner: "o", Token: good, RefreshToken: good, Kind: asanaauth.PersonalAccessToken},
		"no kind":                  {Owner: "o", Token: good},
		"kind oauth":               {Owner: "o", Token: good, Kind: asanaauth.OAuth},
		"an unknown kind":          {Owner: "o", Token: good, Kind: "bot"},
		"no owner":                 {Token: good, Kind: asanaauth.PersonalAccessToken},
		"an owner of a sign-in":    {Owner: "asana:1", Token: good, Kind: asanaauth.PersonalAccessToken},
		"a token with a newline":   {Owner: "o", Token: secret.New("a\r\nb"), Kind: asanaauth.PersonalAccessToken},
		"a token with a space":     {Owner: "o", Token: secret.New("a b"), Kind: asanaauth.PersonalAccessToken},
		"a token that is too long": {Owner: "o", Token: long, Kind: asanaauth.ServiceAccount},
		"a long refresh token":     {Owner: "o", RefreshToken: long},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				_, err := p.Import(r)
				authtest.WantKind(t, err, asanaauth.InvalidRequest)
				_, err = p.Connections.CheckImport(t.Context(), r)
				authtest.WantKind(t, err, asanaauth.InvalidRequest)
				inst.Rows.WantNothingKept()
				authtest.WantCount(t, "requests to Asana", len(inst.Asana.Requests()), 0)
			})
		})
	}
}

func TestImportsThatAsanaRejects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason  string
		request func(inst *authtest.Installation) connection.ImportRequest
	}{
		"an unknown token": {"inactive", func(*authtest.Installation) connection.ImportRequest {
			return connection.ImportRequest{Token: secret.New("0/made-up"), Kind: asanaauth.PersonalAccessToken}
		}},
		"a revoked token": {"inactive", func(inst *authtest.Installation) connection.ImportRequest {
			value := inst.Asana.PersonalAccessToken(asanatest.Bot)
			if err := inst.Asana.RevokeToken(value); err != nil {
				inst.T.Fatal(err)
			}
			return connection.ImportRequest{Token: secret.New(value), Kind: asanaauth.PersonalAccessToken}
		}},
		"an app's access token": {"oauth-token", func(inst *authtest.Installation) connection.ImportRequest {
			elsewhere := authtest.New(inst.T)
			elsewhere.UseAsana(inst.Asana)
			p := elsewhere.Process()
			token := p.MustToken(p.SignIn(asanatest.Member), 0)
			return connection.ImportRequest{Token: token.Access, Kind: asanaauth.PersonalAccessToken}
		}},
		"a refresh token that names no app": {"oauth-token", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: `{"active":true,"token_type":"refresh"}`})
			return connection.ImportRequest{Token: secret.New("0/of-no-app"), Kind: asanaauth.ServiceAccount}
		}},
		"an expired token": {"inactive", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Unix())})
			return connection.ImportRequest{Token: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot)), Kind: asanaauth.PersonalAccessToken}
		}},
		"a token that Asana then rejects": {"identity-refused", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: http.StatusUnauthorized, Body: `{}`})
			return connection.ImportRequest{Token: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot)), Kind: asanaauth.PersonalAccessToken}
		}},
		"an app's refresh token": {"oauth-token", func(inst *authtest.Installation) connection.ImportRequest {
			return connection.ImportRequest{Token: inst.Grant(asanatest.Member), Kind: asanaauth.PersonalAccessToken}
		}},
		"an account that may not read its own name": {"identity-refused", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: http.StatusForbidden, Body: `{"errors":[{"message":"Not allowed"}]}`})
			return connection.ImportRequest{Token: secret.New(inst.Asana.ServiceAccountToken(asanatest.ServiceAccount)), Kind: asanaauth.ServiceAccount}
		}},
		"an account whose record Asana does not show": {"identity-refused", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: http.StatusNotFound, Body: `{"errors":[{"message":"Not Found"}]}`})
			return connection.ImportRequest{Token: secret.New(inst.Asana.ServiceAccountToken(asanatest.ServiceAccount)), Kind: asanaauth.ServiceAccount}
		}},
		"an account that has to pay for the API": {"identity-refused", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: http.StatusPaymentRequired, Body: `{"errors":[{"message":"Payment Required"}]}`})
			return connection.ImportRequest{Token: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot)), Kind: asanaauth.PersonalAccessToken}
		}},
		"an unknown token, with an error": {"inactive", func(inst *authtest.Installation) connection.ImportRequest {
			inst.Switches(func(s *asanatest.Switches) { s.UnknownTokenStatus = http.StatusNotFound })
			return connection.ImportRequest{Token: secret.New("0/unknown"), Kind: asanaauth.PersonalAccessToken}
		}},
		"a long-lived token as a refresh token": {"inactive", func(inst *authtest.Installation) connection.ImportRequest {
			return connection.ImportRequest{RefreshToken: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot))}
		}},
		"a revoked refresh token": {"inactive", func(inst *authtest.Installation) connection.ImportRequest {
			r := connection.ImportRequest{RefreshToken: inst.Grant(asanatest.Member)}
			if err := inst.Asana.RevokeGrants(""); err != nil {
				inst.T.Fatal(err)
			}
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				r := c.request(inst)
				r.Owner = "o"
				_, err := inst.Process().Import(r)
				wantReason(t, err, c.reason)
				inst.Rows.WantNothingKept()
				for _, text := range []string{r.Token.Reveal(), r.RefreshToken.Reveal()} {
					if text != "" && (strings.Contains(inst.Log.String(), text) || strings.Contains(err.Error(), text)) {
						t.Error("the token is in a log line or an error")
					}
				}
			})
		})
	}
}

// If Asana accepts a token but does not introspect it, nothing shows whether the token
// belongs to an OAuth app.
func TestImportsThatAsanaDoesNotIntrospect(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Status: http.StatusForbidden})
		_, err := inst.Process().Import(connection.ImportRequest{
			Owner: "o", Token: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot)), Kind: asanaauth.PersonalAccessToken,
		})
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		inst.Rows.WantNothingKept()
	})
}

// If a connection is broken, importing the same credential again verifies the credential
// at Asana and repairs the connection.
func TestAnImportRepairsABrokenConnection(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		r := connection.ImportRequest{Owner: "o", Kind: asanaauth.PersonalAccessToken, Token: value}
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Status, hot.Reason, hot.Access = string(asanaauth.Broken), "inactive", nil })
		got, err := p.Import(r)
		if err != nil || got.Already || got.Status != asanaauth.Active {
			t.Errorf("Import() = %+v, %v", got, err)
		}
		// Importing the same token with a different kind or owner makes a second
		// connection.
		r.Kind = asanaauth.ServiceAccount
		if got, err := p.Import(r); err != nil || got.Already || got.ID == d.ID {
			t.Errorf("as another kind: %+v, %v", got, err)
		}
		r.Owner = "another"
		if got, err := p.Import(r); err != nil || got.Already {
			t.Errorf("of another owner: %+v, %v", got, err)
		}
	})
}

// A dry run sends no token request and does not save the credential.
func TestADryRunOnlyIntrospects(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		grant := inst.Grant(asanatest.Member)
		for _, r := range []connection.ImportRequest{
			{Owner: "o", RefreshToken: grant},
			{Owner: "o", Token: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot)), Kind: asanaauth.PersonalAccessToken},
		} {
			if already, err := p.Connections.CheckImport(t.Context(), r); err != nil || already {
				t.Errorf("CheckImport() = %v, %v", already, err)
			}
		}
		_, err := p.Connections.CheckImport(t.Context(), connection.ImportRequest{Owner: "o", RefreshToken: secret.New("made-up")})
		wantReason(t, err, "inactive")
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
		inst.Rows.WantNothingKept()
	})
}
