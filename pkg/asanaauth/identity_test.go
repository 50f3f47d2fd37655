package asanaauth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Connecting", 3.

// oidcKey signs the ID tokens of all tests: making a key takes long.
var oidcKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// signs gives the house an Asana that signs with a key which is there already.
func (h *house) signs() *house {
	h.t.Helper()
	key, err := oidcKey()
	if err != nil {
		h.t.Fatal(err)
	}
	offline, err := asanatest.New(asanatest.Options{BaseURL: asanaURL, Key: key, Apps: []asanatest.App{{
		ClientID: clientID, ClientSecret: "first secret",
		RedirectURIs: []string{redirectURI}, Scopes: strings.Fields(openID),
	}}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.asana, h.wire = offline, &wiretap{next: offline.Transport()}
	return h
}

// tampered changes the JSON that Asana answers on its way to a process. change
// returns the status of the answer, 0 to leave it.
type tampered struct {
	next   http.RoundTripper
	change func(path string, m map[string]any) (status int)
}

func (t tampered) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) == nil {
		if status := t.change(r.URL.Path, m); status != 0 {
			answer.StatusCode = status
		}
		if body, err = json.Marshal(m); err != nil {
			return nil, err
		}
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

const (
	tokenPath    = "/-/oauth_token"
	userInfoPath = "/api/1.0/openid_connect/userinfo"
	mePath       = "/api/1.0/users/me"
)

// told is what each source says of who the person is: a gid or a subject, "" for a
// source that is not there or fails, "-" for one that answers without saying it.
type told struct {
	data, idToken, userInfo, me, fragment string

	openID bool
	claims map[string]any // changed in the ID tokens; nil takes one away
}

// identify plays a trip on which Asana tells this.
func (h *house) identify(is told) (asanaauth.Finished, error) {
	h.t.Helper()
	var nonce string
	p := h.process(func(s *settings) {
		if is.openID || is.fragment != "" {
			s.scopes = openID
		}
		if is.fragment != "" {
			s.responseType = "code id_token"
		}
		s.transport = tampered{h.wire, func(path string, m map[string]any) int { return h.tell(is, nonce, path, m) }}
	})
	begun := p.begin()
	nonce = query(h.t, begun.URL).Get("nonce")
	answer := p.answer(begun, asanatest.Member)
	if is.fragment != "" {
		answer.IDToken = h.idToken(is, is.fragment, nonce)
	}
	return p.finish(answer)
}

func (h *house) tell(is told, nonce, path string, m map[string]any) (status int) {
	say := func(m map[string]any, name, value string) int {
		switch delete(m, name); value {
		case "":
			return http.StatusServiceUnavailable
		case "-":
		default:
			m[name] = strings.TrimPrefix(value, "empty")
		}
		return 0
	}
	switch path {
	case tokenPath:
		delete(m, "data")
		if is.data != "" {
			data := map[string]any{"name": "Mia of data"}
			say(data, "gid", is.data)
			m["data"] = data
		}
		if is.idToken != "" {
			m["id_token"] = h.idToken(is, is.idToken, nonce).Reveal()
		}
	case userInfoPath:
		return say(m, "sub", is.userInfo)
	case mePath:
		return say(m["data"].(map[string]any), "gid", is.me)
	}
	return 0
}

func (h *house) idToken(is told, subject, nonce string) secret.String {
	claims := map[string]any{
		"iss": asanaURL + "/api/1.0", "sub": strings.TrimPrefix(subject, "empty"), "aud": clientID, "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if subject == "-" {
		delete(claims, "sub")
	}
	for name, value := range is.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return secret.New(h.asana.SignIDToken(claims))
}

const (
	mia    = asanatest.Member
	gus    = asanatest.Guest
	opaque = "user|4711"
)

func TestWhoThePersonIs(t *testing.T) {
	for name, is := range map[string]told{
		"data alone":                      {data: mia},
		"users/me alone":                  {me: mia},
		"users/me without the data's gid": {data: "-", me: mia},
		"an ID token alone":               {idToken: mia, openID: true},
		"UserInfo alone":                  {userInfo: mia, openID: true},
		"a fragment's ID token alone":     {fragment: mia},
		"all of them":                     {data: mia, idToken: mia, userInfo: mia, fragment: mia},
		"data and users/me":               {data: mia, me: mia},

		"an opaque subject, and data":        {data: mia, userInfo: opaque, openID: true},
		"an opaque subject, and users/me":    {userInfo: opaque, me: mia, openID: true},
		"an opaque ID token, and data":       {data: mia, idToken: opaque, openID: true},
		"the same opaque subject everywhere": {data: mia, idToken: opaque, userInfo: opaque, fragment: opaque},
		"an opaque fragment, and users/me":   {fragment: opaque, userInfo: opaque, me: mia},

		// What comes with the tokens and has no nonce counts as absent.
		"a stranger's ID token without a nonce": {data: mia, idToken: gus, openID: true, claims: map[string]any{"nonce": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t).signs()
				finished, err := h.identify(is)
				if err != nil {
					t.Fatal(err)
				}
				if connectionOf(finished.Session) != connectionOf(h.cookieOf(mia)) || h.hot(finished.Session).AsanaGID != mia {
					t.Errorf("signed in as %s", h.hot(finished.Session).AsanaGID)
				}
				h.wantOneConnection(1)
			})
		})
	}
}

func TestIdentitiesThatDisagree(t *testing.T) {
	for name, c := range map[string]struct {
		is     told
		source string
		other  string
	}{
		"data and users/me":                {told{data: mia, me: gus}, "token answer", "users/me"},
		"data and an ID token":             {told{data: gus, idToken: mia, openID: true}, "id token", "token answer"},
		"data and UserInfo":                {told{data: mia, userInfo: gus, openID: true}, "token answer", "userinfo"},
		"an ID token and UserInfo":         {told{idToken: mia, userInfo: gus, openID: true}, "id token", "userinfo"},
		"a fragment and data":              {told{fragment: mia, data: gus}, "fragment", "token answer"},
		"a fragment and an ID token":       {told{fragment: mia, idToken: opaque + "1"}, "fragment", "id token"},
		"a fragment and UserInfo":          {told{fragment: mia, userInfo: gus}, "fragment", "userinfo"},
		"one of four":                      {told{fragment: mia, idToken: mia, data: mia, userInfo: gus}, "fragment", "userinfo"},
		"opaque ones":                      {told{data: mia, idToken: opaque, userInfo: opaque + "1", openID: true}, "id token", "userinfo"},
		"an opaque ID token, a gid beside": {told{data: mia, idToken: opaque, userInfo: mia, openID: true}, "id token", "userinfo"},
		"an opaque UserInfo, a gid beside": {told{data: mia, idToken: mia, userInfo: opaque, openID: true}, "id token", "userinfo"},
		"opaque UserInfo, data, fragment":  {told{data: mia, fragment: mia, userInfo: opaque}, "fragment", "userinfo"},
		"gids that look alike":             {told{data: mia, me: "0" + mia}, "token answer", "users/me"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t).signs()
				finished, err := h.identify(c.is)
				wantKind(t, err, asanaauth.AsanaUnavailable)
				if !finished.Session.IsZero() || finished.ReturnURL != returnURL {
					t.Errorf("a session, or back to %q", finished.ReturnURL)
				}
				h.wantNothingKept()
				wantCount(t, "log lines", h.log.says("msg", "identities disagree"), 1)
				wantCount(t, "first source", h.log.says("source", c.source), 1)
				wantCount(t, "other source", h.log.says("other", c.other), 1)
				h.wantUnsaid(err, mia, gus, opaque)
			})
		})
	}
}

// wantUnsaid looks for texts in the log and in an error.
func (h *house) wantUnsaid(err error, texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		if said := fmt.Sprintf("%s %v %+v %#v", h.log, err, err, err); strings.Contains(said, text) {
			h.t.Errorf("the log or the error says %q", text)
		}
	}
}

func TestIdentitiesThatCannotBeBelieved(t *testing.T) {
	claims := func(name string, value any) map[string]any { return map[string]any{name: value} }
	for name, is := range map[string]told{
		"nobody says it":                       {},
		"nobody but an opaque subject":         {userInfo: opaque, openID: true},
		"nobody but an opaque fragment":        {fragment: opaque, userInfo: opaque},
		"nobody but an ID token without nonce": {idToken: mia, openID: true, claims: claims("nonce", nil)},
		"a gid that is none":                   {data: "12a", me: "x"},
		"a gid that is too long":               {data: strings.Repeat("1", 31)},

		"UserInfo without sub":            {data: mia, userInfo: "-", openID: true},
		"UserInfo with an empty sub":      {data: mia, userInfo: "empty", openID: true},
		"an ID token without sub":         {data: mia, userInfo: mia, idToken: "-", openID: true},
		"an ID token with an empty sub":   {data: mia, userInfo: mia, idToken: "empty", openID: true},
		"an ID token with a wrong nonce":  {data: mia, userInfo: mia, idToken: mia, openID: true, claims: claims("nonce", "other")},
		"an ID token with an empty nonce": {data: mia, userInfo: mia, idToken: mia, openID: true, claims: claims("nonce", "")},
		"an ID token with a null nonce":   {data: mia, userInfo: mia, idToken: mia, openID: true, claims: map[string]any{"nonce": (*string)(nil)}},
		"an ID token with a wrong c_hash": {data: mia, userInfo: mia, idToken: mia, openID: true, claims: claims("c_hash", "x")},

		"a fragment without sub":         {data: mia, userInfo: mia, fragment: "-"},
		"a fragment with an empty sub":   {data: mia, userInfo: mia, fragment: "empty"},
		"a fragment without a nonce":     {data: mia, userInfo: mia, fragment: mia, claims: claims("nonce", nil)},
		"a fragment with a wrong nonce":  {data: mia, userInfo: mia, fragment: mia, claims: claims("nonce", "other")},
		"a fragment with a wrong c_hash": {data: mia, userInfo: mia, fragment: mia, claims: claims("c_hash", "x")},
		"a fragment that is too old":     {data: mia, userInfo: mia, fragment: mia, claims: claims("exp", 1)},
		"a fragment of another app":      {data: mia, userInfo: mia, fragment: mia, claims: claims("aud", "1")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t).signs()
				finished, err := h.identify(is)
				wantKind(t, err, asanaauth.AsanaUnavailable)
				if !finished.Session.IsZero() || finished.ReturnURL != returnURL {
					t.Errorf("a session, or back to %q", finished.ReturnURL)
				}
				h.wantNothingKept()
				h.wantUnsaid(err, mia, opaque)
				if is.fragment != "" && is.fragment != opaque {
					wantCount(t, "exchanges of a code that cannot be believed", h.exchanges(), 0)
				}
			})
		})
	}
}

// Offline Asana's own ID tokens, whole and spoiled, beside sources that are
// right.
func TestOfflineIDTokens(t *testing.T) {
	for how, good := range map[string]bool{
		"": true, "unsigned": false, "hs256": false, "wrong_issuer": false, "wrong_audience": false, "second_audience": false,
		"wrong_azp": false, "wrong_subject": false, "no_subject": false, "expired": false, "future": false, "wrong_nonce": false,
		"wrong_at_hash": false, "wrong_c_hash": false,
	} {
		t.Run("spoiled: "+how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t).signs()
				h.switches(func(s *asanatest.Switches) {
					s.IDTokenInTokenResponse, s.AtHash, s.SpoilIDToken = true, true, how
				})
				p := h.process(withOpenID)
				_, err := p.finish(p.answer(p.begin(), mia))
				if good {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantKind(t, err, asanaauth.AsanaUnavailable)
				h.wantNothingKept()
			})
		})
	}
}

func TestCodeAndIDToken(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*asanatest.Switches, *asanaauth.FinishRequest)
		good   bool
	}{
		"as Asana sends it": {func(*asanatest.Switches, *asanaauth.FinishRequest) {}, true},
		"no ID token": {func(_ *asanatest.Switches, r *asanaauth.FinishRequest) {
			if r != nil {
				r.IDToken = secret.String{}
			}
		}, false},
		"another code": {func(_ *asanatest.Switches, r *asanaauth.FinishRequest) {
			if r != nil {
				r.Code = secret.New("0/other")
			}
		}, false},
		"no nonce": {func(s *asanatest.Switches, _ *asanaauth.FinishRequest) { s.NonceInIDToken = false }, false},
		"a stranger": {func(s *asanatest.Switches, _ *asanaauth.FinishRequest) {
			s.SpoilIDToken = "wrong_subject"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t).signs()
				h.switches(func(s *asanatest.Switches) {
					s.CHash = true
					c.change(s, nil)
				})
				p := h.process(withOpenID, func(s *settings) { s.responseType = "code id_token" })
				answer := p.answer(p.begin(), mia)
				if answer.IDToken.IsZero() {
					t.Fatal("the answer has no ID token")
				}
				c.change(&asanatest.Switches{}, &answer)
				finished, err := p.finish(answer)
				if c.good {
					if err != nil {
						t.Fatal(err)
					}
					p.mustToken(finished.Session, 0)
					return
				}
				wantKind(t, err, asanaauth.AsanaUnavailable)
				h.wantNothingKept()
				if name != "a stranger" {
					wantCount(t, "exchanges", h.exchanges(), 0)
				}
			})
		})
	}
}

// An ID token of another attempt of the same browser carries another nonce.
func TestAnIDTokenOfAnotherAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t).signs()
		p := h.process(withOpenID, func(s *settings) { s.responseType = "code id_token" })
		one, other := p.answer(p.begin(), mia), p.answer(p.begin(), mia)
		one.IDToken = other.IDToken
		_, err := p.finish(one)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		h.wantNothingKept()
	})
}

// The nonce, too, comes of the browser's secret and the row's salt.
func TestTheNonceComesOfBothHalves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t).signs()
		p := h.process(withOpenID, func(s *settings) { s.responseType = "code id_token" })
		mine := p.answer(p.begin(), mia)
		row := h.attempt(mine.State)
		row.Salt = h.attempt(p.answer(p.begin(), mia).State).Salt
		h.writes(row)
		_, err := p.finish(mine)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		wantCount(t, "exchanges", h.exchanges(), 0)
	})
}

// Asana's keys away: nothing is believed unchecked.
func TestIDTokensWithTheKeysAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t).signs()
		h.asana.Inject(asanatest.Fault{Path: "/api/1.0/openid_connect/jwks", Status: 503})
		p := h.process(withOpenID, func(s *settings) { s.responseType = "code id_token" })
		_, err := p.finish(p.answer(p.begin(), mia))
		wantKind(t, err, asanaauth.AsanaUnavailable)
		h.wantNothingKept()
	})
}

// What fails is missed only where nothing else said who the person is; its
// name then comes of the token answer.
func TestTheProfileComesOfWhoAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		path                 string
		scopes               string
		name, email, picture string
	}{
		"UserInfo":              {"", openID, "Mia Member", "mia@acme.example", "https://photos.example/mia.png"},
		"users/me":              {"", "default", "Mia Member", "mia@acme.example", "https://photos.example/mia.png"},
		"data, UserInfo away":   {userInfoPath, openID, "Mia Member", "mia@acme.example", ""},
		"data, users/me away":   {mePath, "default", "Mia Member", "mia@acme.example", ""},
		"UserInfo without name": {"", "default openid", "Mia Member", "mia@acme.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t).signs()
				if c.path != "" {
					h.asana.Inject(asanatest.Fault{Path: c.path, Status: 503})
				}
				p := h.process(func(s *settings) { s.scopes = c.scopes })
				profile, err := p.conns.Profile(t.Context(), p.session(p.signIn(mia)))
				if err != nil {
					t.Fatal(err)
				}
				if profile.Name.Reveal() != c.name || profile.Email.Reveal() != c.email || profile.Picture.Reveal() != c.picture {
					t.Errorf("profile: %q, %q, %q", profile.Name.Reveal(), profile.Email.Reveal(), profile.Picture.Reveal())
				}
				if profile.AsanaUser != mia || profile.Status != store.Active || profile.Scope != c.scopes ||
					!profile.ExpiresAt.Equal(time.Now().Add(720*time.Hour)) {
					t.Errorf("profile: %+v", profile)
				}
			})
		})
	}
}
