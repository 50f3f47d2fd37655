package login_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestTheAuthorizeURL(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		attempt := inst.Process(authtest.WithOpenID).Begin()
		q := authtest.Query(t, attempt.URL)
		for name, want := range map[string]string{
			"client_id": authtest.ClientID, "redirect_uri": authtest.RedirectURI, "response_type": "code",
			"scope": authtest.OpenIDScopes, "code_challenge_method": "S256",
		} {
			if got := q.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if raw, err := base64.RawURLEncoding.DecodeString(q.Get(name)); err != nil || len(raw) != 32 {
				t.Errorf("%s is not 32 bytes: %q", name, q.Get(name))
			}
		}
		if sum := sha256.Sum256([]byte(q.Get("state"))); attempt.Name != hex.EncodeToString(sum[:8]) {
			t.Errorf("the attempt's name is %q", attempt.Name)
		}
		if got := authtest.Query(t, inst.Process().Begin().URL).Get("nonce"); got != "" {
			t.Errorf("got the nonce %q without the scope openid", got)
		}
		if got := authtest.Query(t, inst.Process(func(s *authtest.Settings) { s.Scopes = "default openidx" }).Begin().URL).Get("nonce"); got != "" {
			t.Errorf("got the nonce %q for another scope", got)
		}
		both := inst.Process(authtest.WithOpenID, withIDToken).Begin()
		if got := authtest.Query(t, both.URL).Get("response_type"); got != "code id_token" {
			t.Errorf("response_type = %q", got)
		}
	})
}

// An attacker who knows only the table, or only the browser's data, cannot finish an
// attempt.
func TestAnAttemptsRowRevealsNothing(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		sniffed := &sniffer{next: inst.Wire}
		p := inst.Process(authtest.WithOpenID, func(s *authtest.Settings) { s.Transport = sniffed })
		attempt := p.Begin()
		rows := inst.Rows.All()
		response := p.Answer(attempt, asanatest.Member)
		if _, err := p.Callback(response); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, inst.Rows.All()...)
		for what, text := range map[string]string{
			"state": response.State, "browser secret": attempt.Browser.Reveal(), "code": response.Code.Reveal(),
			"nonce": authtest.Query(t, attempt.URL).Get("nonce"), "verifier": sniffed.seen()[0].Get("code_verifier"),
		} {
			if len(text) < 20 {
				t.Errorf("%s is %d bytes long", what, len(text))
			}
			for _, row := range rows {
				if authtest.Holds(row, text) {
					t.Errorf("a %T contains the %s", row, what)
				}
			}
		}
		if verifier := sniffed.seen()[0].Get("code_verifier"); verifier == attempt.Browser.Reveal() || verifier == authtest.Query(t, attempt.URL).Get("nonce") {
			t.Error("the verifier is known to the browser")
		}
		if known := attempt.Browser.Reveal(); known == response.State || strings.Contains(attempt.URL, known) {
			t.Error("the browser's secret is in the URL")
		}
	})
}

func TestAuthorizeRejectsBadRequests(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 257)
	for name, c := range map[string]struct {
		request login.AuthorizeRequest
		kind    asanaauth.ErrorKind
	}{
		"another address":   {login.AuthorizeRequest{ReturnTo: "https://evil.example/done"}, asanaauth.InvalidRequest},
		"a longer address":  {login.AuthorizeRequest{ReturnTo: authtest.ReturnURL + "/x"}, asanaauth.InvalidRequest},
		"a query":           {login.AuthorizeRequest{ReturnTo: authtest.ReturnURL + "?x"}, asanaauth.InvalidRequest},
		"another case":      {login.AuthorizeRequest{ReturnTo: strings.ToUpper(authtest.ReturnURL)}, asanaauth.InvalidRequest},
		"a part":            {login.AuthorizeRequest{ReturnTo: authtest.ReturnURL[:len(authtest.ReturnURL)-1]}, asanaauth.InvalidRequest},
		"app_state: blank":  {login.AuthorizeRequest{AppState: "a b"}, asanaauth.InvalidRequest},
		"app_state: long":   {login.AuthorizeRequest{AppState: long}, asanaauth.InvalidRequest},
		"app_state: umlaut": {login.AuthorizeRequest{AppState: "ü"}, asanaauth.InvalidRequest},
		"app_state: inside": {login.AuthorizeRequest{AppState: "a&b"}, asanaauth.InvalidRequest},
		"app_state: line":   {login.AuthorizeRequest{AppState: "a\n"}, asanaauth.InvalidRequest},
		"a link":            {login.AuthorizeRequest{Link: "a-link"}, asanaauth.LinkExpired},
	} {
		t.Run(name, func(t *testing.T) {
			inst := authtest.New(t)
			attempt, err := inst.Process().Authorizer.Authorize(t.Context(), c.request)
			authtest.WantKind(t, err, c.kind)
			if attempt.URL != "" || !attempt.Browser.IsZero() {
				t.Error("an attempt was stored")
			}
			authtest.WantCount(t, "rows", len(inst.Rows.All()), 0)
		})
	}
}

func TestLinksOnly(t *testing.T) {
	t.Parallel()
	inst := authtest.New(t)
	p := inst.Process(func(s *authtest.Settings) { s.LinksOnly = true })
	_, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{})
	authtest.WantKind(t, err, asanaauth.InvalidRequest)
	_, err = p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: "a-link"})
	authtest.WantKind(t, err, asanaauth.LinkExpired)
	authtest.WantCount(t, "rows", len(inst.Rows.All()), 0)
	p.BeginAt(p.Link(link.Request{Owner: "o"}))
}

func TestAuthorizeWhileTheTableIsDown(t *testing.T) {
	t.Parallel()
	inst := authtest.New(t)
	inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
	_, err := inst.Process().Authorizer.Authorize(t.Context(), login.AuthorizeRequest{})
	authtest.WantKind(t, err, asanaauth.TryAgain)
}
