package login_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// sources contains the user ID that each source reports. If the value is "", the source
// is missing or fails. If the value is "-", the source's response has no user ID. If the
// value is "empty", the user ID in the response is an empty string.
type sources struct {
	data, idToken, userInfo, me, fragment string

	openID bool
	claims map[string]any // claims to change in the ID tokens; the value nil removes a claim
}

// identify signs a person in while Asana's responses contain the user IDs in ids.
func identify(inst *authtest.Installation, ids sources) (login.Outcome, error) {
	inst.T.Helper()
	var nonce string
	p := inst.Process(func(s *authtest.Settings) {
		if ids.openID || ids.fragment != "" {
			authtest.WithOpenID(s)
		}
		if ids.fragment != "" {
			withIDToken(s)
		}
		s.Transport = authtest.Tampered{Next: inst.Wire, Change: func(path string, m map[string]any) int { return rewrite(inst, ids, nonce, path, m) }}
	})
	attempt := p.Begin()
	nonce = authtest.Query(inst.T, attempt.URL).Get("nonce")
	response := p.Answer(attempt, asanatest.Member)
	if ids.fragment != "" {
		response.IDToken = idToken(inst, ids, ids.fragment, nonce)
	}
	return p.Callback(response)
}

// rewrite changes m, the body of Asana's response to a request for path, so that it
// contains the user ID in ids for that source. If status is 0, the response keeps its
// status.
func rewrite(inst *authtest.Installation, ids sources, nonce, path string, m map[string]any) (status int) {
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
	case authtest.TokenPath:
		delete(m, "data")
		delete(m, "id_token")
		if ids.data != "" {
			data := map[string]any{"name": "Mia of data"}
			say(data, "gid", ids.data)
			m["data"] = data
		}
		if ids.idToken != "" {
			m["id_token"] = idToken(inst, ids, ids.idToken, nonce).Reveal()
		}
	case authtest.UserInfoPath:
		return say(m, "sub", ids.userInfo)
	case authtest.MePath:
		return say(m["data"].(map[string]any), "gid", ids.me)
	}
	return 0
}

// idToken returns an ID token that offline Asana signed. If subject is "-", the ID token
// has no subject.
func idToken(inst *authtest.Installation, ids sources, subject, nonce string) secret.String {
	claims := map[string]any{
		"iss": authtest.AsanaURL + "/api/1.0", "sub": strings.TrimPrefix(subject, "empty"), "aud": authtest.ClientID, "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if subject == "-" {
		delete(claims, "sub")
	}
	for name, value := range ids.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return secret.New(inst.Asana.SignIDToken(claims))
}

const (
	mia    = asanatest.Member
	gus    = asanatest.Guest
	opaque = "user|4711"
)

func TestWhoThePersonIs(t *testing.T) {
	t.Parallel()
	for name, ids := range map[string]sources{
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

		// If the ID token in the token response has no nonce, the ID token is ignored.
		"a stranger's ID token without a nonce": {data: mia, idToken: gus, openID: true, claims: map[string]any{"nonce": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				outcome, err := identify(inst, ids)
				if err != nil {
					t.Fatal(err)
				}
				if authtest.ConnectionOf(outcome.Session) != connectionOf(mia) || inst.Rows.Hot(outcome.Session.Reveal()).AsanaGID != mia {
					t.Errorf("signed in as %s", inst.Rows.Hot(outcome.Session.Reveal()).AsanaGID)
				}
				inst.Rows.WantOneConnection(1)
			})
		})
	}
}

func TestIdentitiesThatDisagree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		is     sources
		source string
		other  string
	}{
		"data and users/me":                {sources{data: mia, me: gus}, "token response", "users/me"},
		"data and an ID token":             {sources{data: gus, idToken: mia, openID: true}, "id token", "token response"},
		"data and UserInfo":                {sources{data: mia, userInfo: gus, openID: true}, "token response", "userinfo"},
		"an ID token and UserInfo":         {sources{idToken: mia, userInfo: gus, openID: true}, "id token", "userinfo"},
		"a fragment and data":              {sources{fragment: mia, data: gus}, "fragment", "token response"},
		"a fragment and an ID token":       {sources{fragment: mia, idToken: opaque + "1"}, "fragment", "id token"},
		"a fragment and UserInfo":          {sources{fragment: mia, userInfo: gus}, "fragment", "userinfo"},
		"one of four":                      {sources{fragment: mia, idToken: mia, data: mia, userInfo: gus}, "fragment", "userinfo"},
		"opaque ones":                      {sources{data: mia, idToken: opaque, userInfo: opaque + "1", openID: true}, "id token", "userinfo"},
		"an opaque ID token, a gid beside": {sources{data: mia, idToken: opaque, userInfo: mia, openID: true}, "id token", "userinfo"},
		"an opaque UserInfo, a gid beside": {sources{data: mia, idToken: mia, userInfo: opaque, openID: true}, "id token", "userinfo"},
		"opaque UserInfo, data, fragment":  {sources{data: mia, fragment: mia, userInfo: opaque}, "fragment", "userinfo"},
		"gids that look alike":             {sources{data: mia, me: "0" + mia}, "token response", "users/me"},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				outcome, err := identify(inst, c.is)
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				if !outcome.Session.IsZero() || outcome.ReturnURL != authtest.ReturnURL {
					t.Errorf("got a session, or ReturnURL %q", outcome.ReturnURL)
				}
				inst.Rows.WantNothingKept()
				authtest.WantCount(t, "log lines", inst.Log.Says("msg", "identities disagree"), 1)
				authtest.WantCount(t, "first source", inst.Log.Says("source", c.source), 1)
				authtest.WantCount(t, "other source", inst.Log.Says("other", c.other), 1)
				wantNotIn(inst, err, mia, gus, opaque)
			})
		})
	}
}

func wantNotIn(inst *authtest.Installation, err error, texts ...string) {
	inst.T.Helper()
	for _, text := range texts {
		if said := fmt.Sprintf("%s %v %+v %#v", inst.Log, err, err, err); strings.Contains(said, text) {
			inst.T.Errorf("the log or the error has %q", text)
		}
	}
}

func TestIdentitiesThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	claims := func(name string, value any) map[string]any { return map[string]any{name: value} }
	for name, ids := range map[string]sources{
		"no source":                        {},
		"only an opaque subject":           {userInfo: opaque, openID: true},
		"only an opaque fragment":          {fragment: opaque, userInfo: opaque},
		"only an ID token without a nonce": {idToken: mia, openID: true, claims: claims("nonce", nil)},
		"not a gid":                        {data: "12a", me: "x"},
		"a gid that is too long":           {data: strings.Repeat("1", 31)},

		"UserInfo without sub":            {data: mia, userInfo: "-", openID: true},
		"UserInfo with an empty sub":      {data: mia, userInfo: "empty", openID: true},
		"UserInfo without sub, users/me":  {userInfo: "-", me: mia, openID: true},
		"an empty sub, users/me":          {userInfo: "empty", me: mia, openID: true},
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
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				outcome, err := identify(inst, ids)
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				if !outcome.Session.IsZero() || outcome.ReturnURL != authtest.ReturnURL {
					t.Errorf("got a session, or ReturnURL %q", outcome.ReturnURL)
				}
				inst.Rows.WantNothingKept()
				wantNotIn(inst, err, mia, opaque)
				if ids.fragment != "" && ids.fragment != opaque {
					authtest.WantCount(t, "exchanges of a code that cannot be trusted", inst.Exchanges(), 0)
				}
			})
		})
	}
}
