package token_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A long-lived token can become invalid at any time. If a caller reports the token as
// refused, the token is introspected.
func TestARefusedLongLivedToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		r := token.Request{RefusedSHA256: store.HashText(value.Reveal()).String()}
		introspections := func() int { return inst.Asana.CountRequests(authtest.IntrospectPath) }
		time.Sleep(time.Minute)
		before := introspections()
		// The token is active. Only the first of three reports within 30 seconds causes
		// an introspection.
		for range 3 {
			if _, err := p.TokenOf(d.ID, r); err != nil {
				t.Fatal(err)
			}
		}
		authtest.WantCount(t, "introspections", introspections()-before, 1)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.TokenOf(d.ID, token.Request{}); err != nil {
			t.Errorf("without a report: %v", err)
		}
		time.Sleep(31 * time.Second)
		if _, err := p.TokenOf(d.ID, token.Request{Refused: secret.New("another")}); err != nil {
			t.Errorf("with a report of another token: %v", err)
		}
		_, err := p.TokenOf(d.ID, r)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		got, err := p.Connections.Describe(t.Context(), p.Open(d.ID))
		if err != nil || got.Status != asanaauth.Broken || got.StatusReason != "inactive" || got.BrokenAt.IsZero() {
			t.Errorf("Describe() = %+v, %v; want a broken connection, inactive", got, err)
		}
		if hot := inst.Rows.Hot(d.ID); len(hot.Access) > 0 {
			t.Error("the inactive token was not erased")
		}
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", "reconnect_required"), 1)
		// Importing a new token for the same account repairs the connection.
		if again, _ := p.ImportToken("o", asanatest.Bot); again.ID != d.ID || again.Status != asanaauth.Active {
			t.Errorf("a new token: %+v", again)
		}
	})
}

// If a token cannot be introspected because Asana is unavailable, the connection stays
// active.
func TestALongLivedTokenWithAsanaDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		time.Sleep(time.Minute)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Status: 503, Times: -1})
		_, err := p.TokenOf(d.ID, token.Request{Refused: value})
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		if hot := inst.Rows.Hot(d.ID); hot.Status != string(asanaauth.Active) {
			t.Errorf("got status %s", hot.Status)
		}
	})
}

// If a new token is imported while the old token is introspected, the connection stays
// active, even if the old token is inactive.
func TestAnInactiveTokenDoesNotBreakANewOne(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		time.Sleep(time.Minute)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Before: func(*http.Request) {
			inst.Process().ImportToken("o", asanatest.Bot)
		}})
		got, err := p.TokenOf(d.ID, token.Request{Refused: value})
		if err != nil || inst.Whose(got.Access) != asanatest.Bot {
			t.Errorf("TokenOf() = %v", err)
		}
		if hot := inst.Rows.Hot(d.ID); hot.Status != string(asanaauth.Active) {
			t.Errorf("got status %s", hot.Status)
		}
	})
}

// A token that is reported as refused immediately after its import is introspected,
// because the import does not count as a report.
func TestARefusedTokenRightAfterItsImport(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		_, err := p.TokenOf(d.ID, token.Request{Refused: value})
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		if hot := inst.Rows.Hot(d.ID); hot.Status != string(asanaauth.Broken) || hot.Reason != "inactive" {
			t.Errorf("the connection is %s, %s", hot.Status, hot.Reason)
		}
	})
}

// A long-lived token has the expiry that Asana reported, or no expiry.
func TestTheExpiryOfALongLivedToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: `{"active":true,"scope":"default"}`})
		d, _ := p.ImportToken("without", asanatest.Bot)
		got, err := p.TokenOf(d.ID, token.Request{})
		if err != nil || !d.ExpiresAt.IsZero() || got.ExpiresIn != 0 || got.Scope != "default" {
			t.Errorf("without an expiry: %v, %+v, %v", d.ExpiresAt, got, err)
		}
		end := time.Now().Add(time.Hour)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Body: fmt.Sprintf(`{"active":true,"exp":%d}`, end.Unix())})
		d, value := p.ImportToken("with", asanatest.Bot)
		got, err = p.TokenOf(d.ID, token.Request{})
		if err != nil || !d.ExpiresAt.Equal(end) || got.ExpiresIn != time.Hour {
			t.Errorf("with an expiry: %v, %v, %v", d.ExpiresAt, got.ExpiresIn, err)
		}
		time.Sleep(time.Hour)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		_, err = p.TokenOf(d.ID, token.Request{})
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
	})
}
