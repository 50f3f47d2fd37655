package asanatest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// With Cut and with CutAfterApply, the client gets no response. With Cut, the request has
// no effect. With CutAfterApply, the request has its normal effect.
func TestCut(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"cut": false, "cut after apply": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			k.set(func(s *switches) { s.RotateRefreshTokens = true })
			tok := k.signIn(full(), asanatest.Member)
			k.Inject(asanatest.Fault{GrantType: "refresh_token", Cut: !applied, CutAfterApply: applied})
			if got := k.refresh(tok.RefreshToken); got.status != 0 || !strings.Contains(got.text, io.ErrUnexpectedEOF.Error()) {
				t.Errorf("got %d %s, want a closed connection", got.status, got.text)
			}
			want := 200
			if applied {
				want = 400 // the token was rotated, and the response with the new token was lost
			}
			if got := k.refresh(tok.RefreshToken); got.status != want {
				t.Errorf("next request: got %d %s, want %d", got.status, got.text, want)
			}
		})
	}
}

// Cut closes the network connection of a client that uses a socket instead of Transport.
func TestCutOverSocket(t *testing.T) {
	t.Parallel()
	asana, err := asanatest.New(asanatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(asana)
	server.Start()
	defer server.Close()
	asana.Inject(asanatest.Fault{Cut: true})
	if resp, err := http.Get(server.URL + "/api/1.0/users/me"); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, %v, want io.EOF", resp, err)
	}
}

func TestFaultResponses(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	k.set(func(s *switches) { s.RotateRefreshTokens = true })
	k.Inject(asanatest.Fault{Path: "/-/oauth_token", GrantType: "refresh_token", Times: 2, Status: 502, Body: "<p>bad", ContentType: "text/html", Header: http.Header{"Retry-After": {"9"}}})
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 200 {
		t.Errorf("another path: got %d, want 200", got.status)
	}
	for range 2 {
		if got := k.refresh(tok.RefreshToken); got.status != 502 || got.text != "<p>bad" || got.header.Get("Content-Type") != "text/html" || got.header.Get("Retry-After") != "9" {
			t.Errorf("got %d %s %v, want 502", got.status, got.text, got.header)
		}
	}
	k.Inject(asanatest.Fault{Path: "/-/*", Body: `{}`, Apply: true})
	if got := k.refresh(tok.RefreshToken); got.status != 200 || got.text != `{}` {
		t.Errorf("with effect: got %d %s, want 200", got.status, got.text)
	}
	if got := k.refresh(tok.RefreshToken); got.status != 400 {
		t.Errorf("old refresh token: got %d %s, want 400", got.status, got.text)
	}
	k.Inject(asanatest.Fault{GrantType: "authorization_code", Status: 503})
	if got := k.refresh("x"); got.status != 400 {
		t.Errorf("another grant type: got %d, want 400", got.status)
	}
	k.Reset()
	if got := k.tokenRequest("grant_type", "authorization_code"); got.status != 400 {
		t.Errorf("after Reset: got %d, want 400", got.status)
	}
	tok = k.signIn(full(), asanatest.Member)
	k.Inject(asanatest.Fault{Times: -1, Status: 500})
	for range 3 {
		if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 500 {
			t.Errorf("fault without a limit: got %d, want 500", got.status)
		}
	}
	k.ClearFaults()
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 200 {
		t.Errorf("after ClearFaults: got %d, want 200", got.status)
	}
}

// Fault.Before is called before the request has an effect, and can call methods of Asana.
func TestFaultBefore(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	k.Inject(asanatest.Fault{GrantType: "refresh_token", Before: func(*http.Request) { k.RevokeGrants(asanatest.Member) }})
	if got := k.refresh(tok.RefreshToken); got.status != 400 {
		t.Errorf("got %d %s, want 400", got.status, got.text)
	}
}

// Delay and AnswerDelay end when the context of the client's request ends. A request that
// ends during Delay has no effect. A request that ends during AnswerDelay has its normal
// effect.
func TestFaultDelays(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asana, err := asanatest.New(asanatest.Options{BaseURL: base})
				if err != nil {
					t.Fatal(err)
				}
				k := &kit{T: t, Asana: asana, http: asana.Client()}
				k.set(func(s *switches) { s.RotateRefreshTokens = true })
				tok := k.signIn(full(), asanatest.Member)

				f := asanatest.Fault{GrantType: "refresh_token", Delay: 3 * time.Second}
				want := 200
				if after {
					f.Delay, f.AnswerDelay, want = 0, f.Delay, 400
				}
				k.Inject(f)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				r := k.request(http.MethodPost, "/-/oauth_token", "", "grant_type=refresh_token&client_id="+asanatest.FullClientID+
					"&client_secret="+asanatest.FullClientSecret+"&refresh_token="+tok.RefreshToken).WithContext(ctx)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				start := time.Now()
				if resp, err := k.http.Do(r); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
					t.Errorf("got %v, %v after %v, want context.DeadlineExceeded after 2s", resp, err, time.Since(start))
				}
				if got := k.refresh(tok.RefreshToken); got.status != want {
					t.Errorf("next request: got %d %s, want %d", got.status, got.text, want)
				}
				k.Inject(asanatest.Fault{Delay: time.Second, AnswerDelay: time.Second})
				start = time.Now()
				if got := k.get("/api/1.0/users/me", ""); got.status != 401 || time.Since(start) != 2*time.Second {
					t.Errorf("without a deadline: got %d after %v, want 401", got.status, time.Since(start))
				}
			})
		})
	}
}

// The server keeps 1,000 records, so 1,200 requests remove the record of a slow request
// that is still running. The end of the slow request does not change another record.
func TestManyRequestsDuringOne(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.Inject(asanatest.Fault{Path: "/slow", Cut: true, Before: func(*http.Request) {
		for range 1200 {
			k.get("/api/1.0/users/me", "")
		}
	}})
	k.get("/slow", "")
	for _, r := range k.Requests() {
		if r.Cut || r.Status != 401 {
			t.Fatalf("got record %+v, want status 401", r)
		}
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := k.Transport().RoundTrip(k.request(http.MethodGet, "/api/1.0/users/me", "", "").WithContext(ctx))
	if !errors.Is(err, context.Canceled) || len(k.Requests()) != 0 {
		t.Errorf("got %v and requests %v, want context.Canceled and none", err, k.Requests())
	}
}

// Requests returns records without secrets, and at most 1,000.
func TestRequests(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	k.Inject(asanatest.Fault{Cut: true})
	k.refresh(tok.RefreshToken)
	k.set(func(s *switches) { s.DelayMS = 2000 })
	k.refresh(tok.RefreshToken)
	k.tokenRequest("grant_type", "a secret in the wrong place")
	k.set(func(s *switches) { s.DelayMS = 0 })
	k.get("/_offline/switches", "")

	got := k.Requests()
	if len(got) != 5 {
		t.Fatalf("got %d requests, want 5: %v", len(got), got)
	}
	for i, want := range []asanatest.Request{
		{Method: "POST", Path: "/-/oauth_authorize", Status: 303},
		{Method: "POST", Path: "/-/oauth_token", GrantType: "authorization_code", Status: 200},
		{Method: "POST", Path: "/-/oauth_token", GrantType: "refresh_token", Cut: true},
		{Method: "POST", Path: "/-/oauth_token", GrantType: "refresh_token", Status: 200, Took: 2 * time.Second},
		{Method: "POST", Path: "/-/oauth_token", GrantType: "other", Status: 400, Took: 2 * time.Second},
	} {
		if got[i].Time.IsZero() {
			t.Errorf("request %d has no time", i)
		}
		if got[i].Time = (time.Time{}); got[i] != want {
			t.Errorf("request %d: got %+v, want %+v", i, got[i], want)
		}
	}
	if n := k.CountRequests("refresh_token"); n != 2 {
		t.Errorf("got %d refreshes, want 2", n)
	}
	if n := k.CountRequests("/-/oauth_token"); n != 4 {
		t.Errorf("got %d token requests, want 4", n)
	}
	for range 1500 {
		k.get("/api/1.0/users/me", "")
	}
	last := k.Requests()
	if n := k.CountRequests("/api/1.0/users/me"); n != 1500 || len(last) > 1000 || last[len(last)-1].Status != 401 {
		t.Errorf("got count %d and %d records, want 1500 and at most 1000", n, len(last))
	}
	if err := k.Reset(); err != nil || len(k.Requests()) != 0 || k.CountRequests("refresh_token") != 0 {
		t.Error("Reset did not clear the requests")
	}
}
