package login_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// begin begins an attempt, without a link or with a new one, and returns Asana's response
// to it.
func begin(p *authtest.Process, withLink bool) login.CallbackRequest {
	if withLink {
		return p.Answer(p.BeginAt(p.Link(link.Request{Owner: "o"})), asanatest.Member)
	}
	return p.Answer(p.Begin(), asanatest.Member)
}

// handedOut returns the secret that an Outcome contains: the session's cookie or the
// connect code.
func handedOut(o login.Outcome) string {
	if o.Session.IsZero() {
		return o.ConnectCode.Reveal()
	}
	return o.Session.Reveal()
}

// wantSame reports a test error unless two outcomes are equal.
func wantSame(t *testing.T, first, again login.Outcome) {
	t.Helper()
	plain := func(o login.Outcome) string { return fmt.Sprintf("%q %+v", handedOut(o), o) }
	if plain(first) != plain(again) {
		t.Errorf("got outcome\n%s, and then\n%s", plain(first), plain(again))
	}
}

// forBoth runs a test for an attempt without a link, and for an attempt with a link.
func forBoth(t *testing.T, test func(t *testing.T, withLink bool)) {
	t.Helper()
	for _, withLink := range []bool{false, true} {
		t.Run(fmt.Sprintf("link %v", withLink), func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) { test(t, withLink) })
		})
	}
}

// In 50 attempts, the browser sends each callback four times at once. All 200 callbacks
// succeed, and each code is exchanged once.
func TestFourCallbacksAtOnceGetTheSameOutcome(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, withLink bool) {
		inst := authtest.New(t)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(time.Second) // wait until all callbacks have read the attempt
			}
			return true, nil
		}
		succeeded, distinct := 0, map[string]bool{}
		for range 50 {
			response := begin(inst.Process(), withLink)
			var wg sync.WaitGroup
			var outcomes [4]login.Outcome
			var errs [4]error
			for i := range outcomes {
				wg.Go(func() { outcomes[i], errs[i] = inst.Process().Callback(response) })
			}
			wg.Wait()
			for i, err := range errs {
				if err != nil {
					t.Errorf("Callback() = %v", err)
					continue
				}
				succeeded++
				distinct[handedOut(outcomes[i])] = true
				wantSame(t, outcomes[0], outcomes[i])
			}
			wantWorks(t, inst, outcomes[3], errs[3])
		}
		authtest.WantCount(t, "successful callbacks", succeeded, 200)
		authtest.WantCount(t, "exchanged codes", inst.Exchanges(), 50)
		authtest.WantCount(t, "different sessions or connect codes", len(distinct), 50)
		authtest.WantCount(t, "connected", inst.Log.Says("audit", "connected"), 50)
	})
}

// A repeated callback waits at most five seconds for the first one. If the first callback
// takes longer, the app gets TryAgain, and a reload still gets the outcome.
func TestARepeatedCallbackWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	for delay, kind := range map[time.Duration]asanaauth.ErrorKind{4 * time.Second: "", 7 * time.Second: asanaauth.TryAgain} {
		t.Run(delay.String(), func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				response := begin(p, false)
				inst.Asana.Inject(asanatest.Fault{GrantType: "authorization_code", Delay: delay})
				var wg sync.WaitGroup
				var first login.Outcome
				var firstErr error
				wg.Go(func() { first, firstErr = inst.Process().Callback(response) })
				time.Sleep(time.Millisecond)
				began := time.Now()
				again, err := p.Callback(response)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("the repeated callback took %v", took)
				}
				if asanaauth.KindOf(err) != kind || again.ReturnURL != authtest.ReturnURL {
					t.Errorf("got %+v, %v, want %q", again, err, kind)
				}
				wg.Wait()
				if firstErr != nil {
					t.Fatal(firstErr)
				}
				later, err := p.Callback(response)
				if err != nil {
					t.Errorf("a later callback: %v", err)
				}
				wantSame(t, first, later)
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 1)
			})
		})
	}
}

// If the attempt can no longer be read while a repeated callback waits, the browser gets an
// error and is not redirected.
func TestTheAttemptDisappearsDuringTheWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(inst *authtest.Installation, state string) // takes effect after a second
		kind   asanaauth.ErrorKind
	}{
		"the row is deleted": {func(inst *authtest.Installation, state string) {
			time.AfterFunc(time.Second, func() { inst.Rows.Delete(store.AttemptKey(store.HashText(state))) })
		}, asanaauth.LoginExpired},
		"the table is down": {func(inst *authtest.Installation, _ string) {
			began := time.Now()
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
				down := time.Since(began) >= time.Second
				return !down, authtest.FailIf(down, authtest.ErrTableDown)
			}
		}, asanaauth.TryAgain},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				response := begin(p, false)
				row := inst.Rows.AttemptRow(response.State)
				row.Taker = "fedcba9876543210" // the first callback has not finished
				inst.Rows.Forge(row)
				c.change(inst, response.State)
				outcome, err := p.Callback(response)
				authtest.WantKind(t, err, c.kind)
				if outcome != (login.Outcome{}) {
					t.Errorf("got outcome %+v", outcome)
				}
			})
		})
	}
}

// Once the session or the connect code that the first callback returned is not valid
// anymore, a repeated callback gets the error of an unknown attempt.
func TestARepeatedCallbackReturnsNothingThatHasEnded(t *testing.T) {
	t.Parallel()
	signedIn := func(end func(p *authtest.Process, cookie secret.String)) func(*testing.T) {
		return func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process(func(s *authtest.Settings) { s.IdleTTL = 5 * time.Minute })
			response := begin(p, false)
			first, err := p.Callback(response)
			if err != nil {
				t.Fatal(err)
			}
			end(p, first.Session)
			wantExpired(t, p, response)
		}
	}
	linked := func(end func(p *authtest.Process, link string, code secret.String)) func(*testing.T) {
		return func(t *testing.T) {
			p := authtest.New(t).Process()
			token := p.Link(link.Request{Owner: "o"})
			response := p.Answer(p.BeginAt(token), asanatest.Member)
			first, err := p.Callback(response)
			if err != nil {
				t.Fatal(err)
			}
			end(p, token, first.ConnectCode)
			wantExpired(t, p, response)
		}
	}
	for name, test := range map[string]func(*testing.T){
		"signed out": signedIn(func(p *authtest.Process, cookie secret.String) {
			p.Sessions.SignOut(context.Background(), cookie)
		}),
		"disconnected":       signedIn(func(p *authtest.Process, cookie secret.String) { p.Disconnect(cookie) }),
		"an expired session": signedIn(func(*authtest.Process, secret.String) { time.Sleep(6 * time.Minute) }),
		"a new epoch": signedIn(func(p *authtest.Process, cookie secret.String) {
			p.Installation.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Epoch = "fedcba9876543210" })
		}),
		"an expired attempt": signedIn(func(*authtest.Process, secret.String) { time.Sleep(10 * time.Minute) }),
		"a redeemed code":    linked(func(p *authtest.Process, _ string, code secret.String) { p.Redeem(code, "o", "") }),
		"a destroyed code":   linked(func(p *authtest.Process, _ string, code secret.String) { p.Redeem(code, "other", "") }),
		"a replaced code":    linked(func(p *authtest.Process, link string, _ secret.String) { p.Follow(link, asanatest.Guest) }),
		"an expired code": linked(func(p *authtest.Process, token string, _ secret.String) {
			row := authtest.Row[*store.Link](p.Installation.Rows, store.LinkKey(store.HashText(token)))
			row.CodeEnd = time.Now()
			p.Installation.Rows.Forge(row)
		}),
	} {
		t.Run(name, func(t *testing.T) { authtest.Bubble(t, test) })
	}
}

func wantExpired(t *testing.T, p *authtest.Process, response login.CallbackRequest) {
	t.Helper()
	before := p.Installation.Exchanges()
	again, err := p.Callback(response)
	authtest.WantKind(t, err, asanaauth.LoginExpired)
	if again != (login.Outcome{}) {
		t.Errorf("got outcome %+v", again)
	}
	authtest.WantCount(t, "exchanges", p.Installation.Exchanges()-before, 0)
}

// If a callback fails, a repeated callback fails in the same way, even if its parameters
// differ.
func TestAFailureIsRepeated(t *testing.T) {
	t.Parallel()
	exchange := func(f asanatest.Fault) func(*authtest.Installation, *login.CallbackRequest) {
		f.GrantType = "authorization_code"
		return func(inst *authtest.Installation, _ *login.CallbackRequest) { inst.Asana.Inject(f) }
	}
	for name, c := range map[string]struct {
		fail func(*authtest.Installation, *login.CallbackRequest)
		kind asanaauth.ErrorKind
	}{
		"access denied":   {func(_ *authtest.Installation, r *login.CallbackRequest) { r.Error = "access_denied" }, asanaauth.AccessDenied},
		"a wrong issuer":  {func(_ *authtest.Installation, r *login.CallbackRequest) { r.Issuer = "https://evil.example" }, asanaauth.AsanaUnavailable},
		"invalid_grant":   {exchange(asanatest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}), asanaauth.LoginExpired},
		"Asana is down":   {exchange(asanatest.Fault{Status: 503}), asanaauth.AsanaUnavailable},
		"a wrong secret":  {func(inst *authtest.Installation, _ *login.CallbackRequest) { inst.Secrets.Set(nil, "wrong") }, asanaauth.Misconfigured},
		"a wrong account": {nil, asanaauth.WrongAccount},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				attempt, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{
					AppState: "s", Link: p.Link(link.Request{Owner: "o", AsanaUser: asanatest.Member}),
				})
				if err != nil {
					t.Fatal(err)
				}
				person := asanatest.Member
				if c.fail == nil {
					person = asanatest.Guest
				}
				good := p.Answer(attempt, person)
				response := good
				if c.fail != nil {
					c.fail(inst, &response)
				}
				first, err := p.Callback(response)
				authtest.WantKind(t, err, c.kind)
				inst.Secrets.Set(nil, authtest.ClientSecret)
				before := inst.Exchanges()
				for range 2 {
					again, err := inst.Process().Callback(good)
					authtest.WantKind(t, err, c.kind)
					wantSame(t, first, again)
					if again.ReturnURL != authtest.ReturnURL || again.AppState != "s" {
						t.Errorf("got outcome %+v", again)
					}
				}
				authtest.WantCount(t, "later exchanges", inst.Exchanges()-before, 0)
			})
		})
	}
}

// One operation on the table fails during a callback, or succeeds without a response.
// Afterwards, the same browser repeats the callback. If the first callback succeeded, the
// repeated one returns the same outcome. Otherwise, it finishes the attempt or reports why
// it cannot, and Asana's code is exchanged at most once.
func TestCrashPointsOfARepeatedCallback(t *testing.T) {
	t.Parallel()
	for _, withLink := range []bool{false, true} {
		for _, cutOff := range []bool{false, true} {
			t.Run(fmt.Sprintf("link %v, cut off %v", withLink, cutOff), func(t *testing.T) {
				authtest.CrashPoints(t, func(t *testing.T, fault *authtest.Fault) {
					inst := authtest.New(t)
					p := inst.Process()
					response := begin(p, withLink)
					var first login.Outcome
					var err error
					call := func() { first, err = p.Callback(response) }
					if cutOff {
						fault.CutOff(inst, call)
					} else {
						fault.During(inst, call)
					}
					again, errAgain := inst.Process().Callback(response)
					if err == nil {
						wantSame(t, first, again)
					}
					if err == nil || errAgain == nil {
						wantWorks(t, inst, again, errAgain)
					} else {
						authtest.WantKind(t, errAgain, asanaauth.TryAgain)
					}
					if n := inst.Exchanges(); n > 1 {
						t.Errorf("the code was exchanged %d times", n)
					}
				})
			})
		}
	}
}

// wantWorks reports a test error unless the session or the connect code in an outcome
// works.
func wantWorks(t *testing.T, inst *authtest.Installation, o login.Outcome, err error) {
	t.Helper()
	p := inst.Process()
	if err == nil && o.Session.IsZero() {
		_, err = p.Redeem(o.ConnectCode, "o", "")
	} else if err == nil {
		_, err = p.Token(o.Session, 0)
	}
	if err != nil {
		t.Errorf("the repeated callback or its outcome: %v", err)
	}
}

// The first callback returns a success only after all of its rows are written. If one
// operation on the table fails during a repeated callback, a further one returns the same
// outcome.
func TestCrashPointsDuringTheRepetition(t *testing.T) {
	t.Parallel()
	for _, withLink := range []bool{false, true} {
		t.Run(fmt.Sprintf("link %v", withLink), func(t *testing.T) {
			authtest.CrashPoints(t, func(t *testing.T, fault *authtest.Fault) {
				inst := authtest.New(t)
				p := inst.Process()
				response := begin(p, withLink)
				first, err := p.Callback(response)
				if err != nil {
					t.Fatal(err)
				}
				var again login.Outcome
				fault.During(inst, func() { again, err = inst.Process().Callback(response) })
				if err != nil {
					authtest.WantKind(t, err, asanaauth.TryAgain)
					if again != (login.Outcome{}) {
						t.Errorf("got outcome %+v, want an error page that the person can reload", again)
					}
					if again, err = p.Callback(response); err != nil {
						t.Fatal(err)
					}
				}
				wantSame(t, first, again)
			})
		})
	}
}

func TestARepeatedCallbackWithoutKMS(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		response := begin(inst.Process(), false)
		first, err := inst.Process().Callback(response)
		if err != nil {
			t.Fatal(err)
		}
		inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		again, err := inst.Process().Callback(response)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if again != (login.Outcome{}) {
			t.Errorf("got outcome %+v", again)
		}
		inst.KMS.Hook = nil
		if again, err = inst.Process().Callback(response); err != nil {
			t.Fatal(err)
		}
		wantSame(t, first, again)
	})
}

// The browser cancels its first request while the callback marks the attempt as used,
// because the person clicked again. The first callback still finishes, and the second one
// gets the same outcome.
func TestACallbackThatTheBrowserCancels(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, withLink bool) {
		inst := authtest.New(t)
		p := inst.Process()
		response := begin(p, withLink)
		p.SignIn(asanatest.Guest) // creates the keyring
		before := inst.Exchanges()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		inst.Table.Hook = func(ctx context.Context, op storetest.Op) (bool, error) {
			if op.Name != "write" {
				return true, nil
			}
			if cancel(); ctx.Err() != nil {
				// The table saves the row, but the process does not wait for the response.
				return false, errors.Join(authtest.ErrTableDown, inst.Rows.Write(context.WithoutCancel(ctx), op.Changes...))
			}
			return true, nil
		}
		var wg sync.WaitGroup
		wg.Go(func() { p.Receiver.Callback(ctx, response) })
		time.Sleep(time.Millisecond) // the first callback has marked the attempt as used
		again, err := inst.Process().Callback(response)
		wg.Wait()
		wantWorks(t, inst, again, err)
		authtest.WantCount(t, "exchanges", inst.Exchanges()-before, 1)
	})
}

// DynamoDB can delete the row of an attempt that expires during its callback. The
// callback then still succeeds.
func TestAnAttemptsRowIsDeletedDuringItsCallback(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, withLink bool) {
		inst := authtest.New(t)
		p := inst.Process()
		response := begin(p, withLink)
		inst.InRequest("authorization_code", func() { inst.Rows.Delete(store.AttemptKey(store.HashText(response.State))) })
		outcome, err := p.Callback(response)
		wantWorks(t, inst, outcome, err)
	})
}

// A sign-in ends the browser's earlier session even if the table fails once when that
// session is read.
func TestTheEarlierSessionEndsAfterAFailedRead(t *testing.T) {
	t.Parallel()
	for what, key := range map[string]func(secret.String) store.Key{
		"the session":    func(cookie secret.String) store.Key { return store.SessionKey(store.HashText(cookie.Reveal())) },
		"its connection": func(cookie secret.String) store.Key { return store.HotKey(authtest.ConnectionOf(cookie)) },
	} {
		t.Run(what, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				earlier := p.SignIn(asanatest.Guest)
				attempt, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Session: earlier})
				if err != nil {
					t.Fatal(err)
				}
				response := p.Answer(attempt, asanatest.Member)
				failed := false
				inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if !failed && op.Name == "read" && slices.Contains(op.Keys, key(earlier)) {
						failed = true
						return false, authtest.ErrTableDown
					}
					return true, nil
				}
				if _, err := p.Callback(response); err != nil {
					t.Fatal(err)
				}
				if !failed {
					t.Error("no read has failed")
				}
				_, err = p.Sessions.Open(t.Context(), earlier)
				authtest.WantKind(t, err, asanaauth.Unauthenticated)
				authtest.WantCount(t, "signed out", inst.Log.Says("audit", "signed_out"), 1)
			})
		})
	}
}

// A link begins no session. Its attempt therefore does not name the browser's session,
// which stays.
func TestAnAttemptOfALinkDoesNotNameTheSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Guest)
		request := login.AuthorizeRequest{Link: p.Link(link.Request{Owner: "o"}), Session: cookie}
		attempt, err := p.Authorizer.Authorize(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		response := p.Answer(attempt, asanatest.Member)
		if row := inst.Rows.AttemptRow(response.State); !row.Session.IsZero() {
			t.Error("the attempt names the session")
		}
		if _, err := p.Callback(response); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Sessions.Open(t.Context(), cookie); err != nil {
			t.Errorf("the session afterwards: %v", err)
		}
	})
}

// An attacker who can write the table cannot make a repeated callback return a session of
// another connection, and cannot make two callbacks finish one attempt.
func TestForgedOutcomes(t *testing.T) {
	t.Parallel()
	t.Run("another connection", func(t *testing.T) {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			victim := p.SignIn(asanatest.Guest)
			response := begin(p, false)
			if _, err := p.Callback(response); err != nil {
				t.Fatal(err)
			}
			row := inst.Rows.AttemptRow(response.State)
			row.Connection = authtest.ConnectionOf(victim)
			inst.Rows.Forge(row)
			wantExpired(t, p, response)
		})
	})
	t.Run("any text", func(t *testing.T) {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			response := begin(p, false)
			if _, err := p.Callback(response); err != nil {
				t.Fatal(err)
			}
			row := inst.Rows.AttemptRow(response.State)
			row.Outcome = "any text"
			inst.Rows.Forge(row)
			outcome, err := p.Callback(response)
			authtest.WantKind(t, err, asanaauth.Internal)
			if handedOut(outcome) != "" {
				t.Errorf("got outcome %+v", outcome)
			}
		})
	})
	for name, forge := range map[string]func(*store.Attempt){
		"another callback":  func(a *store.Attempt) { a.Taker = "fedcba9876543210" },
		"another outcome":   func(a *store.Attempt) { a.Outcome = "access-denied" },
		"an unused attempt": func(a *store.Attempt) { a.Taker = "" },
	} {
		t.Run(name, func(t *testing.T) {
			forBoth(t, func(t *testing.T, withLink bool) {
				inst := authtest.New(t)
				p := inst.Process()
				response := begin(p, withLink)
				inst.InRequest("authorization_code", func() {
					row := inst.Rows.AttemptRow(response.State)
					forge(row)
					inst.Rows.Forge(row)
				})
				outcome, err := p.Callback(response)
				authtest.WantKind(t, err, asanaauth.LoginExpired)
				if handedOut(outcome) != "" {
					t.Errorf("got outcome %+v", outcome)
				}
				if kept := inst.Rows.Kept(); kept["*store.Hot"] != 0 {
					t.Errorf("rows %v, want no connection", kept)
				}
			})
		})
	}
}

// The secrets of an attempt differ, although all of them are derived from the cookie's
// value. The rows contain none of them.
func TestTheSecretsOfAnAttemptDiffer(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, withLink bool) {
		inst := authtest.New(t)
		sniffed := &sniffer{next: inst.Wire}
		p := inst.Process(authtest.WithOpenID, func(s *authtest.Settings) { s.Transport = sniffed })
		token := ""
		if withLink {
			token = p.Link(link.Request{Owner: "o"})
		}
		attempt, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{Link: token})
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := p.Callback(p.Answer(attempt, asanatest.Member))
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{
			attempt.Browser.Reveal(): "cookie", authtest.Query(t, attempt.URL).Get("nonce"): "nonce",
			sniffed.seen()[0].Get("code_verifier"): "verifier", secretPart(outcome): "session or connect code",
		}
		authtest.WantCount(t, "different secrets", len(all), 4)
		for _, row := range inst.Rows.All() {
			for text, what := range all {
				if authtest.Holds(row, text) {
					t.Errorf("a %T contains the %s", row, what)
				}
			}
		}
	})
}
