package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// spent counts what requests cost: operations of the table, requests to KMS, and requests
// to Asana. exchanges is the number of token requests, which contain the client secret.
type spent struct{ reads, writes, lists, kms, asana, exchanges int }

func (s *site) spent() spent {
	return spent{
		s.table.Count("read"), s.table.Count("write"), s.table.Count("list"),
		s.kms.Calls(sealtest.OpUnwrap) + s.kms.Calls(sealtest.OpWrap), len(s.asana.Requests()), s.asana.CountRequests("authorization_code"),
	}
}

func (s spent) minus(t spent) spent {
	return spent{s.reads - t.reads, s.writes - t.writes, s.lists - t.lists, s.kms - t.kms, s.asana - t.asana, s.exchanges - t.exchanges}
}

// wantSpent checks what f costs.
func (s *site) wantSpent(what string, want spent, f func()) {
	s.t.Helper()
	before := s.spent()
	f()
	if got := s.spent().minus(before); got != want {
		s.t.Errorf("%s: spent %+v, want %+v", what, got, want)
	}
}

// Anyone can send requests without a session or an attempt. Such a request must cost at
// most one read, or one write if it begins an attempt. It must never cause a request to
// Asana or KMS.
func TestWhatAnonymousRequestsCost(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		link := s.link("owner", "acme")
		secretOf := strings.Repeat("A", 43)
		state, id := url.QueryEscape(secretOf), "con_"+strings.Repeat("a", 32)
		attempt := "__Host-asana_attempt_" + login.AttemptName(secretOf) + "=" + secretOf
		session := sessionCookie + "=" + id + "." + secretOf
		type visit struct {
			r       request
			cookies []string
			want    spent
		}
		visits := map[string]visit{
			"authorize":                 {get("/authorize"), nil, spent{writes: 1}},
			"authorize, many cookies":   {get("/authorize"), []string{attempt, session, "a=b"}, spent{writes: 1}},
			"authorize, link":           {get(link), nil, spent{reads: 1, writes: 1}},
			"authorize, unknown link":   {get("/authorize?link=" + secretOf), nil, spent{reads: 1}},
			"authorize, malformed":      {get("/authorize?app_state=."), nil, spent{}},
			"authorize, other site":     {get("/authorize", "Sec-Fetch-Site", "cross-site"), nil, spent{}},
			"authorize, prefetch":       {get("/authorize", "Sec-Purpose", "prefetch"), nil, spent{}},
			"callback":                  {get("/callback"), nil, spent{}},
			"callback without a cookie": {get("/callback?code=c&state=" + state), nil, spent{}},
			"callback, unknown attempt": {get("/callback?code=c&state=" + state), []string{attempt}, spent{reads: 1}},
			"callback, ID token":        {post("code=c&id_token=a.b.c&state=" + state), []string{attempt}, spent{reads: 1}},
			"callback, error":           {get("/callback?error=invalid_scope&state=" + state), []string{attempt}, spent{reads: 1}},
			"callback, twice":           {get("/callback?code=c&state=" + state), []string{attempt, attempt}, spent{}},
			"nothing":                   {get("/nothing"), nil, spent{}},
		}
		for path, methods := range frontendRoutes() {
			for _, method := range methods {
				name := method + " " + path
				visits[name] = visit{frontendCall(method, path, ""), nil, spent{}}
				visits[name+", nonsense"] = visit{frontendCall(method, path, ""), []string{sessionCookie + "=nonsense"}, spent{}}
				visits[name+", unknown session"] = visit{frontendCall(method, path, ""), []string{session}, spent{reads: 1}}
				visits[name+", foreign origin"] = visit{frontendCall(method, path, "", "Origin", "https://evil.example"), []string{session}, spent{}}
			}
		}
		for path, methods := range httpapi.BackendRoutes() {
			for _, method := range methods {
				r := call(method, strings.ReplaceAll(path, "{id}", id), `{"owner":"acme"}`)
				r.caller = ""
				visits[method+" "+path] = visit{r, nil, spent{}}
			}
		}
		for name, v := range visits {
			s.wantSpent(name, v.want, func() { s.do(v.r, v.cookies...) })
		}
	})
}

// A token request contains our client secret and counts towards Asana's rate limit. A
// visitor who has begun an attempt can cause one, with any code. Repeating the request
// must not cause another one, or another write.
func TestAnAttemptCostsOneTokenRequest(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		s.browser().signIn(asanatest.Guest) // from now on, the keyring and the client secret are cached
		visitor, stranger := s.browser(), s.browser()
		u, err := url.Parse(visitor.begin(""))
		must(t, err)
		forged := get("/callback?code=forged&state=" + u.Query().Get("state"))
		s.wantSpent("a stranger", spent{}, func() { stranger.do(forged).page(400) })
		_, mine, _ := strings.Cut(visitor.names("__Host-asana_attempt_")[0], "__Host-asana_attempt_")
		stranger.jar["__Host-asana_attempt_"+mine] = strings.Repeat("A", 43)
		s.wantSpent("a stranger with a cookie", spent{reads: 1}, func() { stranger.do(forged).page(400) })
		// The two writes mark the attempt as used and save its outcome.
		s.wantSpent("a forged code", spent{reads: 1, writes: 2, asana: 1, exchanges: 1}, func() {
			if to := visitor.do(forged).location(); to != home+"?asana_error=login-expired#" {
				t.Errorf("got redirect to %s, want login-expired", to)
			}
		})
		for range 5 {
			s.wantSpent("the same code again", spent{reads: 1}, func() { visitor.do(forged) })
		}
	})
}

// A callback waits for the outcome of an earlier callback with the same attempt. It must
// read at most ten times a second, for at most five seconds, and write nothing.
func TestWaitingForAnOutcomeIsBounded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser()
		u, err := url.Parse(b.begin(""))
		must(t, err)
		state := u.Query().Get("state")
		attempt := s.rows.AttemptRow(state)
		attempt.Taker = "fedcba9876543210" // another callback, which never saves an outcome
		s.rows.Forge(attempt)
		before, began := s.spent(), time.Now()
		if to := b.do(get("/callback?code=c&state=" + state)).location(); to != home+"?asana_error=try-again#" {
			t.Errorf("got redirect to %s, want try-again", to)
		}
		got := s.spent().minus(before)
		if took := time.Since(began); took > 5*time.Second || got.reads < 2 || got.reads > 51 {
			t.Errorf("got %d reads in %v, want at most 51 in 5s", got.reads, took)
		}
		if got.reads = 0; got != (spent{}) {
			t.Errorf("spent %+v, want only reads", got)
		}
	})
}

// A response in the fragment can contain an ID token that no key verifies. Such ID tokens
// must not cause more requests for keys than one a minute, and no token requests.
func TestForgedIDTokensCostFewRequests(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, withIDToken)
		s.browser().signInByFragment(asanatest.Guest)
		forge := func(i int) {
			b := s.browser()
			u, err := url.Parse(b.begin(""))
			must(t, err)
			raw := s.asana.SignIDToken(map[string]any{"sub": fmt.Sprint(i)})
			raw = raw[:strings.LastIndex(raw, ".")+1] + strings.Repeat("A", 342)
			b.do(post("code=c&id_token=" + raw + "&state=" + u.Query().Get("state"))).want(303)
		}
		// Each attempt costs three writes: one begins it, one marks it as used, and one
		// saves its outcome. The keys are fetched again once.
		s.wantSpent("ten forged ID tokens", spent{reads: 10, writes: 30, asana: 1}, func() {
			for i := range 10 {
				forge(i)
			}
		})
	})
}

// signInByFragment is like signIn for the response type "code id_token".
func (b *browser) signInByFragment(person string) {
	b.t.Helper()
	_, fragment, _ := strings.Cut(b.allow(b.begin(""), person), "#")
	if to := b.do(post(fragment)).location(); to != home+"?asana=connected#" {
		b.t.Fatalf("got redirect to %s, want a successful sign-in", to)
	}
}
