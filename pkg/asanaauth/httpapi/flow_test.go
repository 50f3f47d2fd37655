package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const sessionCookie = "__Host-asana_session"

func TestSignInToDisconnect(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)

		who := b.do(get("/session", "Origin", appOrigin)).want(200).json()
		connection, _ := who["connection"].(string)
		if !strings.HasPrefix(connection, "con_") || !strings.HasPrefix(b.jar[sessionCookie], connection+".") {
			t.Errorf("got connection %q, want the one in the cookie %q", connection, b.jar[sessionCookie])
		}
		want := map[string]any{
			"connection": connection, "asana_user": asanatest.Member, "name": "Mia Member", "email": "mia@acme.example",
			"picture": "https://photos.example/mia.png", "scope": "default openid email profile", "status": "active",
			"expires_at": time.Now().Add(720 * time.Hour).UTC().Format(time.RFC3339),
		}
		if diff := cmp.Diff(want, who); diff != "" {
			t.Errorf("GET /session (-want +got):\n%s", diff)
		}

		token := b.refresh("").want(200).json()
		access, _ := token["access_token"].(string)
		if access == "" || token["token_type"] != "Bearer" || token["expires_in"] != float64(3600) || len(token) != 4 {
			t.Errorf("POST /refresh: got %v", token)
		}

		in := b.do(get("/membership?workspace="+asanatest.Acme, "Sec-Fetch-Site", "same-origin")).want(200).json()
		wantIn := map[string]any{
			"workspace": map[string]any{"gid": asanatest.Acme, "name": "Acme"},
			"user":      map[string]any{"gid": asanatest.Member, "name": "Mia Member"},
			"is_active": true, "is_admin": false, "is_guest": false, "is_view_only": false, "can_write": true,
			"unknown": map[string]any{}, "asked_with": "connection", "checked_at": time.Now().UTC().Format(time.RFC3339),
		}
		if diff := cmp.Diff(wantIn, in); diff != "" {
			t.Errorf("GET /membership?workspace= (-want +got):\n%s", diff)
		}
		list := b.do(get("/membership", "Origin", appOrigin)).want(200).json()
		if diff := cmp.Diff(map[string]any{"data": []any{wantIn}}, list); diff != "" {
			t.Errorf("GET /membership (-want +got):\n%s", diff)
		}

		ended := b.do(frontendCall(http.MethodPost, "/disconnect", "{}")).want(200)
		if ended.body != `{"status":"disconnected","revoked_at_asana":true}` {
			t.Errorf("POST /disconnect: got %s", ended.body)
		}
		if _, ok := b.jar[sessionCookie]; ok {
			t.Error("the disconnect did not delete the session cookie")
		}
		if n := b.asana.CountRequests("/-/oauth_revoke"); n != 1 {
			t.Errorf("got %d revocation requests, want 1", n)
		}
	})
}

// A sign-in with the scope openid must work for both response types, with and without an
// ID token in the token response.
func TestSignInWithAndWithoutAnIDToken(t *testing.T) {
	t.Parallel()
	for _, responseType := range []string{login.ResponseCode, login.ResponseCodeIDToken} {
		for _, inTokenResponse := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, ID token in the token response: %t", responseType, inTokenResponse), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newSite(t, func(o *options) { o.responseType = responseType })
					must(t, s.asana.SetSwitches(func(s *asanatest.Switches) { s.IDTokenInTokenResponse = inTokenResponse }))
					b := s.browser()
					if responseType == login.ResponseCode {
						b.signIn(asanatest.Member)
					} else {
						b.signInByFragment(asanatest.Member)
					}
					if who := b.do(get("/session", "Origin", appOrigin)).want(200).json(); who["asana_user"] != asanatest.Member {
						t.Errorf("GET /session: got %v, want asana_user %s", who, asanatest.Member)
					}
					b.refresh("").want(200)
					fetched := s.asana.CountRequests("/api/1.0/openid_connect/jwks")
					if want := responseType == login.ResponseCodeIDToken || inTokenResponse; (fetched == 1) != want {
						t.Errorf("got %d requests for Asana's signing keys, want one: %t", fetched, want)
					}
				})
			})
		}
	}
}

func TestMinTTL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left      time.Duration // the remaining lifetime of a token that was issued for one hour
		body      string
		refreshed int
	}{
		"enough by default":      {301 * time.Second, "", 0},
		"too little by default":  {299 * time.Second, "{}", 1},
		"enough for min_ttl":     {101 * time.Second, `{"min_ttl":100}`, 0},
		"too little for min_ttl": {399 * time.Second, `{"min_ttl":400}`, 1},
		"min_ttl 0":              {6 * time.Second, `{"min_ttl":0}`, 0},
		"half of its lifetime":   {1801 * time.Second, `{"min_ttl":3000}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newSite(t).browser().signIn(asanatest.Member)
				time.Sleep(time.Hour - c.left)
				left := b.refresh(c.body).want(200).json()["expires_in"]
				if n := b.asana.CountRequests("refresh_token"); n != c.refreshed {
					t.Errorf("got %d refreshes, want %d", n, c.refreshed)
				}
				if want := c.left.Seconds(); c.refreshed == 0 && left != want {
					t.Errorf("got expires_in %v, want %v", left, want)
				}
			})
		})
	}
}

type otherZone struct{ asanaauth.SystemClock }

func (otherZone) Now() time.Time { return time.Now().In(time.FixedZone("other", 5*60*60)).Round(0) }

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t, func(o *options) { o.clock = otherZone{} }).browser().signIn(asanatest.Member)
		who := b.do(get("/session", "Origin", appOrigin)).json()["expires_at"].(string)
		in := b.do(get("/membership?workspace="+asanatest.Acme, "Origin", appOrigin)).json()["checked_at"].(string)
		if !strings.HasSuffix(who, "Z") || !strings.HasSuffix(in, "Z") {
			t.Errorf("got expires_at %s and checked_at %s, want UTC", who, in)
		}
	})
}

func TestRefreshedWhenRefused(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		first := b.refresh(`{"min_ttl":3000}`).want(200).json()["access_token"].(string)
		sum := sha256.Sum256([]byte(first))
		refused := `{"refused":"` + strings.ToUpper(hex.EncodeToString(sum[:])) + `"}`
		if second := b.refresh(refused).want(200).json()["access_token"]; second == first {
			t.Error("got the refused token again")
		}
		if third := b.refresh(refused).want(200).json()["access_token"]; third == first {
			t.Error("got the refused token again")
		}
		if n := b.asana.CountRequests("refresh_token"); n != 1 {
			t.Errorf("got %d refreshes, want 1", n)
		}
	})
}

func TestSignOutKeepsTheConnection(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		here, there := s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Member)
		a := here.do(frontendCall(http.MethodDelete, "/session", "")).want(204)
		want := sessionCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
		if diff := cmp.Diff([]string{want}, a.header["Set-Cookie"]); diff != "" || a.body != "" {
			t.Errorf("got body %q, want none; cookies (-want +got):\n%s", a.body, diff)
		}
		here.do(get("/session", "Origin", appOrigin)).want(204)
		here.refresh("").problem(401, "unauthenticated")
		there.do(get("/session", "Origin", appOrigin)).want(200)
	})
}

// Signing out can be repeated. It deletes the cookie even if the cookie is missing or
// malformed, or if its session has ended.
func TestSignOutIsIdempotent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		value := s.browser().signIn(asanatest.Member).jar[sessionCookie]
		good := sessionCookie + "=" + value
		deletion := []string{sessionCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"}
		signOut := func(name, body string, cookies ...string) {
			t.Helper()
			a := s.do(frontendCall(http.MethodDelete, "/session", body), cookies...).want(204)
			if diff := cmp.Diff(deletion, a.header["Set-Cookie"]); diff != "" {
				t.Errorf("%s: cookies (-want +got):\n%s", name, diff)
			}
		}
		for _, body := range []string{"", "{}", `{"everywhere":false}`, `{"everywhere":true}`, `{"everywhere":null}`} {
			signOut("no cookie", body)
			signOut("malformed", body, sessionCookie+"=x")
			signOut("twice", body, good, good)
			signOut("unknown", body, good+"x")
		}
		s.do(get("/session", "Origin", appOrigin), good).want(200)
		for _, body := range []string{`{"everywhere":1}`, `{"everywhere":"true"}`, `{"all":true}`} {
			s.do(frontendCall(http.MethodDelete, "/session", body), good).problem(400, "invalid-request")
		}
		signOut("signed in", "", good)
		signOut("signed out", "", good)
		signOut("signed out, everywhere", `{"everywhere":true}`, good)
	})
}

// If the table is unavailable, the session may still exist. The cookie must then stay, so
// that the page can repeat the request.
func TestSignOutWithTheTableDown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		b.fail("write")
		for _, body := range []string{"", `{"everywhere":true}`} {
			if a := b.do(frontendCall(http.MethodDelete, "/session", body)); a.header["Set-Cookie"] != nil {
				t.Errorf("got cookies %q", a.header["Set-Cookie"])
			} else {
				a.problem(503, "try-again")
			}
		}
	})
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		here, there, other := s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Guest)
		here.do(frontendCall(http.MethodDelete, "/session", `{"everywhere":true}`)).want(204)
		for _, b := range []*browser{here, there} {
			b.refresh("").problem(401, "unauthenticated")
		}
		other.refresh("").want(200)
		there.signIn(asanatest.Member).refresh("").want(200)
	})
}

// A browser that signs in again gets a new cookie. The session of the old cookie must end,
// because no page of this browser can end it later.
func TestANewSignInEndsTheBrowsersEarlierSession(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{"as the same person": asanatest.Member, "as another person": asanatest.Guest} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				b, elsewhere := s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Member)
				earlier := sessionCookie + "=" + b.jar[sessionCookie]
				// Until the new sign-in succeeds, the earlier session stays.
				back := b.allow(b.begin(""), next)
				s.do(get("/session", "Origin", appOrigin), earlier).want(200)
				denied, err := url.Parse(b.begin(""))
				must(t, err)
				b.do(get("/callback?error=access_denied&state=" + url.QueryEscape(denied.Query().Get("state")))).want(303)
				s.do(get("/session", "Origin", appOrigin), earlier).want(200)
				b.do(get(back)).want(303)
				s.do(frontendCall(http.MethodPost, "/refresh", ""), earlier).problem(401, "unauthenticated")
				b.refresh("").want(200)
				elsewhere.refresh("").want(200)
				b.do(frontendCall(http.MethodDelete, "/session", "")).want(204)
				s.do(frontendCall(http.MethodPost, "/refresh", ""), earlier).problem(401, "unauthenticated")
			})
		})
	}
}

func TestASecondSessionEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		here, there := s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Member)
		here.do(frontendCall(http.MethodPost, "/disconnect", "")).want(200)
		there.refresh("").problem(401, "unauthenticated")
	})
}

func TestRevokingWhileAsanaIsDown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		must(t, b.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = true }))
		a := b.do(frontendCall(http.MethodPost, "/disconnect", "")).want(202)
		if a.body != `{"status":"revoking"}` {
			t.Errorf("POST /disconnect: got %s", a.body)
		}
		if _, ok := b.jar[sessionCookie]; ok {
			t.Error("the disconnect did not delete the session cookie")
		}
	})
}

func TestUnknownIsNull(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, func(o *options) { o.scopes = "openid users:read workspaces:read" })
		b := s.browser().signIn(asanatest.ViewOnly)
		in := b.do(get("/membership?workspace="+asanatest.Acme, "Origin", appOrigin)).want(200).json()
		why := "full-permissions-required"
		want := map[string]any{
			"workspace": map[string]any{"gid": asanatest.Acme, "name": "Acme"},
			"user":      map[string]any{"gid": asanatest.ViewOnly, "name": nil},
			"is_active": nil, "is_admin": nil, "is_guest": nil, "is_view_only": nil, "can_write": nil,
			"unknown":    map[string]any{"is_active": why, "is_admin": why, "is_guest": why, "is_view_only": why, "can_write": why},
			"asked_with": "connection", "checked_at": time.Now().UTC().Format(time.RFC3339),
		}
		if diff := cmp.Diff(want, in); diff != "" {
			t.Errorf("membership of a granular token (-want +got):\n%s", diff)
		}
		who := b.do(get("/session", "Origin", appOrigin)).want(200).json()
		if picture, ok := who["picture"]; !ok || picture != nil {
			t.Errorf("got %v, want picture null", who)
		}
	})
}
