package link_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestFromALinkToAToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "customer-1", Person: "ann of accounting"}), asanatest.Member)
		if kept := inst.Rows.Kept(); kept["*store.Link"] != 1 || len(kept) != 1 {
			t.Errorf("kept before redeeming: %v", kept)
		}
		d, err := p.Redeem(code, "customer-1", "ann of accounting")
		if err != nil {
			t.Fatal(err)
		}
		want := asanaauth.Details{
			ID: store.ConnectionID(store.HashText("customer-1"), asanatest.Member, string(asanaauth.OAuth)), Kind: asanaauth.OAuth,
			Owner: "customer-1", Status: asanaauth.Active, ScopeRequested: "default",
		}
		if d.ID != want.ID || d.Kind != want.Kind || d.Owner != want.Owner || d.Status != want.Status || d.ScopeRequested != want.ScopeRequested ||
			d.AttributedTo.GID != asanatest.Member || d.AttributedTo.Name.Reveal() != "Mia Member" || d.AttributedTo.Email.Reveal() != "mia@acme.example" {
			t.Errorf("got %+v", d)
		}
		again, err := p.Connections.Describe(t.Context(), p.Open(d.ID))
		if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", d.Details) || again.AttributedTo.Name.Reveal() != "Mia Member" {
			t.Errorf("Describe() = %+v, %v, want %+v", again, err, d.Details)
		}
		if got, err := p.TokenOf(d.ID, token.Request{}); err != nil || inst.Whose(got.Access) != asanatest.Member {
			t.Errorf("the token is not the person's: %v", err)
		}
		if got := inst.Log.Says("audit", "connected"); got != 1 || inst.Log.Says("audit", "code_redeemed") != 1 || inst.Log.Says("caller", authtest.Backend) != 3 {
			t.Errorf("audit lines: %s", inst.Log)
		}
		for _, row := range inst.Rows.All() {
			for _, text := range append(inst.Wire.Seen(), code.Reveal(), "Mia Member", "mia@acme.example", "customer-1", "ann of accounting") {
				if authtest.Holds(row, text) {
					t.Errorf("a %T contains %q", row, text)
				}
			}
		}
	})
}

func TestCreateRejectsBadRequests(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]link.Request{
		"no owner":                {},
		"300 bytes":               {Owner: strings.Repeat("o", 300)},
		"257 bytes":               {Owner: strings.Repeat("o", 257)},
		"a control character":     {Owner: "a\x7fb"},
		"another one":             {Owner: "a\u0085b"},
		"not UTF-8":               {Owner: "a\xffb"},
		"an owner of sign-in":     {Owner: "asana:1200000000000001"},
		"a person of 257 bytes":   {Owner: "o", Person: strings.Repeat("p", 257)},
		"a person with a newline": {Owner: "o", Person: "a\nb"},
		"another address":         {Owner: "o", ReturnTo: "https://evil.example/"},
		"a scope of others":       {Owner: "o", Scopes: "tasks:write"},
		"a scope twice":           {Owner: "o", Scopes: "openid openid"},
		"two spaces":              {Owner: "o", Scopes: "openid  email"},
		"not a gid":               {Owner: "o", AsanaUser: "me"},
	} {
		t.Run(name, func(t *testing.T) {
			inst := authtest.New(t)
			_, err := inst.Process().Links("default openid email").Create(t.Context(), r)
			authtest.WantKind(t, err, asanaauth.InvalidRequest)
			authtest.WantCount(t, "rows", len(inst.Rows.All()), 0)
		})
	}
	inst := authtest.New(t)
	for _, owner := range []string{"o", strings.Repeat("ö", 128), "asana", "Asana:1", "a b", "\u202e"} {
		if _, err := inst.Process().Links("default").Create(t.Context(), link.Request{Owner: owner}); err != nil {
			t.Errorf("owner %q: %v", owner, err)
		}
	}
}

func TestALinkDeterminesReturnURLAndScopes(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) {
			s.Scopes, s.ReturnURLs = authtest.OpenIDScopes, []string{authtest.ReturnURL, authtest.OtherReturnURL}
		})
		l, err := p.Links(authtest.OpenIDScopes).Create(t.Context(), link.Request{Owner: "o", ReturnTo: authtest.OtherReturnURL, Scopes: "openid email"})
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Now().Add(30 * time.Minute); !l.End.Equal(want) {
			t.Errorf("ends at %v, want %v", l.End, want)
		}
		if !strings.HasPrefix(l.URL.Reveal(), "https://auth.example.com/authorize?link=") {
			t.Errorf("got URL %s, want /authorize with a link", l.URL.Reveal())
		}
		token := authtest.LinkToken(t, l)
		_, err = p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token, ReturnTo: authtest.ReturnURL})
		authtest.WantKind(t, err, asanaauth.InvalidRequest)
		attempt, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token, ReturnTo: authtest.OtherReturnURL, AppState: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if got := authtest.Query(t, attempt.URL).Get("scope"); got != "openid email" {
			t.Errorf("asks for %q", got)
		}
		outcome, err := p.Callback(p.Answer(attempt, asanatest.Member))
		if err != nil || outcome.ReturnURL != authtest.OtherReturnURL || outcome.AppState != "s" {
			t.Fatalf("Callback() = %+v, %v", outcome, err)
		}
		d, err := p.Redeem(outcome.ConnectCode, "o", "")
		if err != nil || d.ScopeRequested != "openid email" {
			t.Errorf("Redeem() = %+v, %v", d, err)
		}
	})
}

// If a link's return URL is removed from ReturnURLs after the link was made, Authorize
// rejects the link.
func TestALinkToAReturnURLThatIsNoLongerAllowed(t *testing.T) {
	t.Parallel()
	inst := authtest.New(t)
	token := inst.Process().Link(link.Request{Owner: "o", ReturnTo: authtest.OtherReturnURL})
	_, err := inst.Process().Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token})
	authtest.WantKind(t, err, asanaauth.LinkExpired)
	allowed := inst.Process(func(s *authtest.Settings) { s.ReturnURLs = []string{authtest.ReturnURL, authtest.OtherReturnURL} })
	if _, err := allowed.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token}); err != nil {
		t.Errorf("a process that allows it: %v", err)
	}
}

// The response type "code id_token" needs the scope openid. Authorize rejects a link
// whose scopes do not include openid.
func TestALinkWithoutOpenID(t *testing.T) {
	t.Parallel()
	inst := authtest.New(t)
	p := inst.Process(func(s *authtest.Settings) { s.Scopes, s.ResponseType = authtest.OpenIDScopes, "code id_token" })
	for scopes, ok := range map[string]bool{"openid": true, "email": false} {
		l, err := p.Links(authtest.OpenIDScopes).Create(t.Context(), link.Request{Owner: "o", Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: authtest.LinkToken(t, l)})
		if ok && err != nil {
			t.Errorf("scopes %s: Authorize() = %v", scopes, err)
		}
		if !ok {
			authtest.WantKind(t, err, asanaauth.InvalidRequest)
		}
	}
}

// A link can be opened several times, for example by a program that prefetches URLs.
// After the first successful redemption, the link no longer works for anyone.
func TestALinkWorksUntilOneSuccess(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		token := p.Link(link.Request{Owner: "o"})
		p.BeginAt(token)
		late := p.BeginAt(token)
		first := p.Follow(token, asanatest.Member)
		second := p.Follow(token, asanatest.Guest) // replaces the first person's consent
		_, err := p.Redeem(first, "o", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		d, err := p.Redeem(second, "o", "")
		if err != nil || d.AttributedTo.GID != asanatest.Guest {
			t.Fatalf("Redeem() = %+v, %v", d, err)
		}
		_, err = p.Redeem(first, "o", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		_, err = p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token})
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		outcome, err := p.Callback(p.Answer(late, asanatest.Member))
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		if !outcome.ConnectCode.IsZero() || outcome.ReturnURL != authtest.ReturnURL {
			t.Errorf("after the success: %+v", outcome)
		}
		if kept := inst.Rows.Kept(); kept["*store.Hot"] != 1 {
			t.Errorf("rows %v, want one connection", kept)
		}
	})
}

func TestWhenLinksAndCodesExpire(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		token := p.Link(link.Request{Owner: "o"})
		time.Sleep(30*time.Minute - time.Second)
		attempt := p.BeginAt(token) // the link expires soon after this call
		time.Sleep(2 * time.Second)
		_, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token})
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		time.Sleep(10*time.Minute - 3*time.Second)
		response := p.Answer(attempt, asanatest.Member)
		// Asana responds only after the attempt has expired.
		inst.Asana.Inject(asanatest.Fault{GrantType: "authorization_code", Delay: 5 * time.Second})
		outcome, err := p.Callback(response)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range inst.Rows.All() {
			if l, ok := row.(*store.Link); ok && l.Keep.Before(l.CodeEnd) {
				t.Errorf("the table can delete the row at %v, before the code expires at %v", l.Keep, l.CodeEnd)
			}
		}
		time.Sleep(10*time.Minute - time.Second)
		if _, err := p.Redeem(outcome.ConnectCode, "o", ""); err != nil {
			t.Errorf("within the code's ten minutes: %v", err)
		}

		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		time.Sleep(10 * time.Minute)
		_, err = p.Redeem(code, "o", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		for _, row := range inst.Rows.All() {
			if l, ok := row.(*store.Link); ok && !l.Spent && (len(l.Held) > 0 || !l.Code.IsZero()) {
				t.Error("the row still contains an expired consent")
			}
		}
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
	})
}

func TestALinkForOneAsanaUser(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		token := p.Link(link.Request{Owner: "o", AsanaUser: asanatest.Member})
		outcome, err := p.Callback(p.Answer(p.BeginAt(token), asanatest.Guest))
		authtest.WantKind(t, err, asanaauth.WrongAccount)
		if !outcome.ConnectCode.IsZero() || outcome.ReturnURL == "" {
			t.Errorf("got %+v, want a return URL and no connect code", outcome)
		}
		for _, row := range inst.Rows.All() {
			if l, ok := row.(*store.Link); ok && (len(l.Held) > 0 || !l.Code.IsZero()) {
				t.Error("the row contains a consent, want none")
			}
		}
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		if _, err := p.Redeem(p.Follow(token, asanatest.Member), "o", ""); err != nil {
			t.Errorf("the expected user: %v", err)
		}
	})
}
