package login_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If something fails before the attempt is marked as used, the person can reload the page
// and finish the sign-in.
func TestAFailureBeforeTheAttemptIsTaken(t *testing.T) {
	t.Parallel()
	tableDown := func(name string) func(*authtest.Installation) {
		return func(inst *authtest.Installation) {
			inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				return false, authtest.FailIf(op.Name == name, authtest.ErrTableDown)
			}
			if name == "write" {
				inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					return op.Name != "write", authtest.FailIf(op.Name == "write", authtest.ErrTableDown)
				}
			}
		}
	}
	for name, fail := range map[string]func(*authtest.Installation){
		"reading":             tableDown("read"),
		"taking":              tableDown("write"),
		"KMS down":            func(inst *authtest.Installation) { inst.KMS.Hook = func(string) error { return seal.ErrUnavailable } },
		"KMS denied":          func(inst *authtest.Installation) { inst.KMS.Hook = func(string) error { return seal.ErrDenied } },
		"no client secret":    func(inst *authtest.Installation) { inst.Secrets.Set(errors.New("down")) },
		"half of the secrets": func(inst *authtest.Installation) { inst.Secrets.Set(errors.New("down"), authtest.ClientSecret) },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				// Create the keyring now. Otherwise, the first write of the callback
				// would be the keyring's row, and in the case "taking", that write would
				// fail instead of the write to the attempt's row.
				if _, err := inst.Process().Keys.Ring(t.Context()); err != nil {
					t.Fatal(err)
				}
				p := inst.Process()
				response := p.Answer(p.Begin(), asanatest.Member)
				fail(inst)
				outcome, err := p.Callback(response)
				authtest.WantKind(t, err, asanaauth.TryAgain)
				if outcome.ReturnURL != "" || inst.Rows.AttemptRow(response.State).Taker != "" {
					t.Errorf("got ReturnURL %q, attempt taken: %v", outcome.ReturnURL, inst.Rows.AttemptRow(response.State).Taker != "")
				}
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
				inst.Table.Hook, inst.KMS.Hook = nil, nil
				inst.Secrets.Set(nil, authtest.ClientSecret)
				if _, err := p.Callback(response); err != nil {
					t.Errorf("Callback() after the reload = %v", err)
				}
			})
		})
	}
}

// The write that marks the attempt as used succeeds, but the responses to this write and
// its repetitions are lost. The callback cannot confirm the write, so it must not
// exchange the code, and must return TryAgain. After a reload, the callback must return
// TryAgain and a ReturnURL, because the attempt is marked as used and has no outcome.
func TestALostResponseToTakingTheAttempt(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		p.SignIn(asanatest.Guest) // creates the keyring
		response := p.Answer(p.Begin(), asanatest.Member)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			return true, authtest.FailIf(op.Name == "write", authtest.ErrTableDown)
		}
		before := inst.Exchanges()
		outcome, err := p.Callback(response)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if outcome.ReturnURL != "" || inst.Rows.AttemptRow(response.State).Taker == "" {
			t.Errorf("got ReturnURL %q, attempt taken: %v", outcome.ReturnURL, inst.Rows.AttemptRow(response.State).Taker != "")
		}
		inst.Table.Hook = nil
		outcome, err = p.Callback(response)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if outcome.ReturnURL != authtest.ReturnURL {
			t.Errorf("got ReturnURL %q", outcome.ReturnURL)
		}
		authtest.WantCount(t, "exchanges", inst.Exchanges()-before, 0)
		p.MustToken(p.SignIn(asanatest.Member), 0)
	})
}

// For each table operation of Callback, the test runs Callback four times. This operation
// either fails without effect, or succeeds but its response is lost. In both cases, the
// later operations either all succeed or all fail. In every run, the person must get a
// working session or be able to sign in again. In the end, exactly one connection must
// exist.
func TestCrashPointsOfCallback(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{false, true} {
		for _, forever := range []bool{false, true} {
			at := 1
			for ; crashCallback(t, at, saved, forever); at++ {
			}
			authtest.WantCount(t, "operations of a callback", at-1, 6)
		}
	}
}

// crashCallback makes the at-th table operation of Callback fail. The result is true if
// Callback had at least that many operations, so that one failed.
func crashCallback(t *testing.T, at int, saved, forever bool) (reached bool) {
	t.Run(fmt.Sprintf("operation %d, saved %v, forever %v", at, saved, forever), func(t *testing.T) {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			response := p.Answer(p.Begin(), asanatest.Member)
			n := 0
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
				n++
				switch {
				case n == at:
					return saved, authtest.ErrTableDown
				case n > at && forever:
					return false, authtest.ErrTableDown
				}
				return true, nil
			}
			outcome, err := p.Callback(response)
			inst.Table.Hook = nil
			if reached = n >= at; !reached && err != nil {
				t.Fatalf("without a failure: %v", err)
			}
			if inst.Exchanges() > 1 {
				t.Error("the code was redeemed twice")
			}
			sessions := 1
			if err != nil {
				authtest.WantKind(t, err, asanaauth.TryAgain)
				if !outcome.Session.IsZero() {
					t.Error("got a session and an error")
				}
				sessions += inst.Rows.Kept()["*store.Session"] // these sessions' cookies were lost
				outcome.Session = inst.Process().SignIn(asanatest.Member)
			}
			got := inst.Process().MustToken(outcome.Session, 0)
			inst.Rows.WantOneConnection(sessions)
			for _, row := range inst.Rows.All() {
				for _, text := range append(inst.Wire.Seen(), got.Access.Reveal(), response.Code.Reveal(), outcome.Session.Reveal(), "Mia Member", "mia@acme") {
					if authtest.Holds(row, text) {
						t.Errorf("a %T contains %q", row, text)
					}
				}
			}
		})
	})
	return reached
}

// The response to the write of a consent is lost, and the hot row changes before the
// callback repeats the write. From the other rows of that write, the callback must
// recognize that its first write succeeded.
func TestALostConsentRecognizesItself(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		response := p.Answer(p.Begin(), asanatest.Member)
		writes := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) < 5 {
				return true, nil
			}
			if writes++; writes == 1 {
				return true, authtest.ErrTableDown
			}
			inst.Rows.Edit(connectionOf(asanatest.Member), func(hot *store.Hot) { hot.CoolUntil = time.Now() })
			return true, nil
		}
		outcome, err := p.Callback(response)
		if err != nil {
			t.Fatalf("Callback() = %v", err)
		}
		inst.Table.Hook = nil
		authtest.WantCount(t, "writes of the consent", writes, 2)
		hot := inst.Rows.Hot(outcome.Session.Reveal())
		if hot.Generation != 1 || hot.CoolUntil.IsZero() {
			t.Errorf("%d consents were saved, and the other write was kept: %v", hot.Generation, !hot.CoolUntil.IsZero())
		}
		p.MustToken(outcome.Session, 0)
		inst.Rows.WantOneConnection(1)
	})
}

// A person whose connection is broken connects again, and the response to the write of
// the new consent is lost. When the callback repeats the write, the table already
// contains the repaired connection. The audit line must still report that the connection
// was broken before.
func TestALostConsentReportsARecovery(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		inst.Rows.Edit(p.SignIn(asanatest.Member).Reveal(), func(hot *store.Hot) { hot.Status, hot.Reason = string(asanaauth.Broken), asanaauth.ReasonInvalidGrant })
		lost := false
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 5 && !lost {
				lost = true
				return true, authtest.ErrTableDown
			}
			return true, nil
		}
		cookie := p.SignIn(asanatest.Member)
		authtest.WantCount(t, "recoveries", inst.Log.SaysRaw("recovered", "true"), 1)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Generation != 2 {
			t.Errorf("%d consents were saved", hot.Generation)
		}
	})
}

// A redeemed code cannot be redeemed again. The callback tries to save or hold the consent
// until the table is available, or until the callback's time ends.
func TestAConsentIsSavedWhenTheTableIsBack(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(*authtest.Process){
		"sign-in": func(p *authtest.Process) { p.MustToken(p.SignIn(asanatest.Member), 0) },
		"link":    func(p *authtest.Process) { p.Connect("o", asanatest.Member) },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.RefuseWritesAfter("authorization_code", 20*time.Second)
				finish(inst.Process())
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 1)
			})
		})
	}
}

func TestCallbackTakes25SecondsAtMost(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		response := p.Answer(p.Begin(), asanatest.Member)
		inst.Table.Hook = func(ctx context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) < 5 {
				return true, nil
			}
			<-ctx.Done()
			return false, authtest.ErrTableDown
		}
		began := time.Now()
		outcome, err := p.Callback(response)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took != 25*time.Second {
			t.Errorf("took %v, want 25s", took)
		}
		if outcome.ReturnURL != authtest.ReturnURL {
			t.Errorf("got ReturnURL %q", outcome.ReturnURL)
		}
	})
}
