package refresher_test

import (
	"context"
	"crypto/rand"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func editInRequest(inst *authtest.Installation, cookie secret.String, change func(*store.Hot)) {
	inst.InRequest(refreshGrant, func() { inst.Rows.Edit(cookie.Reveal(), change) })
}

func TestASaveRequiresGrantAndGenerationOnly(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		editInRequest(inst, cookie, leasedFor(12*time.Second))
		inst.Process().MustToken(cookie, 0)
		hot := inst.Rows.Hot(cookie.Reveal())
		if hot.Grant != 2 || hot.Lease != "another" {
			t.Errorf("grant %d, lease %q: want the new tokens and the other holder's lease", hot.Grant, hot.Lease)
		}
	})
}

func TestTokensThatTheRowDoesNotAcceptAreNotHandedOut(t *testing.T) {
	for name, change := range map[string]func(*store.Hot){
		"another grant":      func(hot *store.Hot) { hot.Grant++ },
		"another generation": func(hot *store.Hot) { hot.Generation++ },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				old := inst.Process().MustToken(cookie, 0)
				inst.Expire()
				editInRequest(inst, cookie, func(hot *store.Hot) {
					change(hot)
					hot.Expires = time.Now().Add(time.Hour)
				})
				got, err := inst.Process().Token(cookie, 0)
				if err != nil || !got.Access.Equal(old.Access) {
					t.Errorf("got another token than the row's (err %v)", err)
				}
			})
		})
	}
}

func TestASaveMakesABrokenConnectionActive(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		editInRequest(inst, cookie, func(hot *store.Hot) {
			hot.Status, hot.Reason, hot.BrokenAt = row.Broken, asanaauth.ReasonInvalidGrant, time.Now()
		})
		inst.Process().MustToken(cookie, 0)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != row.Active || hot.Reason != "" || !hot.BrokenAt.IsZero() {
			t.Errorf("got row: %s %q, broken at %v", hot.Status, hot.Reason, hot.BrokenAt)
		}
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditRefreshed), 1)
	})
}

func TestASaveOfARevokingConnectionKeepsOnlyTheRefreshToken(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		before := inst.Rows.Hot(cookie.Reveal())
		editInRequest(inst, cookie, func(hot *store.Hot) { hot.Status, hot.Access = row.Revoking, nil })
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		hot := inst.Rows.Hot(cookie.Reveal())
		if hot.Status != row.Revoking || len(hot.Access) > 0 || hot.Grant != 2 || string(hot.Refresh) == string(before.Refresh) {
			t.Errorf("got row: %s, access token kept: %v, grant %d", hot.Status, len(hot.Access) > 0, hot.Grant)
		}
	})
}

func TestALostAnswerToTheSaveIsRecognized(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		writes := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if isWrite(op) {
				writes++
			}
			return true, authtest.FailIf(isWrite(op) && writes == 2, authtest.ErrTableDown)
		}
		inst.Process().MustToken(cookie, 0)
		authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 2)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditRefreshed), 1)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnsaved), 0)
	})
}

// failedSave requests a token, and makes the table unavailable while Asana processes the
// refresh request, so that the save fails. It returns the lifetime of the token that the
// caller gets, or the caller's error.
func failedSave(t *testing.T, inst *authtest.Installation, cookie secret.String) (expiresIn time.Duration, err error) {
	t.Helper()
	before := inst.Rows.Hot(cookie.Reveal())
	down := false
	inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
		return !down, authtest.FailIf(down, authtest.ErrTableDown)
	}
	inst.InRequest(refreshGrant, func() { down = true })
	began := time.Now()
	got, err := inst.Process().Token(cookie, 0)
	if took := time.Since(began); took != row.CallerTime {
		t.Errorf("tried to save for %v, want the caller's time of %v", took, row.CallerTime)
	}
	hot := inst.Rows.Hot(cookie.Reveal())
	if string(hot.Refresh) != string(before.Refresh) || hot.Grant != 1 {
		t.Error("the old row has changed")
	}
	return got.ExpiresIn, err
}

// With the same refresh token in the response, nothing is lost either.
func TestATokenThatCouldNotBeSavedIsReturned(t *testing.T) {
	for _, refreshToken := range []string{"absent", "same"} {
		t.Run(refreshToken, func(t *testing.T) { unsavedIsReturned(t, refreshToken) })
	}
}

func unsavedIsReturned(t *testing.T, refreshToken string) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = refreshToken })
		if expiresIn, err := failedSave(t, inst, cookie); err != nil || expiresIn < 59*time.Minute {
			t.Errorf("got a token that expires in %v, %v; want the new one", expiresIn, err)
		}
		authtest.WantCount(t, "alarms", inst.Log.Says("level", "ERROR"), 0)
	})
}

func TestARotatedTokenThatCouldNotBeSavedIsAnAlarm(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		_, err := failedSave(t, inst, cookie)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnsaved), 1)
	})
}

// dryRand is a random source that, once dry is called, returns n more bytes and then fails.
type dryRand struct {
	left atomic.Int64 // negative: no limit
}

func (r *dryRand) dry(n int64) { r.left.Store(n) }

func (r *dryRand) Read(b []byte) (int, error) {
	left := r.left.Load()
	if left >= 0 && left < int64(len(b)) {
		return 0, io.ErrUnexpectedEOF
	}
	if left >= 0 {
		r.left.Add(-int64(len(b)))
	}
	return rand.Read(b)
}

// If new tokens cannot be sealed, they are lost, as if the table were unavailable.
func TestARotatedTokenThatCouldNotBeSealedIsAnAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		bytes  int64 // the random bytes that are left: 8 are the writer of the row
		rotate bool
		alarms int
	}{
		"no writer":             {0, true, 1},
		"no nonce":              {8, true, 1},
		"no nonce, no rotation": {8, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = c.rotate })
				random := &dryRand{}
				random.dry(-1)
				inst.InRequest(refreshGrant, func() { random.dry(c.bytes) })
				_, err := inst.Process(func(s *authtest.Settings) { s.Rand = random }).Token(cookie, 0)
				if err == nil {
					t.Error("got a token that was not saved, want an error")
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnsaved), c.alarms)
				authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 1)
			})
		})
	}
}

// The save of a rotated token is tried until the caller's time ends, not only for the
// reserve of 2 seconds.
func TestASaveIsTriedUntilTheCallersTimeEnds(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		inst.RefuseWritesAfter(refreshGrant, 20*time.Second)
		inst.Process().MustToken(cookie, 0)
		authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 2)
		authtest.WantCount(t, "alarms", inst.Log.Says("level", "ERROR"), 0)
		inst.Expire()
		inst.Process().MustToken(cookie, 0)
	})
}

func TestRefreshTokens(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*asanatest.Switches)
		changed bool
	}{
		"none in the response: the old one stays": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "absent" }, false},
		"the same one": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "same" }, true},
		"a new one":    {rotate, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(c.change)
				cookie := inst.Process().SignIn(asanatest.Member)
				for range 3 {
					before := inst.Rows.Hot(cookie.Reveal())
					inst.Expire()
					inst.Process().MustToken(cookie, 0)
					if got := string(before.Refresh) != string(inst.Rows.Hot(cookie.Reveal()).Refresh); got != c.changed {
						t.Errorf("the sealed refresh token changed: %v, want %v", got, c.changed)
					}
				}
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 3)
			})
		})
	}
}

func TestAResponseWithoutExpiryCountsAnHour(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Body: `{"access_token":"new","token_type":"bearer"}`})
		if got := inst.Process().MustToken(cookie, 0).ExpiresIn; got != time.Hour {
			t.Errorf("ExpiresIn = %v, want 1h", got)
		}
	})
}

func TestARefreshTokenThatStaysIsSealedWithThePrimaryKey(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		primary := inst.RotateKey()
		inst.Process().MustToken(cookie, 0)
		hot := inst.Rows.Hot(cookie.Reveal())
		for name, sealed := range map[string]secret.Sealed{"access": hot.Access, "refresh": hot.Refresh} {
			if id, _ := seal.KeyOf(sealed); id != primary {
				t.Errorf("the %s token is sealed under key %d, want the primary %d", name, id, primary)
			}
		}
		inst.Expire()
		inst.Process().MustToken(cookie, 0)
	})
}

// A holder that is suspended after Asana's response, past its lease and its caller's time,
// still saves: the row has not changed.
func TestASaveAfterTheCallersTimeHasItsReserve(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		p := inst.Process(func(s *authtest.Settings) { s.Transport = stalls{next: inst.Wire, after: time.Minute} })
		if _, err := p.Token(cookie, 0); err != nil {
			t.Logf("the caller whose time was over: %v", err)
		}
		authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 2)
		authtest.WantCount(t, "alarms", inst.Log.Says("level", "ERROR"), 0)
	})
}
