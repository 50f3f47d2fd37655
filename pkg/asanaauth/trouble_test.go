package asanaauth_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Asana rotated, and its answer never came: the next refusal is no ordinary one.
// A refusal with a status of its own did nothing, and hides nothing.
func TestAnUnknownOutcomeIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		fault asanatest.Fault
		lost  bool
	}{
		"cut":                  {asanatest.Fault{CutAfterApply: true}, true},
		"too late":             {asanatest.Fault{AnswerDelay: 9 * time.Second}, true},
		"trouble at a gateway": {asanatest.Fault{Status: 502, Apply: true}, true},
		"nonsense in a 200":    {asanatest.Fault{Body: "{}", Apply: true}, true},
		"over the limit":       {asanatest.Fault{Status: 429}, false},
		"another refusal":      {asanatest.Fault{Status: 400, Body: `{"error":"invalid_request"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				c.fault.GrantType = "refresh_token"
				h.asana.Inject(c.fault)
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.AsanaUnavailable)
				time.Sleep(8 * time.Second)
				h.switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
				_, err = h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.ReconnectRequired)
				if got := h.hot(cookie).Reason == "lost-rotated-token"; got != c.lost {
					t.Errorf("reason %q", h.hot(cookie).Reason)
				}
				if got := h.log.says("alarm", "rotated_token_lost") == 1; got != c.lost {
					t.Errorf("alarm: %v, want %v", got, c.lost)
				}
			})
		})
	}
}

func TestARefreshThatSucceedsSettlesWhatWasUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Cut: true})
		_, err := h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		if !h.hot(cookie).Unsettled {
			t.Error("a lost answer is not remembered")
		}
		time.Sleep(8 * time.Second)
		h.process().mustToken(cookie, 0)
		if h.hot(cookie).Unsettled {
			t.Error("it is still remembered after a save")
		}
	})
}

// Times of a row that a clock far ahead wrote, or somebody else.
func TestTimesFromTheFutureHoldUpNobody(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	for name, change := range map[string]func(*store.Hot){
		"cool-down": func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(years); hot.Expires = time.Now() },
		"token": func(hot *store.Hot) {
			hot.Issued, hot.Expires = time.Now().Add(years), time.Now().Add(years+time.Hour)
		},
		"report": func(hot *store.Hot) { hot.RefusedAt = time.Now().Add(years) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				old := p.mustToken(cookie, 0)
				h.edit(cookie, change)
				token, err := p.refused(cookie, old)
				if err != nil || token.Access.Equal(old.Access) || token.ExpiresIn > time.Hour {
					t.Errorf("got a token of %v, %v", token.ExpiresIn, err)
				}
			})
		})
	}
}

func TestATokenFromTheFutureIsNotServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.edit(cookie, func(hot *store.Hot) {
			hot.Issued, hot.Expires = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		})
		if got := p.mustToken(cookie, 0).ExpiresIn; got != time.Hour {
			t.Errorf("a token of %v was served", got)
		}
		// Another machine's clock may be ahead a little.
		h.edit(cookie, func(hot *store.Hot) { hot.Issued = time.Now().Add(2 * time.Second) })
		p.mustToken(cookie, 0)
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

func TestAProcessThatEndsWaitsForItsRefreshes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		p := h.process(func(s *settings) { s.joined = true })
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", AnswerDelay: 5 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		s := p.session(cookie)
		ask, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		_, err := p.conns.Token(ask, s, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.TryAgain)
		if err := p.conns.Wait(ctx); err == nil {
			t.Error("Wait did not wait")
		}
		if err := p.conns.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCount(t, "grant", int(h.hot(cookie).Grant), 2)
	})
}

func TestTheFirstWriteOfADisconnectIsTriedAgain(t *testing.T) {
	for name, saved := range map[string]bool{"answer lost": true, "not saved": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				s := p.session(cookie)
				writes := 0
				h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if op.Name != "write" {
						return true, nil
					}
					writes++
					return saved || writes > 1, failIf(writes == 1, errAway)
				}
				d, err := p.conns.Disconnect(t.Context(), s)
				wantDisconnected(t, d, err, store.Disconnected, true)
			})
		})
	}
}

// Whoever spoils a refresh token in the table keeps nobody from being forgotten.
func TestDisconnectOfATokenThatDoesNotOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.edit(cookie, func(hot *store.Hot) { hot.Refresh = hot.Access })
		d, err := p.disconnect(cookie)
		wantDisconnected(t, d, err, store.Disconnected, false)
		h.wantEnded(cookie)
		wantCount(t, "revocations", h.revocations(), 0)
		wantCount(t, "alarms", h.log.says("alarm", "unseal_failed"), 1)
	})
}

// A pointer that leads to somebody else's connection, or to one of another app,
// says nothing of the user.
func TestAForgedPointerStopsNoRevocation(t *testing.T) {
	for name, change := range map[string]func(*store.Hot){
		"another user":  func(*store.Hot) {},
		"a forged gid":  func(hot *store.Hot) { hot.AsanaGID = asanatest.Member },
		"another app's": func(hot *store.Hot) { hot.ClientID = "999" },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie, others := p.signIn(asanatest.Member), p.signIn(asanatest.Admin)
				h.edit(others, change)
				if name == "another app's" {
					h.anotherConnection(asanatest.Member, store.OAuth, store.Active, true)
					owner := store.HashText("another owner")
					others = secret.New(store.ConnectionID(owner, asanatest.Member, store.OAuth) + ".")
					h.edit(others, change)
				}
				h.writes(&store.UserPointer{User: store.HashText(asanatest.Member), Connection: connectionOf(others), Kind: store.OAuth})
				d, err := p.disconnect(cookie)
				wantDisconnected(t, d, err, store.Disconnected, true)
			})
		})
	}
}

// All that a call does fits into the function's 28 seconds, what it does for
// tokens that nobody wants any more included.
func TestACallEndsBeforeItsFunction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "dead", time.Now().Add(12*time.Second) })
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 7 * time.Second, Before: func(*http.Request) {
			h.edit(cookie, func(hot *store.Hot) {
				*hot = store.Hot{Head: hot.Head, Connection: hot.Connection, Kind: hot.Kind, Owner: hot.Owner, Status: store.Disconnected, Grant: 9}
			})
		}})
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Delay: time.Minute})
		began := time.Now()
		_, err := p.token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		if took := time.Since(began); took > 27*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// The taking write is tried again with its own name: a lost answer costs the
// person nothing.
func TestALostAnswerOfTheTakingKnowsItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		writes := 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				if _, ok := op.Changes[0].Row.(*store.Attempt); ok {
					writes++
					return true, failIf(writes == 1, errAway)
				}
			}
			return true, nil
		}
		if _, err := p.login.Finish(t.Context(), answer); err != nil {
			t.Errorf("finishing: %v", err)
		}
		wantCount(t, "writes of the attempt", writes, 2)
	})
}

// A person who closes the window while Asana answers has consented all the same.
func TestAPersonWhoGoesAwayIsConnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		ctx, cancel := context.WithCancel(t.Context())
		h.inRequest("authorization_code", cancel)
		finished, err := p.login.Finish(ctx, answer)
		if err != nil {
			t.Fatalf("finishing: %v", err)
		}
		p.mustToken(finished.Session, 0)
	})
}

// A process that once had the keyring does not make another one in its place.
func TestAKeyringThatIsGoneIsNotReplaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		rows, err := h.rows.Read(t.Context(), store.KeyringKey)
		if err != nil {
			t.Fatal(err)
		}
		rev := rows[store.KeyringKey].(*store.Keyring).Rev
		if err := h.rows.Write(t.Context(), store.Delete(store.KeyringKey, rev)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		p.mustToken(cookie, 0) // with the ring that it has
		if rows, _ := h.rows.Read(t.Context(), store.KeyringKey); len(rows) > 0 {
			t.Error("there is a new keyring")
		}
	})
}

// The mark is saved, its answer is lost, and a holder's write moves the row
// before it is tried again: it is still our own.
func TestAMarkThatMovedIsKnown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		s := p.session(cookie)
		writes := 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name != "write" {
				return true, nil
			}
			if writes++; writes == 2 {
				h.edit(cookie, func(*store.Hot) {})
			}
			return true, failIf(writes == 1, errAway)
		}
		d, err := p.conns.Disconnect(t.Context(), s)
		wantDisconnected(t, d, err, store.Disconnected, true)
	})
}

// Asana is well: what a report makes others wait for puts off no disconnect.
func TestAReportPutsOffNoDisconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		token, err := p.refused(cookie, p.mustToken(cookie, 0))
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.refused(cookie, token)
		wantKind(t, err, asanaauth.TryAgain)
		d, err := p.disconnect(cookie)
		wantDisconnected(t, d, err, store.Disconnected, true)
	})
}

// A refresh that a withheld report brought about counts as one of those that
// come once in 30 seconds.
func TestAWithheldReportCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		token, err := p.refused(cookie, p.mustToken(cookie, 0))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_, err = p.refused(cookie, token)
		wantKind(t, err, asanaauth.TryAgain)
		time.Sleep(30 * time.Second)
		token = p.mustToken(cookie, 0)
		time.Sleep(time.Second)
		_, err = p.refused(cookie, token)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "refreshes", h.refreshes(), 2)
	})
}

// A ring that is merely old does not know the newest key: nothing is erased for
// that while a token that could be revoked is there.
func TestAKeyThatIsNotKnownYetErasesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		other, cookie := p.signIn(asanatest.Guest), p.signIn(asanatest.Member)
		h.rotateKey()
		h.edit(other, func(hot *store.Hot) { hot.Access = append(secret.Sealed{}, hot.Access...); hot.Access[1] ^= 0x55 })
		p.token(other, 0) // an invented key id: p reads the ring again, and not once more for ten seconds
		h.rotateKey()
		newest := h.process()
		if _, err := newest.refused(cookie, newest.mustToken(cookie, 0)); err != nil {
			t.Fatal(err)
		}
		d, err := p.disconnect(cookie)
		if err == nil && d.Status == store.Disconnected && !d.Revoked {
			t.Errorf("erased, with %d tokens alive at Asana", h.liveTokens())
		}
	})
}
